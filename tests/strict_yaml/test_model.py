"""Faults against a model: sentences with lines, all together with the reader's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from micronet_verify.errors import Problem, SpecError, SubmissionFault
from micronet_verify.strict_yaml.load import load
from micronet_verify.strict_yaml.located import Place
from micronet_verify.strict_yaml.model import StrictModel, parse
from micronet_verify.strict_yaml.types import Line, Name, NotNegative, Positive


class Person(StrictModel):
    id: Name = Field(description="a stable id")
    age: Annotated[int, Field(ge=0, le=150)] = Field(7, description="in years")


class Form(StrictModel):
    title: Line = Field(description="the title")
    version: str = Field("1", description="the version")
    amount: Positive = Field(Fraction(1), description="how much")
    rest: NotNegative = Field(Fraction(0), description="what is left")
    colour: Literal["red", "green"] = Field("red", description="the colour")
    people: Annotated[list[Person], Field(max_length=2)] = Field([], description="who")
    flag: bool = Field(False, description="whether")

    @classmethod
    def cross_check(cls, data: Mapping[str, Any]) -> Iterable[tuple[Place, Problem]]:
        if data.get("version") == "0":
            yield ("version",), Problem("the version 0", "be counted from 1")


def faults(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse(Form, load(text, "form.yaml"), SpecError)
    return [str(problem) for problem in caught.value.problems]


def test_a_form_without_faults():
    form = parse(Form, load('title: A\namount: 1.10\nrest: "0.25"\npeople: [{id: ada}]\n'), SpecError)
    assert (form.title, form.amount, form.rest, form.people[0].id) == ("A", Fraction(11, 10), Fraction(1, 4), "ada")


def test_every_fault_in_order_of_line():
    text = """\
titel: A
version: 1.10
amount: 0
rest: -1
colour: gren
people:
  - id: Ada
    age: 151
  - age: "7"
flag: NO
flag: true
"""
    assert faults(text) == [
        "got no 'title' but should have one: the title [form.yaml:1]",
        "got the unknown key 'titel' but should be one of title, version, amount, rest, colour, people, flag [form.yaml:1] "
        "(did you mean 'title'?)",
        'got version: the number 1.10 but should be text [form.yaml:2] (write "1.10" for the text)',
        "got amount: the number 0 but should be more than 0 [form.yaml:3]",
        "got rest: the number -1 but should be at least 0 [form.yaml:4]",
        "got colour: 'gren' but should be one of red, green [form.yaml:5] (did you mean 'green'?)",
        "got id: 'Ada' but should be lower-case letters, digits and . _ - between them, at most 64 [form.yaml:7]",
        "got age: the number 151 but should be at most 150 [form.yaml:8]",
        "got no 'id' but should have one: a stable id [form.yaml:9]",
        "got age: '7' but should be a whole number [form.yaml:9] (without quotes)",
        "got NO, which some readers take for true or false, but should be a value with one meaning [form.yaml:10] "
        '(write "NO" for the text, or true or false)',
        "got the key 'flag' a second time but should stand once [form.yaml:11] (first on line 10)",
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("version: true", 'got version: true but should be text [form.yaml:2] (write "true" for the text)'),
        ("version: [1]", "got version: a list of 1 but should be text [form.yaml:2]"),
        ("people: {}", "got people: a mapping but should be a list [form.yaml:2]"),
        ("people: [ada]", "got people: 'ada' but should be a mapping of keys and values [form.yaml:2]"),
        ("people: [{id: a}, {id: b}, {id: c}]", "got people: a list of 3 but should have at most 2 items [form.yaml:2]"),
        ("people: [{id: a, age: true}]", "got age: true but should be a whole number [form.yaml:2]"),
        ("people: [{id: a, age: 1.5}]", "got age: the number 1.5 but should be a whole number [form.yaml:2]"),
        ("people: [{id: a, agee: 1}]", "got the unknown key 'agee' but should be one of id, age [form.yaml:2] (did you mean 'age'?)"),
        ("flag: 'true'", "got flag: 'true' but should be true or false [form.yaml:2] (without quotes)"),
        ("amount: ten", "got amount: 'ten' but should be a plain number such as 0.45 or 36500000 [form.yaml:2]"),
        ("amount: true", "got amount: true but should be a plain number such as 0.45 or 36500000 [form.yaml:2]"),
        ("amount: '1e3'", "got amount: '1e3' but should be a plain number such as 0.45 or 36500000 [form.yaml:2]"),
        ("amount: '١٢'", "got amount: '١٢' but should be a plain number such as 0.45 or 36500000 [form.yaml:2]"),
        ("version: '0'", "got the version 0 but should be counted from 1 [form.yaml:2]"),
    ],
)
def test_one_fault(line: str, sentence: str):
    assert faults(f"title: A\n{line}\n") == [sentence]


def test_text_of_one_line_is_one_line():
    should = "but should be one line of 1 to 200 characters, with no space at its ends [form.yaml:1]"
    assert faults('title: " A"') == [f"got title: ' A' {should}"]
    assert faults('title: "A\\nB"') == [f"got title: 'A\\nB' {should}"]
    assert faults('title: ""') == [f"got title: empty text {should}"]
    assert faults(f"title: {'x' * 201}") == [f"got title: '{'x' * 60}…' {should}"]


def test_a_list_is_no_form():
    assert faults("- title") == ["got a list of 1 but should be a mapping of keys and values [form.yaml:1]"]


def test_a_file_that_stops_half_way_is_not_said_to_lack_the_rest():
    assert faults("amount: 1\nversion: 'x") == ["got a quotation mark without its partner but should be closed [form.yaml:2]"]


def test_the_first_hundred_problems_are_enough():
    found = faults("title: A\n" + "".join(f"k{number}: 1\n" for number in range(130)))
    assert len(found) == 101
    assert found[-1] == "got 30 more problems but should be corrected, too [form.yaml]"


def test_the_caller_chooses_who_must_act():
    with pytest.raises(SubmissionFault):
        parse(Form, load("title: 1", "form.yaml"), SubmissionFault)

"""What the strict reader accepts, and the sentence for everything that it does not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from micronet_verify.strict_yaml.load import MAX_BYTES, load


def sentences(text: str | bytes) -> list[str]:
    return [str(problem) for _, problem in load(text, "f.yaml").problems]


def test_plain_values_have_one_meaning():
    text = """\
text: two words
quoted: "NO"
single: '1.10'
truth: true
lie: false
whole: 37500
negative: -3
decimal: 0.450
version: 1.2.3
list: [a, "010", 7]
items:
  - k: v
  - w
block: |
  first
  second
"""
    located = load(text, "f.yaml")
    assert located.problems == ()
    assert located.data == {
        "text": "two words",
        "quoted": "NO",
        "single": "1.10",
        "truth": True,
        "lie": False,
        "whole": 37500,
        "negative": -3,
        "decimal": Decimal("0.450"),
        "version": "1.2.3",
        "list": ["a", "010", 7],
        "items": [{"k": "v"}, "w"],
        "block": "first\nsecond\n",
    }
    assert isinstance(located.data["whole"], int)
    assert located.texts["decimal",] == "0.450"


def test_lines_are_those_of_keys_and_items():
    located = load("# title\na: 1\nb:\n  c:\n    - 5\n    - d: 6\n", "f.yaml")
    assert located.lines == {(): 2, ("a",): 2, ("b",): 3, ("b", "c"): 4, ("b", "c", 0): 5, ("b", "c", 1): 6, ("b", "c", 1, "d"): 6}
    assert located.where(("b", "c", 1, "e", "f")) == "f.yaml:6"
    assert located.where(("z",)) == "f.yaml:2"


def test_windows_line_ends_and_byte_order_mark_are_read():
    located = load(b"\xef\xbb\xbfa: 1\r\nb: two\r\n", "f.yaml")
    assert (located.data, located.problems) == ({"a": 1, "b": "two"}, ())


MEANING = "but should be a value with one meaning [f.yaml:1]"
TRUTH = f'which some readers take for true or false, {MEANING} (write "{{0}}" for the text, or true or false'
OCTAL = f"which some readers take for an octal number, {MEANING} "
NUMBER = f"which some readers take for a number, {MEANING} "


@pytest.mark.parametrize("word", ["NO", "no", "yes", "Yes", "on", "OFF", "y", "N"])
def test_words_that_some_readers_take_for_truth_values(word: str):
    assert sentences(f"a: {word}") == [f"got {word}, {TRUTH.format(word)})"]


@pytest.mark.parametrize("word", ["True", "FALSE"])
def test_truth_values_in_other_cases(word: str):
    assert sentences(f"a: {word}") == [f"got {word}, {TRUTH.format(word)} in lower case)"]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("010", f'{OCTAL}(write "010" for the text, or the number without a leading zero)'),
        ("0x1F", f'{NUMBER}(write "0x1F" for the text, or the number in decimal digits)'),
        ("0o17", f'{NUMBER}(write "0o17" for the text, or the number in decimal digits)'),
        ("1_000", f'{NUMBER}(write "1_000" for the text, or the number without "_")'),
        ("1e3", f'{NUMBER}(write "1e3" for the text, or the number in plain digits)'),
        ("6.9E+6", f'{NUMBER}(write "6.9E+6" for the text, or the number in plain digits)'),
        (".5", f'{NUMBER}(write ".5" for the text, or a number like 0.5)'),
        ("5.", f'{NUMBER}(write "5." for the text, or a number like 0.5)'),
        ("+5", f'{NUMBER}(write "+5" for the text, or a number like 0.5)'),
        ("00.5", f'{NUMBER}(write "00.5" for the text, or a number like 0.5)'),
        ("1:30", f'which some readers take for a number in base 60, {MEANING} (write "1:30")'),
        (
            "190:20:30.15",
            f'which some readers take for a number in base 60, {MEANING} (write "190:20:30.15")',
        ),
        ("2019-09-30", f'which some readers take for a date, {MEANING} (write "2019-09-30")'),
        (
            "2019-09-30T12:00:00Z",
            f'which some readers take for a date, {MEANING} (write "2019-09-30T12:00:00Z")',
        ),
        (
            ".nan",
            f'which is not a finite number, {MEANING} (write ".nan" for the text, or a finite number)',
        ),
        (
            "-.Inf",
            f'which is not a finite number, {MEANING} (write "-.Inf" for the text, or a finite number)',
        ),
        ("~", f"which means nothing, {MEANING} (leave the key out, or quote the text)"),
        ("null", f"which means nothing, {MEANING} (leave the key out, or quote the text)"),
        ("=", f'which has a special meaning in YAML, {MEANING} (write "=")'),
    ],
)
def test_bare_words_that_two_readers_understand_differently(word: str, sentence: str):
    assert sentences(f"a: {word}") == [f"got {word}, {sentence}"]
    assert sentences(f'a: "{word}"') == []


def test_numbers_of_endless_digits_are_refused_before_they_are_computed():
    advice = "(write at most 40 digits before and after the point, or quote the text)"
    digits = "9" * 5000
    expected = f"got {digits[:60]}, which has too many digits, but should be a value with one meaning [f.yaml:1] {advice}"
    assert sentences(f"a: {digits}") == [expected]
    assert sentences(f"a: 0.{'1' * 41}") == [expected.replace(digits[:60], f"0.{'1' * 41}")]
    assert load(f"a: 0.{'1' * 40}").problems == ()


def test_every_problem_of_a_file_at_once_each_with_its_line():
    text = "a: NO\nb: 010\na: 1\n1: x\nd:\ne: &here [1]\nf: *here\ng: !!python/object:os.system x\n<<: z\n"
    assert sentences(text) == [
        "got NO, which some readers take for true or false, but should be a value with one meaning [f.yaml:1] "
        '(write "NO" for the text, or true or false)',
        "got 010, which some readers take for an octal number, but should be a value with one meaning [f.yaml:2] "
        '(write "010" for the text, or the number without a leading zero)',
        "got the key 'a' a second time but should stand once [f.yaml:3] (first on line 1)",
        'got the key 1, which is not a word, but should be a word [f.yaml:4] (write "1")',
        "got nothing after a key or '-' but should be a value [f.yaml:5] (leave the key out, or quote the text)",
        "got the anchor &here but should be left out [f.yaml:6] (spell the value out where it is used)",
        "got the alias *here but should be spelled out [f.yaml:7]",
        "got the tag 'tag:yaml.org,2002:python/object:os.system' but should be left out [f.yaml:8]",
        'got <<, which has a special meaning in YAML, but should be a value with one meaning [f.yaml:9] (write "<<")',
    ]


def test_duplicate_keys_are_found_on_every_level_and_the_first_value_stays():
    located = load("a:\n  - {k: 1, k: {x: NO}}\n", "f.yaml")
    assert [str(problem) for _, problem in located.problems] == [
        "got the key 'k' a second time but should stand once [f.yaml:2] (first on line 2)",
        "got NO, which some readers take for true or false, but should be a value with one meaning [f.yaml:2] "
        '(write "NO" for the text, or true or false)',
    ]
    assert located.data == {"a": [{"k": 1}]}
    assert [place for place, _ in located.problems] == [None, None]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: b: c", "got a second ': ' on one line but should be one 'key: value' to a line [f.yaml:1] (quote text that holds ': ')"),
        ("a: 1\n  b: 2", "got a key that is indented deeper than its neighbours but should be indented like them [f.yaml:2]"),
        ("a: 1\nb 2\nc: 3", "got a line without 'key: value' but should be a key, a colon, a space and a value [f.yaml:2]"),
        ("a:\n  b: 1\n c: 2", "got a line that does not fit the lines around it but should be indented like its neighbours [f.yaml:3]"),
        ("a: 'x\nb: 2", "got a quotation mark without its partner but should be closed [f.yaml:1]"),
        ("a: 1\nb: [1, 2\nc: 3", "got a bracket '[' or '{' without its partner but should be closed [f.yaml:2]"),
        ("a: @x", "got text that begins with a sign of YAML's own but should be quoted [f.yaml:1]"),
        (
            r'a: "C:\data"',
            r"got an escape after a backslash that YAML does not know but should be a known one [f.yaml:1] (a backslash is \\)",
        ),
        ("a: *nobody", "got the alias *nobody but should be spelled out [f.yaml:1]"),
        ("a: 1\n---\nb: 2", "got a second document after '---' but should be one document [f.yaml:2]"),
        ("%YAML 1.1\n---\na: 1", "got a directive '%' but should be left out [f.yaml:1]"),
        ("? [a]\n: b", "got a key that is a list or mapping but should be a word [f.yaml:1]"),
        ("just words", "got 'just words' but should hold keys and values [f.yaml:1]"),
        ("# nothing\n", "got an empty file but should hold keys and values [f.yaml]"),
        ("", "got an empty file but should hold keys and values [f.yaml]"),
        ("a:\n\tb: 1", "got a tab but should be spaces [f.yaml:2]"),
        ("a: x\ty # tab", "got a tab but should be spaces [f.yaml:1]"),
        ("a: 1\nb: x\u202ey", "got the invisible character U+202E but should be left out [f.yaml:2]"),
        ("a: x\u2028y", "got the invisible character U+2028 but should be left out [f.yaml:1]"),
        ("a: 1\rb: 2", "got the invisible character U+000D but should be left out [f.yaml:1]"),
        ('a: "x\\0y"', "got the invisible character U+0000 but should be left out [f.yaml:1]"),
        ('a: "\\uD800"', "got the invisible character U+D800 but should be left out [f.yaml:1]"),
        ('a: "\\U00110000"', "got text that YAML cannot read (chr() arg not in range(0x110000)) but should be YAML [f.yaml]"),
        ("a: " + 10 * "[" + 10 * "]", "got more than 10 levels but should have at most 10 [f.yaml:1]"),
        (60_000 * "[", "got more than 10 levels but should have at most 10 [f.yaml:1]"),
    ],
)
def test_faults_of_form(text: str, sentence: str):
    assert sentences(text) == [sentence]


def test_ten_levels_are_read():
    assert load("a: " + 9 * "[" + 9 * "]", "f.yaml").problems == ()


def test_a_file_that_is_not_utf8_names_the_byte_and_its_line():
    assert sentences("a: 1\nb: Müller\n".encode("latin-1")) == [
        "got the byte 0xFC, which is not UTF-8, but should be UTF-8 text [f.yaml:2] (save the file as UTF-8)"
    ]


def test_size_is_bounded():
    assert load(b"#" * MAX_BYTES, "f.yaml").problems != ()  # empty, but not too long
    assert sentences(b"#" * (MAX_BYTES + 1)) == ["got more than 65,536 bytes but should have at most 65,536 [f.yaml]"]


def test_a_file_is_read_from_disk_and_called_by_its_name(tmp_path: Path):
    path = tmp_path / "track.yaml"
    path.write_text("a: NO", encoding="utf-8")
    assert load(path).where(()) == "track.yaml:1"
    missing, folder = load(tmp_path / "none.yaml"), load(tmp_path)
    assert (
        str(missing.problems[0][1])
        == "got a file that cannot be read (No such file or directory) but should be a readable file [none.yaml]"
    )
    assert str(folder.problems[0][1]).startswith("got a file that cannot be read (Is a directory) but should be a readable file")

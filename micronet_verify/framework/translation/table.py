"""Lines of a plugin's op table, and the table as text for its README."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from micronet_verify.errors import Problem, SubmissionFault

Rule = TypeVar("Rule")
Rule_co = TypeVar("Rule_co", covariant=True)
Treatment = Literal["priced", "moves", "free"]
PRICED = "be an operator that this counter can price"
_WORDS: dict[Treatment, str] = {"priced": "priced", "moves": "moves data", "free": "nothing to charge"}


@dataclass(frozen=True, slots=True)
class Line(Generic[Rule_co]):
    """An operator that is counted; ``note`` says how, or why moving is all it does.

    ``outputs`` are its results' names, in formats whose functions ask for them by name.
    """

    rule: Rule_co
    treatment: Treatment
    note: str = ""
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operator that fails the count: why, what it should be, and what to do about it."""

    reason: str
    advice: str = ""
    should: str = PRICED


@dataclass(frozen=True, slots=True)
class Unknown:
    """An operator that has no line; ``what`` is it in words."""

    what: str
    advice: str = "see the plugin's README for the operators that can be counted"


def rule_of(name: str, line: Line[Any] | Refusal | Unknown, where: str) -> Any:
    """The rule of an operator. Raises ``SubmissionFault`` for one that is refused or has no line (rule O17)."""
    if isinstance(line, Line):
        return line.rule
    if isinstance(line, Unknown):
        raise SubmissionFault(Problem(line.what, PRICED, where, line.advice))
    raise SubmissionFault(Problem(f"{name}: {line.reason}", line.should, where, line.advice))


def priced(rule: Rule, note: str = "", outputs: str = "") -> Line[Rule]:
    return Line(rule, "priced", note, tuple(outputs.split()))


def moves(rule: Rule, note: str) -> Line[Rule]:
    return Line(rule, "moves", note)


def lines_of(rule: Callable[[str], Rule], spelled: str) -> dict[str, Line[Rule]]:
    """Lines of operators that are one function each, by what a format calls them: ``Abs=abs Acos=acos``."""
    pairs = (pair.partition("=") for pair in spelled.split())
    return {operator: priced(rule(function)) for operator, _, function in pairs}


def markdown(lines: Iterable[tuple[str, Line[Rule] | Refusal]]) -> str:
    """A Markdown table of operators by name: priced, moving data, or refused."""
    rows = ["| operator | treatment | note |", "|---|---|---|"]
    for name, line in lines:
        if isinstance(line, Refusal):
            should = "" if line.should == PRICED else f"should {line.should}"
            advice = f"{should} ({line.advice})" if should and line.advice else line.advice or should
            treatment, note = "refused", f"{line.reason}: {advice}" if advice else line.reason
        else:
            treatment, note = _WORDS[line.treatment], line.note
        rows.append(f"| {name} | {treatment} | {note} |")
    return "\n".join(rows)

"""Lines of a plugin's op table, and the table as text for its README."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Rule = TypeVar("Rule")
Rule_co = TypeVar("Rule_co", covariant=True)
Treatment = Literal["priced", "moves"]


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
    """An operator that fails the count, and what to do about it."""

    reason: str
    advice: str = ""


def priced(rule: Rule, note: str = "", outputs: str = "") -> Line[Rule]:
    return Line(rule, "priced", note, tuple(outputs.split()))


def moves(rule: Rule, note: str) -> Line[Rule]:
    return Line(rule, "moves", note)


def markdown(lines: Iterable[tuple[str, Line[Rule] | Refusal]]) -> str:
    """A Markdown table of operators by name: priced, moving data, or refused."""
    rows = ["| operator | treatment | note |", "|---|---|---|"]
    for name, line in lines:
        if isinstance(line, Refusal):
            treatment, note = "refused", f"{line.reason}: {line.advice}" if line.advice else line.reason
        else:
            treatment, note = ("priced" if line.treatment == "priced" else "moves data"), line.note
        rows.append(f"| {name} | {treatment} | {note} |")
    return "\n".join(rows)

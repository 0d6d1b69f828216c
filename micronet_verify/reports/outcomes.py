"""Outcomes in words, colours and exit codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from rich.table import Table
from rich.text import Text

from micronet_verify.checks.verdict import Outcome
from micronet_verify.reports.entry import Asked, EntryRecord
from micronet_verify.reports.tables import safe
from micronet_verify.reports.texts import many_lines

STYLES: Mapping[Outcome, str] = MappingProxyType({"passed": "green", "failed": "red", "error": "magenta", "skipped": "yellow"})


def exit_code(records: Sequence[EntryRecord]) -> int:
    """4 where a track file is broken, 3 where the judge could not finish (an error, or a missing data set), 1 where an
    entry failed, else 0. Whoever must act first decides: verdicts of a broken bench are worth nothing. What a smoke run
    left open was asked for."""
    if any(stopped.acts == "organizer" for record in records for stopped in record.faults):
        return 4
    if any(record.said in ("error", "skipped") for record in records):
        return 3
    return int(any(record.outcome == "failed" for record in records))


def verdict_grid(verdicts: Iterable[Asked], most: int | None = None) -> Table:
    """One row per verdict: outcome, check, message with each problem on its own line, and no more than ``most`` of them."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for verdict in verdicts:
        made.add_row(Text(verdict.outcome, STYLES[verdict.outcome]), safe(verdict.check), Text(_cut(many_lines(verdict.message), most)))
    return made


def _cut(text: str, most: int | None) -> str:
    lines = text.splitlines()
    if most is None or len(lines) <= most + 1:
        return text
    return "\n".join([*lines[:most], f"– and {len(lines) - most} more problems"])

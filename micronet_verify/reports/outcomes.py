"""Outcomes in words, colours and exit codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from rich.table import Table
from rich.text import Text

from micronet_verify.checks.verdict import Outcome
from micronet_verify.reports.entry import EntryRecord
from micronet_verify.reports.tables import safe
from micronet_verify.reports.texts import many_lines

STYLES: Mapping[Outcome, str] = MappingProxyType({"passed": "green", "failed": "red", "error": "magenta", "skipped": "yellow"})


def exit_code(records: Sequence[EntryRecord]) -> int:
    """4 where a track file is broken, 3 where the judge could not finish (an error, or a missing data set), 1 where an
    entry failed, else 0. Whoever must act first decides: verdicts of a broken bench are worth nothing."""
    if any(stopped.acts == "organizer" for record in records for stopped in record.faults):
        return 4
    if any(record.outcome in ("error", "skipped") for record in records):
        return 3
    return int(any(record.outcome == "failed" for record in records))


def verdict_grid(verdicts: Iterable[tuple[str, Outcome, str]]) -> Table:
    """One row per verdict: outcome, check, message with each problem on its own line."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for check, outcome, message in verdicts:
        made.add_row(Text(outcome, STYLES[outcome]), safe(check), Text(many_lines(message)))
    return made

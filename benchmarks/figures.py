"""One promise, its figure and what it is held against; printed as one table, or written as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Measurement


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``most``; ``of`` our figure itself, or of the ratio ours / theirs."""

    of: Literal["ours", "ratio"]
    most: float


@dataclass(frozen=True, slots=True)
class Row:
    """``ours`` and ``theirs`` in ``unit``; ``None`` where it was not measured, and ``note`` says why. ``cpu``: both in processor time."""

    benchmark: str
    subject: str
    ours: float | None
    beside: str = ""
    theirs: float | None = None
    unit: Literal["s", "MB"] = "s"
    limit: Limit | None = None
    note: str = ""
    cpu: tuple[float | None, float | None] = (None, None)

    @property
    def ratio(self) -> float | None:
        return self.ours / self.theirs if self.ours is not None and self.theirs else None

    @property
    def cpu_ratio(self) -> float | None:
        """The ratio in processor time, which other users of the machine disturb less."""
        ours, theirs = self.cpu
        return ours / theirs if ours is not None and theirs else None

    @property
    def held(self) -> bool | None:
        """Whether the promise holds; ``None`` where nothing was promised or measured."""
        if self.limit is None:
            return None
        value = self.ours if self.limit.of == "ours" else self.ratio
        return None if value is None else value <= self.limit.most


def seconds_row(
    benchmark: str,
    subject: str,
    ours: Measurement,
    beside: str = "",
    theirs: Measurement | None = None,
    limit: Limit | None = None,
    note: str = "",
) -> Row:
    """A row of the two medians of wall-clock time."""
    reasons = [reason for reason in (ours.reason, theirs.reason if theirs else "", note) if reason]
    cpu = (ours.cpu, theirs.cpu if theirs else None)
    return Row(benchmark, subject, ours.seconds, beside, theirs.seconds if theirs else None, "s", limit, "; ".join(reasons), cpu)


_NUMBERS = ("ours", "theirs", "ratio", "CPU ratio", "promised")


def table(rows: Sequence[Row]) -> Table:
    found = Table(title=None, pad_edge=False)
    for heading in ("promise", "of", "ours", "beside", "theirs", "ratio", "CPU ratio", "promised", "held"):
        found.add_column(heading, justify="right" if heading in _NUMBERS else "left", overflow="fold")
    last = ""
    for row in rows:
        if row.benchmark != last:
            found.add_section()
        found.add_row(row.benchmark if row.benchmark != last else "", *_cells(row))
        last = row.benchmark
    return found


def _cells(row: Row) -> tuple[str, ...]:
    held = {True: "yes", False: "NO", None: ""}[row.held]
    if row.limit and row.held is None:
        held = "?"
    ratios = ("" if ratio is None else f"{ratio:.2f}" for ratio in (row.ratio, row.cpu_ratio))
    return (row.subject, _amount(row.ours, row.unit), row.beside, _amount(row.theirs, row.unit), *ratios, _promised(row), held)


def _promised(row: Row) -> str:
    if row.limit is None:
        return ""
    return f"≤ {row.limit.most:.2f}×" if row.limit.of == "ratio" else f"≤ {_amount(row.limit.most, row.unit)}"


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "MB":
        return f"{value / 1e6:.1f} MB"
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.1f} ms"


def one_line(row: Row) -> str:
    """A row for whoever waits for the table."""
    beside = f" beside {row.beside} {_amount(row.theirs, row.unit)}" if row.beside else ""
    return f"{row.benchmark}, {row.subject}: {_amount(row.ours, row.unit)}{beside}"


def notes(rows: Iterable[Row]) -> list[str]:
    """One line for each row that has something to say."""
    return [f"{row.benchmark}, {row.subject}{f' beside {row.beside}' if row.beside else ''}: {row.note}" for row in rows if row.note]


def as_data(rows: Iterable[Row]) -> list[dict[str, object]]:
    """Rows as JSON data: seconds, bytes."""
    return [{**asdict(row), "ratio": row.ratio, "cpu_ratio": row.cpu_ratio, "held": row.held} for row in rows]


def show(rows: Sequence[Row], console: Console) -> None:
    console.print(table(rows))
    for line in notes(rows):
        console.print(f"- {line}", markup=False, highlight=False)

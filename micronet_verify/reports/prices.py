"""What a count costs in each regime: for the terminal, and as JSON."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from rich.table import Table

from micronet_verify.counting.count import Count
from micronet_verify.counting.ledger import Ledger
from micronet_verify.counting.score import Score
from micronet_verify.reports.scores import score_data
from micronet_verify.reports.tables import table
from micronet_verify.track.track import Baseline
from micronet_verify.wording.numbers import figure, number, rounded

CLASSES = (("multiply", "multiply class"), ("add", "add class"))


def prices_table(count: Count, baseline: Baseline | None) -> Table:
    """Storage, operations by class and, where there is a baseline, the score; a column per regime."""
    shown = table(["", *count.ledgers], count.ledgers)

    def row(name: str, *values: str) -> None:
        shown.add_row(name, *values)

    ledgers = list(count.ledgers.values())
    row("storage, 32-bit words", *(figure(ledger.storage) for ledger in ledgers))
    row("operations, 32-bit", *(figure(ledger.operations) for ledger in ledgers))
    for operation, name in CLASSES:
        row(f"  {name}", *(figure(_amount(ledger, operation)) for ledger in ledgers))
        row("    as counted", *(figure(ledger.quantity("operations", operation)) for ledger in ledgers))
    if baseline is not None:
        scores = [Score.of(ledger, baseline) for ledger in ledgers]
        row(f"storage / {figure(baseline.parameters)}", *(rounded(score.storage, 6) for score in scores))
        row(f"operations / {figure(baseline.operations)}", *(rounded(score.operations, 6) for score in scores))
        row("score", *(rounded(score.value, 6) for score in scores))
    return shown


def prices_data(count: Count, baseline: Baseline | None) -> dict[str, Any]:
    """JSON data by regime: every number as ``exact`` (numerator/denominator) and ``decimal``."""
    return {regime: _ledger_data(ledger, baseline) for regime, ledger in count.ledgers.items()}


def _ledger_data(ledger: Ledger, baseline: Baseline | None) -> dict[str, Any]:
    data: dict[str, Any] = {"storage": number(ledger.storage), "operations": number(ledger.operations)}
    for operation, _ in CLASSES:
        data[operation] = {"count": number(ledger.quantity("operations", operation)), "priced": number(_amount(ledger, operation))}
    if baseline is not None:
        data |= score_data(ledger, baseline)
    return data


def _amount(ledger: Ledger, operation: str) -> Fraction:
    found = (line.amount for line in ledger.lines if line.axis == "operations" and line.operation == operation)
    return sum(found, Fraction(0))

"""Two entries side by side, layer by layer: which charges differ, and what the difference does to the score."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from rich.console import RenderableType

from micronet_verify.counting.compare import Difference, compare
from micronet_verify.counting.ledger import Ledger
from micronet_verify.reports.tables import safe, table
from micronet_verify.track.track import Baseline
from micronet_verify.wording.numbers import figure, number, rounded


def comparison_table(before: Ledger, after: Ledger, baseline: Baseline | None, top: int | None) -> Iterator[RenderableType]:
    """Totals, then every layer that differs, the largest change of the score (or of its axis) first."""
    for name, one, other in (
        ("Storage", before.storage, after.storage),
        ("Operations", before.operations, after.operations),
    ):
        yield safe(f"{name:<10} {figure(one)} → {figure(other)} ({_signed(other - one)})")
    if baseline is not None:
        scores = [ledger.storage / baseline.parameters + ledger.operations / baseline.operations for ledger in (before, after)]
        yield safe(f"{'Score':<10} {rounded(scores[0], 6)} → {rounded(scores[1], 6)} ({_score(scores[1] - scores[0])}; lower is better)")
    if before.regime != after.regime:
        yield safe(f"The regimes differ ({before.regime} → {after.regime}), so every charge does.")
    found = _by_effect(compare(before, after), baseline)
    if not found:
        yield safe("No layer differs.")
        return
    names = ["layer", "axis", "before", "after", "change", *(["score"] if baseline else [])]
    rows = table(names, ["before", "after", "change", "score"])
    for row in found[:top]:
        cells = [figure(row.before), figure(row.after), _signed(row.change), *([_score(_effect(row, baseline))] if baseline else [])]
        rows.add_row(safe(row.layer or "the whole model"), row.axis, *cells)
    yield rows
    if top is not None and len(found) > top:
        yield safe(f"– and {len(found) - top} more that differ")


def comparison_data(before: Ledger, after: Ledger, baseline: Baseline | None) -> dict[str, Any]:
    """For JSON, exact."""
    return {
        "before": {"regime": before.regime, "storage": number(before.storage), "operations": number(before.operations)},
        "after": {"regime": after.regime, "storage": number(after.storage), "operations": number(after.operations)},
        "layers": [
            {"layer": row.layer, "axis": row.axis, "before": number(row.before), "after": number(row.after), "change": number(row.change)}
            for row in _by_effect(compare(before, after), baseline)
        ],
    }


def _by_effect(rows: tuple[Difference, ...], baseline: Baseline | None) -> list[Difference]:
    return sorted(rows, key=lambda row: (-abs(_effect(row, baseline)), row.axis, row.layer)) if baseline else list(rows)


def _effect(row: Difference, baseline: Baseline | None) -> Fraction:
    if baseline is None:
        return row.change
    return row.change / (baseline.parameters if row.axis == "storage" else baseline.operations)


def _signed(change: Fraction) -> str:
    return ("+" if change > 0 else "") + figure(change)


def _score(change: Fraction) -> str:
    return ("+" if change > 0 else "") + rounded(change, 6)

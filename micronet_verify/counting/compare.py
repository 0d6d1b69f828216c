"""Two ledgers side by side, layer by layer: where the difference between two entries, or two versions of one, lies."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from micronet_verify.counting.ledger import Axis, Ledger


@dataclass(frozen=True, slots=True)
class Difference:
    """One layer and axis: amounts in words or operations before and after (0 where the layer is absent)."""

    layer: str
    axis: Axis
    before: Fraction
    after: Fraction

    @property
    def change(self) -> Fraction:
        return self.after - self.before


def layer_amounts(ledger: Ledger) -> dict[tuple[str, Axis], Fraction]:
    """Amounts summed by module scope; what has no scope goes by its own name."""
    amounts: dict[tuple[str, Axis], Fraction] = {}
    for line in ledger.lines:
        key = (line.scope or line.subject, line.axis)
        amounts[key] = amounts.get(key, Fraction(0)) + line.amount
    return amounts


def compare(before: Ledger, after: Ledger) -> tuple[Difference, ...]:
    """Every layer whose charge differs, largest change first within an axis; the changes sum to the change of the total."""
    one, other = layer_amounts(before), layer_amounts(after)
    rows = [
        Difference(layer, axis, one.get((layer, axis), Fraction(0)), other.get((layer, axis), Fraction(0)))
        for layer, axis in dict.fromkeys([*one, *other])
    ]
    changed = [row for row in rows if row.change]
    return tuple(sorted(changed, key=lambda row: (row.axis, -abs(row.change), row.layer)))

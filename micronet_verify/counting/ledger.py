"""The ledger: one line for every charge, and lines of amount 0 for what was seen and not charged.

The totals are the sums of the lines by construction; nothing else is ever added. Exact until printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

Axis = Literal["storage", "operations"]
Regime = Literal["freebie", "quantized"]


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """``amount`` = ``quantity`` × ``bits`` / 32, in 32-bit words (storage) or 32-bit operations.

    ``subject`` is the tensor or operator, ``scope`` its module, ``formula`` how the quantity comes about, ``rule`` the id
    in COUNTING_RULES, ``note`` why it costs this or nothing. ``quantity`` is a fraction only behind a branch (O13).
    """

    axis: Axis
    rule: str
    subject: str
    scope: str
    quantity: Fraction
    bits: int
    formula: str
    note: str = ""
    operation: str = ""

    @property
    def amount(self) -> Fraction:
        return self.quantity * self.bits / 32


@dataclass(frozen=True)
class Ledger:
    """All lines of one entry under one edition of the rules, in one regime."""

    edition: str
    regime: Regime
    lines: tuple[LedgerLine, ...]

    @cached_property
    def storage(self) -> Fraction:
        """Parameter storage in 32-bit words."""
        return self._totals["storage"]

    @cached_property
    def operations(self) -> Fraction:
        """Math operations per example in 32-bit operations."""
        return self._totals["operations"]

    @cached_property
    def _totals(self) -> dict[Axis, Fraction]:
        """The sums of amounts; whole quantities, which nearly all are, are added as integers."""
        whole: dict[Axis, int] = {"storage": 0, "operations": 0}
        rest: dict[Axis, Fraction] = {"storage": Fraction(0), "operations": Fraction(0)}
        for line in self.lines:
            number, parts = line.quantity.as_integer_ratio()
            if parts == 1:
                whole[line.axis] += number * line.bits
            else:
                rest[line.axis] += line.quantity * line.bits
        return {axis: (whole[axis] + rest[axis]) / 32 for axis in whole}

    def quantity(self, axis: Axis, operation: str = "") -> Fraction:
        """Sum of quantities before any price: operations of one class, or bits-blind stored values and mask bits."""
        return sum((line.quantity for line in self.lines if line.axis == axis and operation in ("", line.operation)), Fraction(0))

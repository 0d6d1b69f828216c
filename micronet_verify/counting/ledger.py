"""The ledger: one line for every charge, and lines of amount 0 for what was seen and not charged.

The totals are the sums of the lines by construction; nothing else is ever added. Exact until printed.
"""

from __future__ import annotations

from collections.abc import Iterable
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
        return _total(line for line in self.lines if line.axis == "storage")

    @cached_property
    def operations(self) -> Fraction:
        """Math operations per example in 32-bit operations."""
        return _total(line for line in self.lines if line.axis == "operations")

    def quantity(self, axis: Axis, operation: str = "") -> Fraction:
        """Sum of quantities before any price: operations of one class, or bits-blind stored values and mask bits."""
        return sum((line.quantity for line in self.lines if line.axis == axis and operation in ("", line.operation)), Fraction(0))


def _total(lines: Iterable[LedgerLine]) -> Fraction:
    """The sum of amounts; whole quantities, which nearly all are, are added as integers."""
    whole, rest = 0, Fraction(0)
    for line in lines:
        if line.quantity.denominator == 1:
            whole += line.quantity.numerator * line.bits
        else:
            rest += line.quantity * line.bits
    return (whole + rest) / 32

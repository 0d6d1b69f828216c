"""One way to store a tensor, as numbers of bits: what a ledger charges, and what an encoding has to fit into."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

FormKind = Literal["plain", "half", "range", "grid", "grid per channel", "grid per block", "codebook", "vectors", "signs of zeros"]


class Extra(NamedTuple):
    """Something that is stored beside values, mask and overhead: ``number`` of it, ``bits`` each, under ``rule``."""

    rule: str
    what: str
    number: int
    bits: int


@dataclass(frozen=True, slots=True)
class Form:
    """One way to store a tensor: ``values`` of ``value_bits`` each, ``mask_bits``, and an ``overhead`` (scales, codebook).

    ``view`` and ``block``: the shape in which zeros come in blocks of this shape. ``mixed``: (bits, values) of the rows of each width,
    where rows have widths of their own; ``value_bits`` is the widest then. ``vector``: values that one index stands for.
    """

    kind: FormKind
    values: int
    value_bits: int
    mask_bits: int = 0
    overhead_count: int = 0
    overhead_bits: int = 0
    zero_point_bits: int = 0
    masked: bool = False
    block: tuple[int, ...] = ()
    view: tuple[int, ...] = ()
    mixed: tuple[tuple[int, int], ...] = ()
    vector: int = 0
    extras: tuple[Extra, ...] = ()

    @property
    def stored_bits(self) -> int:
        """The values alone."""
        return sum(bits * values for bits, values in self.mixed) if self.mixed else self.values * self.value_bits

    @property
    def bits(self) -> int:
        beside = self.mask_bits + self.overhead_count * self.overhead_bits + self.zero_point_bits
        return self.stored_bits + beside + sum(extra.number * extra.bits for extra in self.extras)


@lru_cache
def as_it_stands(values: int, bits: int) -> Form:
    """Every value as it is."""
    return Form("plain", values, bits)

"""The width of a value as an operand (rule O2): a fact about bits, wherever it was found."""

from __future__ import annotations

from dataclasses import dataclass

from micronet_verify.facts.formats import NumericFormat


@dataclass(frozen=True, slots=True)
class Width:
    """Bits of an operand, and whether its sign stands in a bit of its own (O3).

    ``low``, ``high``: the range of its codes less the zero point; ``scale`` tells the scales of codes apart.
    """

    bits: int
    sign: bool
    low: int | None = None
    high: int | None = None
    scale: str = ""


UNWRITTEN = Width(0, True, scale="unwritten")
"""A state before anything was written into it: as narrow as whatever is."""


def format_width(fmt: NumericFormat) -> Width:
    return Width(fmt.bits, fmt.stand_alone_sign)


def widest(operands: list[Width]) -> Width | None:
    """The widest of values that stand side by side; ``None`` for codes of different scales, which make no narrower numbers."""
    operands = [width for width in operands if width is not UNWRITTEN] or operands
    wide = max(operands, key=lambda width: width.bits)
    if len({width.scale for width in operands}) > 1:
        return None
    same = len({(width.low, width.high) for width in operands}) == 1
    return wide if same else Width(wide.bits, all(width.sign for width in operands), scale=wide.scale)

"""Work: what one node makes the machine do, before any price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OperationClass = Literal["multiply", "add"]


@dataclass(frozen=True, slots=True)
class Work:
    """``count`` operations of one class per example.

    ``bits`` is the widest input of each (rule O2), used in the quantized regime; ``formula`` is the count with its
    numbers filled in; ``accumulates`` marks adds of a dot product (rule O12); ``integer`` marks arithmetic of positions
    and indices, whose 64 bits are the frameworks' habit and not a choice.
    """

    rule: str
    operation: OperationClass
    count: int
    bits: int
    formula: str
    accumulates: bool = False
    note: str = ""
    integer: bool = False


def multiplies(rule: str, count: int, bits: int, formula: str, note: str = "") -> Work:
    return Work(rule, "multiply", count, bits, formula, note=note)


def adds(rule: str, count: int, bits: int, formula: str, accumulates: bool = False, note: str = "") -> Work:
    return Work(rule, "add", count, bits, formula, accumulates, note)

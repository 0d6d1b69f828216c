"""A linear layer whose numbers are hidden somewhere, and what of it a count charges."""

from __future__ import annotations

from typing import Any

from micronet_verify.counting.count import Count
from tests.spelling.counted import Plain, random

OUT, IN = 5, 6
W = random(OUT, IN)
# y = W x: a multiply for each weight, one add less in each row
LINEAR = Plain(OUT * IN, OUT * (IN - 1), values=OUT * IN)


def storage_bits(count: Count, regime: Any = "quantized") -> int:
    bits = count.ledgers[regime].storage * 32
    assert bits.denominator == 1
    return int(bits)


def uncharged(count: Count, rule: str) -> set[str]:
    return {line.subject for line in count.ledgers["freebie"].lines if line.rule == rule and line.amount == 0}

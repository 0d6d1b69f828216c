"""How wide a sum must be (rule O12), proved from the integers themselves.

The partial sums of Σ q·x, in whatever order they are taken, lie between the sum of its negative extremes and the sum
of its positive ones; two's complement of that interval cannot overflow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from micronet_verify.analysis.tensors import scan
from micronet_verify.analysis.tensors.constants import Array
from micronet_verify.analysis.tensors.find_grid import row_codes
from micronet_verify.analysis.tensors.measured import Measured


class Bound(NamedTuple):
    """The interval of all partial sums over all rows, and the bits that hold it."""

    low: int
    high: int

    @classmethod
    def of_sums(cls, measured: Measured, low: int, high: int) -> Bound | None:
        """Of each row's codes times activations in [``low``, ``high``]; ``None`` without codes."""
        blocks = codes_of(measured)
        if blocks is None:
            return None
        most = least = 0
        for codes in blocks:
            ups, downs = np.maximum(codes * high, codes * low), np.minimum(codes * high, codes * low)
            most = max(most, int(np.maximum(ups, 0).sum(axis=1).max(initial=0)))
            least = min(least, int(np.minimum(downs, 0).sum(axis=1).min(initial=0)))
        return cls(least, most)

    def __str__(self) -> str:
        return f"[{self.low:,}, {self.high:,}]"

    @property
    def bits(self) -> int:
        return signed_bits(self.low, self.high)


def signed_bits(low: int, high: int) -> int:
    """Bits of two's complement for the integers from ``low`` to ``high`` (unsigned where none is negative)."""
    if low >= 0:
        return max(high.bit_length(), 1)
    return max(high.bit_length(), (-low - 1).bit_length()) + 1


def codes_of(measured: Measured) -> Iterable[Array] | None:
    """The codes of a weight, zero points removed, in blocks of rows [rows, values]; ``None`` without."""
    constant, axes = measured.constant, measured.axes
    if constant.codes is not None:
        rows = scan.row_matrix(constant.codes.load(), axes)
        return (block.astype(np.int64) for _, block in scan.row_blocks(rows))
    return row_codes(constant.load(), constant.format, axes)


def tree_levels(values: int) -> list[int]:
    """Adds on each level of a balanced adder tree over ``values`` products; they sum to ``values`` − 1."""
    levels = []
    while values > 1:
        levels.append(values // 2)
        values -= values // 2
    return levels

"""Floats of 16 bits a value under the freebie (rule S5): 11 bits of mantissa, and a power of two for each tensor.

fp16 itself would overflow and lose small numbers; a power of two a tensor brings its greatest magnitude to where fp16 is finest.
Rounding is done on the bits, in blocks, so that a large tensor has no copy in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
BITS = 11
_BLOCK = 1 << 15
# Explicit bits of the mantissa, by bytes of a value.
_EXPLICIT = {4: 23, 8: 52}
# Powers of two between the greatest and the least number of fp16 that has all 11 bits.
_BINADES = 30


def rounded(array: Array, random: np.random.Generator | None = None, bits: int = BITS) -> Array:
    """A new array, each float32 or float64 rounded to ``bits`` of mantissa: to nearest even or, with ``random``, stochastically.

    Formats of 16 bits and less, and whole numbers, stay as they are. NaN and infinities stay.
    """
    if array.dtype not in (np.float32, np.float64):
        return array.copy()
    found = np.ascontiguousarray(array).reshape(-1).copy()
    drop = _EXPLICIT[found.dtype.itemsize] - (bits - 1)
    unsigned, wide = np.dtype(f"u{found.dtype.itemsize}").type, 8 * found.dtype.itemsize
    keep, half = unsigned((1 << wide) - (1 << drop)), unsigned((1 << (drop - 1)) - 1)
    finest, all_finite = _finest(found, bits)
    least = found.dtype.type(finest * 2.0 ** (bits - 1))
    for start in range(0, found.size, _BLOCK):
        part = found[start : start + _BLOCK]
        raw = part.view(unsigned)
        if random is None:
            new = raw >> unsigned(drop)
            new &= unsigned(1)
            new += half
        else:
            new = random.integers(0, 1 << wide, part.size, dtype=unsigned)
            new >>= unsigned(wide - drop)
        new += raw
        new &= keep
        np.copyto(raw, new, where=True if all_finite else np.isfinite(part))
        sizes = np.abs(part)
        small = np.flatnonzero((sizes < least) & (sizes != 0))
        if small.size:
            steps = part[small] / finest
            part[small] = (np.rint(steps) if random is None else np.floor(steps + random.random(small.size))) * finest
    return found.reshape(array.shape)


def _finest(flat: Array, bits: int) -> tuple[float, bool]:
    """The step between the smallest numbers that a tensor's power of two leaves, and whether all numbers are finite."""
    top, all_finite = max(float(flat.max(initial=0.0)), -float(flat.min(initial=0.0))), True
    if not np.isfinite(top):
        top, all_finite = 0.0, False
        for start in range(0, flat.size, _BLOCK):
            part = np.abs(flat[start : start + _BLOCK])
            top = max(top, float(part.max(initial=0.0, where=np.isfinite(part))))
    _, exponent = np.frexp(top)
    return max(float(np.ldexp(1.0, int(exponent) - _BINADES - (bits - 1))), float(np.finfo(flat.dtype).smallest_subnormal)), all_finite

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
_BLOCK = 1 << 20
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
    unsigned = np.dtype(f"u{found.dtype.itemsize}").type
    low, keep = unsigned((1 << drop) - 1), unsigned(~((1 << drop) - 1) & ((1 << 8 * found.dtype.itemsize) - 1))
    finest = _finest(found, bits)
    for start in range(0, found.size, _BLOCK):
        part = found[start : start + _BLOCK]
        finite = np.isfinite(part)
        raw = part.view(unsigned)
        if random is None:
            new = raw + unsigned((1 << (drop - 1)) - 1) + (raw >> unsigned(drop) & unsigned(1))
        else:
            new = raw + random.integers(0, int(low) + 1, part.size, dtype=unsigned)
        np.copyto(raw, new & keep, where=finite)
        small = np.flatnonzero((np.abs(part) < finest * 2.0 ** (bits - 1)) & (part != 0))
        if small.size:
            steps = part[small] / finest
            part[small] = (np.rint(steps) if random is None else np.floor(steps + random.random(small.size))) * finest
    return found.reshape(array.shape)


def _finest(flat: Array, bits: int) -> float:
    """The step between the smallest numbers that a tensor's power of two leaves."""
    top = 0.0
    for start in range(0, flat.size, _BLOCK):
        part = np.abs(flat[start : start + _BLOCK])
        top = max(top, float(part.max(initial=0.0, where=np.isfinite(part))))
    _, exponent = np.frexp(top)
    return max(float(np.ldexp(1.0, int(exponent) - _BINADES - (bits - 1))), float(np.finfo(flat.dtype).smallest_subnormal))

"""The freebie's numbers: 11 bits of mantissa and the range of fp16, with a power of two for each tensor.

fp16 itself overflows and loses small numbers only because of its range, which a power of two per tensor mends for nothing; what
is charged is 16 bits. Rounding is done on the bits of float32, a block at a time, so that a large table needs no second copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MANTISSA = 11
# Below the largest exponent: fp16 has 30 binades of normal numbers, and its least number is 2^-39 of its largest power of two.
_NORMAL, _LEAST = 29, 39
_DROPPED = 24 - MANTISSA
_BLOCK = 1 << 20


def rounded(array: NDArray[Any], random: np.random.Generator | None = None) -> NDArray[Any]:
    """Floats rounded to nearest (ties to even) or, with ``random``, up or down by chance so that the mean is right. Integers stay."""
    array = np.asarray(array)
    if (array.dtype.kind != "f" and array.dtype.name != "bfloat16") or array.size == 0:
        return array
    flat = np.ascontiguousarray(array, np.float32).reshape(-1)
    out = np.empty(flat.shape, np.float32)
    top = _top(flat)
    for start in range(0, flat.size, _BLOCK):
        out[start : start + _BLOCK] = _block(flat[start : start + _BLOCK], top, random)
    return out.astype(np.float64 if array.dtype == np.float64 else np.float32, copy=False).reshape(array.shape)


def _top(flat: NDArray[np.float32]) -> int:
    """The exponent of the largest finite number."""
    largest = 0.0
    for start in range(0, flat.size, _BLOCK):
        part = np.abs(flat[start : start + _BLOCK])
        if not np.isfinite(part).all():
            part = part[np.isfinite(part)]
        largest = max(largest, float(part.max(initial=0)))
    return int(np.frexp(largest)[1]) - 1


def _block(part: NDArray[np.float32], top: int, random: np.random.Generator | None) -> NDArray[np.float32]:
    bits = part.view(np.uint32).astype(np.uint64)
    if random is None:
        half = (np.uint64(1) << np.uint64(_DROPPED - 1)) - np.uint64(1)
        bits = bits + half + ((bits >> np.uint64(_DROPPED)) & np.uint64(1))
    else:
        bits = bits + random.integers(0, 1 << _DROPPED, bits.size, np.uint64)
    bits &= np.uint64(0xFFFFFFFF ^ ((1 << _DROPPED) - 1))
    found = bits.astype(np.uint32).view(np.float32)
    special = ~np.isfinite(part)
    if special.any():
        found = np.where(special, part, found)
    small = np.abs(part) < np.ldexp(1.0, top - _NORMAL)
    if small.any():
        step = np.ldexp(1.0, top - _LEAST)
        ratio = part[small].astype(np.float64) / step
        whole = np.rint(ratio) if random is None else np.floor(ratio + random.random(ratio.size))
        found[small] = whole * step
    return found

"""What a short look at a tensor rules out, so that weights that nobody quantized are read once.

Each answer is a proof or nothing: ``True`` holds for the whole tensor, ``False`` leaves the question open.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# So many values of a row are looked at; fewer than the least prove too rarely to be worth it.
_LEAST, _MOST = 6, 10
_ROWS = 4
_LEVELS = 4
_HALF_BITS = 11


def on_no_grid(array: Array, axes: tuple[int, ...], tolerance: float, most_bits: int) -> bool:
    """Whether the tensor lies on no grid of ``most_bits``, neither on one nor on one per slice along ``axes``.

    ``tolerance`` is the relative error of a value. One row off every grid is enough.
    """
    if tolerance * 2**most_bits > 1 / 64:
        return False
    if not axes:
        return _off_every_grid(array.flat[:_MOST], tolerance, most_bits)
    for row in range(min(_ROWS, array.shape[axes[0]])):
        place = [0 if axis in axes else slice(None) for axis in range(array.ndim)]
        place[axes[0]] = row
        if _off_every_grid(array[(*place, ...)].flat[:_MOST], tolerance, most_bits):
            return True
    return False


def _off_every_grid(values: Array, tolerance: float, most_bits: int) -> bool:
    """On a grid of scale s every sum and difference of values is an integer times s, and so is every difference of those.

    s is more than the largest magnitude over 2^``most_bits``. A smaller difference is proof, if it is also more than what
    the errors of its values can make of 0.
    """
    if len(values) < _LEAST:
        return False
    some = values.astype(np.float64)
    look = some.tolist()
    top = max(max(look), -min(look))
    if not 1e-300 < top < 1e300:
        return False
    level = some.dot(_pairs(len(look)))
    level.sort()
    level = level[1:] - level[:-1]
    limit, noise = top * 2.0**-most_bits, 4 * top * (tolerance + 2.0**-50)
    for _ in range(_LEVELS):
        level.sort()
        level, noise = level[1:] - level[:-1], 2 * noise
        if np.count_nonzero(level < limit - noise) > np.count_nonzero(level <= noise):
            return True
    return False


@cache
def _pairs(values: int) -> Array:
    """[values, values·(values − 1)]: the sum and the difference of any two values, as a matrix to multiply with."""
    one, (first, second) = np.eye(values), np.triu_indices(values, 1)
    return np.concatenate([one[:, first] + one[:, second], one[:, first] - one[:, second]], axis=1)


def beyond_half(array: Array) -> bool:
    """Whether fp16 does not hold every value: one of the first has more significant bits than it keeps."""
    return any(math.isfinite(value) and math.frexp(value)[0] * 2**_HALF_BITS % 1 != 0 for value in array.flat[:4].tolist())

"""What a short look at a tensor rules out, so that weights that nobody quantized are read once.

Each answer is a proof or nothing: ``True`` holds for the whole tensor, ``False`` leaves the question open.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# So many values of a row are looked at. Fewer than the least leave room for some grid nearly always.
LOOK, _LEAST = 9, 5
_LEVELS = 4
# Significant bits of fp16.
_HALF_BITS = 11


def on_no_grid(array: Array, axes: tuple[int, ...], tolerance: float, most_bits: int) -> bool:
    """Whether the tensor lies on no grid of ``most_bits``, neither on one nor on one per slice along ``axes``.

    ``tolerance`` is the relative error of a value. A row off every grid takes none from the others, but where the first, the
    middle and the last are, no grid is looked for.
    """
    return bool(off_every_grid(looked_at(array, axes), tolerance, most_bits).all())


def looked_rows(rows: int) -> tuple[int, ...]:
    """The rows that tell whether grids are looked for: the first, the middle and the last."""
    return tuple(sorted({0, rows // 2, rows - 1})) if rows > 1 else (0,)


def looked_at(array: Array, axes: tuple[int, ...]) -> Array:
    """[rows, values]: the first values of these slices along ``axes``."""
    if not axes:
        return first_values(array, axes)[None]
    if axes == (0,) and array.flags.c_contiguous:
        rows = array.reshape(len(array), -1)
        return rows[list(looked_rows(len(rows))), :LOOK]
    sizes = [array.shape[axis] for axis in axes]
    places = zip(*np.unravel_index(looked_rows(int(np.prod(sizes))), sizes), strict=True)
    return np.stack([first_values(array, axes, tuple(int(at) for at in place)) for place in places])


def first_values(array: Array, axes: tuple[int, ...], at: tuple[int, ...] = ()) -> Array:
    """The first ``LOOK`` values of the slice ``at`` these places of ``axes`` (none: of the tensor), or all that it has."""
    if not axes:
        return array.flat[:LOOK]
    place: list[int | slice] = [slice(None)] * array.ndim
    for axis, index in zip(axes, at, strict=True):
        place[axis] = index
    return array[(*place, ...)].flat[:LOOK]


def off_every_grid(rows: Array, tolerance: float, most_bits: int) -> NDArray[np.bool_]:
    """For each of ``rows`` [rows, values], whether it lies on no grid of ``most_bits``, whatever its scale.

    On a grid of scale s every sum and difference of two values is an integer times s, and so is every difference of
    those. s is more than the largest magnitude over 2^``most_bits``. So a difference that is smaller is proof, if it is
    also more than what the errors of the values can make of 0.
    """
    found = np.zeros(len(rows), np.bool_)
    if rows.shape[1] < _LEAST or tolerance * 2**most_bits > 1 / 64:
        return found
    values = rows.astype(np.float64)
    top = np.abs(values).max(axis=1, keepdims=True)
    known = (top > 1e-300) & (top < 1e300)
    level = np.where(known, values, 0) @ _pairs(values.shape[1])
    np.divide(level, top, out=level, where=known)
    level.sort(axis=1)
    level = level[:, 1:] - level[:, :-1]
    limit, noise = 2.0**-most_bits, 4 * (tolerance + 2.0**-50)
    left = np.arange(len(rows))
    for _ in range(_LEVELS):
        level.sort(axis=1)
        level, noise = level[:, 1:] - level[:, :-1], 2 * noise
        off = ((level > noise) & (level < limit - noise)).any(axis=1)
        found[left[off]] = True
        if off.all():
            break
        left, level = left[~off], level[~off]
    return found


@cache
def _pairs(values: int) -> Array:
    """[values, values·(values − 1)]: the sum and the difference of any two values, as a matrix to multiply with."""
    one, (first, second) = np.eye(values), np.triu_indices(values, 1)
    return np.concatenate([one[:, first] + one[:, second], one[:, first] - one[:, second]], axis=1)


def beyond_half(values: Array) -> NDArray[np.bool_]:
    """For each value, whether it is a number with more significant bits than fp16 keeps."""
    mantissa, _ = np.frexp(values)
    scaled = mantissa * 2**_HALF_BITS
    found: NDArray[np.bool_] = np.isfinite(values) & (scaled != np.rint(scaled))
    return found

"""Uniform grids: whether values are integers times a scale, and how many bits the integers need.

A tensor lies on a grid if each group of its values (the whole tensor, or one output channel) is q·s for one scale s
and integers q, to within the rounding of the product in the tensor's own format. Groups are reduced by the greatest
common divisor of their integers, so that a grid is the same however it was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis import scan
from micronet_verify.analysis.glance import on_no_grid
from micronet_verify.facts.formats import NumericFormat

Array = NDArray[Any]
# A grid of more bits than this is no quantization: fp16 is cheaper to have.
MOST_BITS = 15
# From so many values of a long row its step is guessed, first from few.
_SAMPLES = (128, 1024)
_MANTISSA = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}


@dataclass(frozen=True, slots=True)
class Grid:
    """Integers from ``low`` to ``high`` (over all groups) times one scale per group.

    ``bits`` store a value; ``sparse_bits`` store a value that is not zero; ``multiply_bits`` is the width of the integer as
    an operand (two's complement where negative). ``sign_only``: every non-zero of a group is ±c, so that multiplying
    flips a sign (rule O3). ``scale_bits`` is the width of one scale; ``zero_point`` whether a code needs an offset.
    """

    groups: int
    low: int
    high: int
    bits: int
    sparse_bits: int
    multiply_bits: int
    scale_bits: int
    sign_only: bool
    zero_point: bool

    @property
    def overhead_bits(self) -> int:
        """Scales, and one offset per group where codes need one."""
        return self.groups * (self.scale_bits + (self.bits if self.zero_point else 0))


def width_of_scales(scales: Array) -> int:
    """Bits of one scale: 8 where all are powers of two (an exponent), 16 where fp16 holds all exactly, else 32."""
    data = np.asarray(scales, dtype=np.float64).reshape(-1)
    data = np.abs(data[data != 0])
    mantissa, _ = np.frexp(data)
    if np.all(mantissa == 0.5):
        return 8
    with np.errstate(over="ignore"):
        half = data.astype(np.float16).astype(np.float64)
    return 16 if np.array_equal(half, data) else 32


def grid_of_codes(codes: Array, scales: Array, axes: tuple[int, ...]) -> Grid | None:
    """The grid of integer ``codes`` ([…], zero point removed) whose groups are the slices along ``axes`` (none: one group)."""
    rows = scan.row_matrix(codes, axes) if axes else codes.reshape(1, -1)
    divisors = _divisors(rows)
    low = high = 0
    for start, block in scan.row_blocks(rows):
        divisor = divisors[start : start + len(block)]
        low = min(low, int((block.min(axis=1, initial=0).astype(np.int64) // divisor).min()))
        high = max(high, int((block.max(axis=1, initial=0).astype(np.int64) // divisor).max()))
    return _grid(len(rows), low, high, np.asarray(scales, np.float64).reshape(-1) * (divisors if scales.size == len(rows) else 1))


def _divisors(rows: Array) -> NDArray[np.int64]:
    """The greatest common divisor of each row of integers; 1 for a row of zeros."""
    found = np.zeros(len(rows), np.int64)
    for columns in (16, 64, 1024, rows.shape[1]):  # a few values settle most rows: no divisor but 1 is left
        some = rows[:, :: max(1, rows.shape[1] // columns)]
        left = np.flatnonzero(found != 1)
        step = max(1, scan.BLOCK // max(1, some.shape[1]))
        for start in range(0, len(left), step):
            at = left[start : start + step]
            found[at] = np.gcd.reduce(some[at].astype(np.int32 if rows.dtype.itemsize < 4 else np.int64), axis=1)
    return np.maximum(found, 1)


def _grid(groups: int, low: int, high: int, scales: Array) -> Grid | None:
    # Codes count from zero: 100, 101 and 102 take seven bits, unless an offset is stored.
    low, high = min(low, 0), max(high, 0)
    levels = (high - low).bit_length()
    signed = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1
    sign_only = high <= 1 and low >= -1
    if levels > MOST_BITS:
        return None
    bits = max(levels, 1)
    zero_point = low < 0 and signed > bits
    # Codes that need an offset multiply as they are stored; the offset's share factors out of the dot product.
    multiply = bits if zero_point or low >= 0 else signed
    # ±1 without 0 in between takes one bit; with zeros masked away, so do −1, 0, +1.
    sparse = 1 if sign_only else bits
    return Grid(groups, low, high, bits, sparse, 1 if sign_only else multiply, width_of_scales(scales), sign_only, zero_point)


def rounding(fmt: NumericFormat) -> float:
    """The relative error of a value of ``fmt`` that is a product rounded."""
    return 2.0 ** -_MANTISSA[fmt.name]


def lies_on_none(array: Array, fmt: NumericFormat, axes: tuple[int, ...]) -> bool:
    """Whether a few values prove that ``find_grid`` finds nothing, neither for the tensor nor for its slices along ``axes``."""
    return fmt.name not in _MANTISSA or on_no_grid(array, axes, rounding(fmt), MOST_BITS)


def find_grid(array: Array, fmt: NumericFormat, axes: tuple[int, ...], factors: Array | None = None) -> Grid | None:
    """The grid on which float values lie, with one scale per slice along ``axes`` (none: one for the tensor), or ``None``.

    ``factors`` multiply the slices, and so their scales.
    """
    if fmt.family != "float" or fmt.name not in _MANTISSA or array.size == 0:
        return None
    tolerance = rounding(fmt)
    rows = scan.row_matrix(array, axes) if axes else scan.flattened(array).reshape(1, -1)
    if not axes:
        return _tensor_grid(rows[0], tolerance)
    low = high = 0
    steps = np.ones(len(rows))
    for start, block in scan.row_blocks(rows):
        if start == 0 and _row_steps(block[:1].astype(np.float64), tolerance) is None:
            return None
        sampled = (_sampled_steps(block, _some(block, columns), tolerance) for columns in _SAMPLES)
        found = next(filter(None, sampled), None) or _row_steps(block.astype(np.float64), tolerance)
        if found is None:
            return None
        step, least, most = found
        steps[start : start + len(block)] = step
        low, high = min(low, least), max(high, most)
        if (high - low).bit_length() > MOST_BITS:
            return None
    return _grid(len(rows), low, high, steps if factors is None else steps * factors)


def spans_as_widely(array: Array, fmt: NumericFormat, axes: tuple[int, ...], whole: Grid) -> bool:
    """Whether grids along ``axes`` would have the integers of the ``whole`` tensor's grid, from its least to its greatest.

    Then they cost as many bits a value, and more scales. Two rows tell, those with the least and the greatest value.
    """
    rows = scan.row_matrix(array, axes)
    ends = [int(rows.min(axis=1).argmin()), int(rows.max(axis=1).argmax())]
    low, high = (find_grid(rows[at : at + 1], fmt, (0,)) for at in ends)
    return low is not None and high is not None and low.low <= whole.low and high.high >= whole.high


def row_codes(array: Array, fmt: NumericFormat, axes: tuple[int, ...]) -> list[tuple[int, Array]] | None:
    """The integers of each row of a tensor that lies on a grid, in blocks of rows; ``None`` where a row has no grid."""
    if fmt.name not in _MANTISSA or array.size == 0:
        return None
    tolerance = rounding(fmt)
    found = []
    for start, block in scan.row_blocks(scan.row_matrix(array, axes)):
        rows = block.astype(np.float64)
        steps = _row_steps(rows, tolerance)
        if steps is None:
            return None
        found.append((start, np.rint(rows / steps[0][:, None]).astype(np.int64)))
    return found


def _tensor_grid(flat: Array, tolerance: float) -> Grid | None:
    if _row_steps(flat[None, :2048].astype(np.float64), tolerance) is None:
        return None
    rows = flat[None, :]
    some = _some(rows, 8192)
    found = _sampled_steps(rows, some, tolerance)
    if found is None and np.count_nonzero(some) > 1024 and _row_steps(some, tolerance) is None:
        return None
    if found is None:
        values = scan.distinct_values(flat)
        if values is None:
            return None
        found = _row_steps(values[None, :].astype(np.float64), tolerance)
    return None if found is None else _grid(1, found[1], found[2], found[0])


def _some(rows: Array, columns: int) -> Array:
    """About ``columns`` values of each row, spread over it."""
    return rows[:, :: max(1, rows.shape[1] // columns)].astype(np.float64)


def _sampled_steps(rows: Array, some: Array, tolerance: float) -> tuple[Array, int, int] | None:
    """As ``_row_steps``, but from ``some`` values of each row, and checked on all. ``None`` where that does not settle it."""
    if rows.shape[1] < 4 * some.shape[1]:
        return None
    found = _row_steps(some, tolerance)
    if found is None or rows[~some.any(axis=1)].any():
        return None
    least, most = np.inf, -np.inf
    width = max(1, scan.BLOCK // 2 // len(rows))
    room = np.empty((2, len(rows) * width), np.float32)
    for start in range(0, rows.shape[1], width):
        codes = _codes(rows[:, start : start + width], found[0][:, None], tolerance, room)
        if codes is None:
            return None
        least, most = min(least, codes.min()), max(most, codes.max())
    if not max(-least, most) <= 2**MOST_BITS:
        return None
    # Some values of a row without a common divisor leave none to all of them, so the step is the whole row's.
    return found[0], int(least), int(most)


def _codes(values: Array, step: Array, tolerance: float, room: Array) -> Array | None:
    """The integers of ``values`` on a grid of ``step``, in ``room``'s first part or new; ``None`` where a value is off it."""
    with np.errstate(all="ignore"):
        if values.dtype == np.float32:
            # Values that are reproduced to the last bit are within the tolerance, which is two such errors wide.
            single = step.astype(np.float32)
            codes: Array
            codes, error = (part[: values.size].reshape(values.shape) for part in room)
            np.rint(np.multiply(values, 1 / single, out=codes), out=codes)
            np.subtract(np.multiply(codes, single, out=error), values, out=error)
            if not error.any():
                return codes
        wide = values.astype(np.float64)
        codes = np.rint(wide / step)
        return codes if bool((np.abs(wide - codes * step) <= np.abs(wide) * tolerance).all()) else None


def _row_steps(rows: Array, tolerance: float) -> tuple[Array, int, int] | None:
    """Per row the scale s of its grid, and the least and the greatest integer over all rows; ``None`` if a row has no grid."""
    if not np.isfinite(rows).all():
        return None
    ordered = np.sort(np.abs(rows), axis=1)
    # The grid passes through zero, so magnitudes and their differences are multiples of the step.
    gaps = ordered.copy()
    gaps[:, 1:] -= ordered[:, :-1]
    top = ordered[:, -1]
    noise = top[:, None] * (2 * tolerance)
    gaps[gaps <= noise] = np.inf
    step = gaps.min(axis=1)
    empty = top == 0
    step[empty] = 1.0
    if not np.isfinite(step).all() or (top / step > 2**MOST_BITS).any():
        return None
    codes = np.rint(rows / step[:, None])
    # The first guess is a difference of rounded numbers; least squares over the whole row removes that error.
    square = (codes * codes).sum(axis=1)
    square[square == 0] = 1
    refined = (rows * codes).sum(axis=1) / square
    refined[empty] = 1.0
    off = np.abs(rows - codes * refined[:, None]) > np.abs(rows) * tolerance
    if off.any():
        divided = _common_step(rows, step, tolerance)
        if divided is None:
            return None
        codes, refined = divided
    gcd = np.maximum(np.gcd.reduce(codes.astype(np.int64), axis=1), 1)
    codes /= gcd[:, None]
    return refined * gcd, int(codes.min()), int(codes.max())


def _common_step(rows: Array, step: Array, tolerance: float) -> tuple[Array, Array] | None:
    """The smallest gap need not be the step itself (3 and 5 have gaps 3, 2): try its first few fractions."""
    codes, refined = np.zeros_like(rows), np.ones(len(rows))
    for index, row in enumerate(rows):
        guesses = np.rint(row / (step[index] / np.arange(1, 9)[:, None]))
        squares = (guesses * guesses).sum(axis=1)
        scales = (row * guesses).sum(axis=1) / np.where(squares == 0, 1, squares)
        scales[squares == 0] = 1.0
        on = (np.abs(row - guesses * scales[:, None]) <= np.abs(row) * tolerance).all(axis=1)
        on &= np.abs(guesses).max(axis=1) < 2**MOST_BITS
        if not on.any():
            return None
        codes[index], refined[index] = guesses[on.argmax()], scales[on.argmax()]
    return codes, refined

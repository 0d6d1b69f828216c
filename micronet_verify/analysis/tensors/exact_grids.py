"""The scale of rows of floats that are integers times one scale: found from the values, and exact or none.

A float is on a grid if the rebuilt product is that very float: the integer times the scale, rounded to the tensor's format (through
fp32, where the format is narrower, as frameworks compute it). What a tolerance would forgive could be read back and hold a second
message, so there is none. Scales are numbers of fp32, or of fp64, which are charged as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.screen import LOOK, off_every_grid
from micronet_verify.facts.formats import NumericFormat, numpy_dtype

Array = NDArray[Any]
# Bits of the integers; more is no quantization: the half-precision formats hold hardly more than that themselves.
MOST_BITS = {"float64": 15, "float32": 15, "float16": 10, "bfloat16": 7}
# Explicit bits of the mantissa.
MANTISSA = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}
# A scale that so many values lie on by chance, of a hundred, is none.
_CHANCE = 2.0**-6
_FEW, _LOOKED_AT = 256, 15
# So many scales are tried; coarse formats cannot tell those next to each other apart before.
_TRIED = {"float64": 4, "float32": 4, "float16": 16, "bfloat16": 64}
# Three times a number of fp32 need be none, so the divisor of a row may have to stay in its integers.
_MULTIPLES = (1, 3, 5, 7)


@dataclass(frozen=True, slots=True)
class Fit:
    """For each row its scale (NaN: it lies on no grid), and its least and greatest integer."""

    steps: Array
    lows: Array
    highs: Array


def rounding(fmt: NumericFormat) -> float:
    """The relative error of a value of ``fmt`` that is a product rounded, twice."""
    return 2.0 ** -MANTISSA[fmt.name]


def product(codes: Array, steps: Array, dtype: Any, divide: bool = False) -> Array:
    """Integers times scales (``divide``: over divisors), rounded to ``dtype``: how a grid is decoded.

    In fp32, or in fp64 where the result or a scale is a number of fp64.
    """
    wide: type = np.float64 if np.dtype(dtype) == np.float64 else np.float32
    with np.errstate(all="ignore"):
        if wide is np.float32 and steps.dtype == np.float64 and not np.array_equal(steps.astype(np.float32), steps, equal_nan=True):
            wide = np.float64
        codes, steps = codes.astype(wide), steps.astype(wide)
        found: Array = (codes / steps if divide else codes * steps).astype(dtype)
    return found


def fit_rows(rows: Array, fmt: NumericFormat, divide: bool = False, searched: dict[int, list[float]] | None = None) -> Fit:
    """The grid of each row [rows, values], alone. ``searched``: by row, scales that may hold it, for who asks again with ``divide``."""
    count = len(rows)
    fit = Fit(np.full(count, np.nan), np.zeros(count, np.int64), np.zeros(count, np.int64))
    wide = rows.astype(np.float64)
    finite = np.isfinite(wide).all(axis=1)
    guesses = np.full(count, np.nan)
    guesses[finite] = _gaps(wide[finite], rounding(fmt), MOST_BITS[fmt.name])
    near = np.flatnonzero(~np.isnan(guesses))
    _settle(fit, rows, wide, near, guesses[near], fmt, divide)
    left = np.flatnonzero(finite & np.isnan(fit.steps))
    left = left[~off_every_grid(wide[left, :LOOK], rounding(fmt), MOST_BITS[fmt.name])]
    searched = {} if searched is None else searched
    for at in left.tolist():
        known = searched.get(at)
        tried: list[float] = []
        for guess in islice(_search(wide[at], rounding(fmt), MOST_BITS[fmt.name]), _TRIED[fmt.name]) if known is None else known:
            _settle(fit, rows, wide, np.array([at]), np.array([guess]), fmt, divide, _MULTIPLES[: 1 if tried else None])
            tried.append(guess)
            if not np.isnan(fit.steps[at]):
                break
        else:
            searched[at] = tried
    return fit


def _settle(
    fit: Fit, rows: Array, wide: Array, at: Array, guesses: Array, fmt: NumericFormat, divide: bool, multiples: tuple[int, ...] = _MULTIPLES
) -> None:
    """Write to ``fit`` the exact scales of the rows ``at`` near ``guesses``, where there are any."""
    most = 2 ** MOST_BITS[fmt.name]
    for multiple in multiples:
        if not at.size:
            return
        codes = np.rint(wide[at] / guesses[:, None])
        divisor = np.maximum(np.gcd.reduce(codes.astype(np.int64), axis=1), 1)
        codes *= (multiple / divisor)[:, None]
        steps = _exact(rows[at], np.abs(wide[at]), codes, fmt, divide)
        steps[np.abs(codes).max(axis=1, initial=0) > most] = np.nan
        found = ~np.isnan(steps)
        fit.steps[at[found]] = steps[found]
        fit.lows[at[found]], fit.highs[at[found]] = codes[found].min(axis=1, initial=0), codes[found].max(axis=1, initial=0)
        at, guesses = at[~found], guesses[~found]


def _exact(rows: Array, magnitudes: Array, codes: Array, fmt: NumericFormat, divide: bool) -> Array:
    """The scale with which the product of each row's ``codes`` is the row, NaN where none is; 1 for a row of zeros."""
    steps = np.full(len(rows), np.nan)
    counts = np.abs(codes)
    used = counts != 0
    steps[~used.any(axis=1) & (magnitudes == 0).all(axis=1)] = 1.0
    _, exponent = np.frexp(magnitudes)
    half = np.ldexp(0.5, np.maximum(exponent - MANTISSA[fmt.name] - 1, np.iinfo(np.int32).min // 2))
    if fmt.name == "float32":
        half = np.maximum(half, 2.0**-150)
    with np.errstate(all="ignore"):
        one, other = (magnitudes - half) / counts, (magnitudes + half) / counts
        if divide:
            one, other = 1 / other, 1 / one
        low = np.where(used, one, 0).max(axis=1)
        high = np.where(used, other, np.inf).min(axis=1)
    open_ = np.isnan(steps) & (low <= high * (1 + 2.0**-50)) & np.isfinite(high) & (high > 0)
    for guess in _candidates(low, high, fmt):
        left = np.flatnonzero(open_ & np.isnan(steps))
        if not left.size:
            break
        left = left[np.isfinite(guess[left]) & (guess[left] > 0)]
        same = (product(codes[left], guess[left, None], rows.dtype, divide) == rows[left]).all(axis=1)
        steps[left[same]] = guess[left[same]]
    return steps


def _candidates(low: Array, high: Array, fmt: NumericFormat) -> Iterator[Array]:
    """Scales between ``low`` and ``high``, the cheap ones first: a power of two, a number of fp16, of fp32, of fp64."""
    with np.errstate(all="ignore"):
        middle = (low + high) / 2
        for cheap in (np.exp2(np.rint(np.log2(middle))), middle.astype(np.float16).astype(np.float64)):
            yield np.where((cheap >= low) & (cheap <= high), cheap, np.nan)
        for dtype in (np.float32, np.float64):
            near = middle.astype(dtype)
            up, down = np.nextafter(near, dtype(np.inf)), np.nextafter(near, dtype(0))
            for guess in (near, up, down, np.nextafter(up, dtype(np.inf)), np.nextafter(down, dtype(0))):
                yield guess.astype(np.float64)
                if dtype is np.float64 and fmt.name != "float64":
                    break


def _gaps(rows: Array, tolerance: float, most_bits: int) -> Array:
    """A scale for each row from the smallest gap between magnitudes, NaN where a value is off it."""
    ordered = np.sort(np.abs(rows), axis=1)
    # The grid passes through zero, so magnitudes and their differences are multiples of the step.
    gaps = ordered.copy()
    gaps[:, 1:] -= ordered[:, :-1]
    top = ordered[:, -1] if rows.shape[1] else np.zeros(len(rows))
    gaps[gaps <= top[:, None] * (2 * tolerance)] = np.inf
    step = gaps.min(axis=1, initial=np.inf)
    step[top == 0] = 1.0
    with np.errstate(all="ignore"):
        step[~(top / step <= 2**most_bits)] = np.nan
        codes = np.rint(rows / step[:, None])
        # The first guess is a difference of rounded numbers; least squares over the whole row removes that error.
        square = (codes * codes).sum(axis=1)
        refined = np.where(top == 0, 1.0, (rows * codes).sum(axis=1) / np.where(square == 0, 1, square))
        off = ~(np.abs(rows - codes * refined[:, None]) <= np.abs(rows) * tolerance).all(axis=1)
    refined[off] = np.nan
    return refined


def _search(row: Array, tolerance: float, most_bits: int) -> Iterator[float]:
    """Scales on which a row may lie, the widest first: the greatest magnitude over 1, 2, 3 …

    Short rows, and rows of few codes or of codes far apart, show no gap of one step. A scale that holds so few values, or such wide
    integers, that chance explains it is left out.
    """
    magnitudes = np.unique(np.abs(row[row != 0]))
    if magnitudes.size < 2:
        yield from magnitudes
        return
    top, others = magnitudes[-1], magnitudes[:-1]
    some = others[np.unique(np.linspace(0, others.size - 1, _LOOKED_AT).astype(int))][::-1]
    slack = 1.01 * tolerance + 1e-15
    for first, last in ((1, _FEW), (_FEW + 1, 2**most_bits)):
        integers = _integers(first, min(last, 2**most_bits), tolerance)
        for value in some:
            codes = integers * (value / top)
            off = np.rint(codes)
            off -= codes
            np.abs(off, out=off)
            codes *= slack
            integers = integers[off <= codes]
            if not integers.size:
                break
        for integer in integers.tolist():
            codes = others * (integer / top)
            chance = np.rint(integer) * float(np.prod(np.minimum(codes * tolerance, 1.0)))
            if chance <= _CHANCE and (np.rint(codes) >= 1).all():
                yield float(top / integer)


@cache
def _integers(first: int, last: int, tolerance: float) -> Array:
    """What the greatest magnitude of a row may be on its grid: the integers from ``first`` to ``last``, and some numbers close to each
    where ``tolerance`` would hide that the others are off it."""
    fine = max(1, int(np.ceil(8 * last * tolerance)))
    shift = (np.arange(fine) - (fine - 1) / 2) / fine * tolerance
    found: Array = (np.arange(first, last + 1)[:, None] / (1 + shift)).reshape(-1)
    return found


def decoded(codes: Array, steps: Array, fmt: NumericFormat, divide: bool = False) -> Array:
    """The values of ``codes`` [rows, values] with a scale for each row, as floats of ``fmt``."""
    return product(codes, steps.reshape(-1, 1), numpy_dtype(fmt), divide)

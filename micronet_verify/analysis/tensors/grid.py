"""Uniform grids: whether values are integers times a scale, and how many bits the integers need.

A tensor lies on a grid if each group of its values (the whole tensor, or one output channel) is q·s for one scale s
and integers q, to the last bit (``analysis/tensors/exact_grids.py``). Groups are reduced by the greatest common divisor of their
integers where that is cheaper, so that a grid is the same however it was written. A group that lies on no grid takes none from the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors import scan
from micronet_verify.analysis.tensors.exact_grids import Fit

Array = NDArray[Any]
# A grid of more bits than this is no quantization: fp16 is cheaper to have.
MOST_BITS = 15
_SCALE_BITS = (8, 16, 32)


@dataclass(frozen=True)
class Grid:
    """Integers from ``low`` to ``high`` (over all groups) times one scale per group.

    ``bits`` store a value; ``sparse_bits`` store a value that is not zero; ``multiply_bits`` is the width of the integer as
    an operand (two's complement where negative). ``sign_only``: every non-zero of a group is ±c, so that multiplying
    flips a sign (rule O3). ``scale_bits`` is the width of one scale; ``zero_point`` whether a code needs an offset.
    ``steps``, ``lows``, ``highs``: of each group its scale (NaN: on no grid) and its least and greatest integer; ``divide``: a
    value is its integer over the scale. The integers are codes of a file over ``divisors`` and times ``multiples``; ``bare``: scales
    without a batch norm's.
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
    steps: Array = field(compare=False, repr=False)
    lows: Array = field(compare=False, repr=False)
    highs: Array = field(compare=False, repr=False)
    divide: bool = field(default=False, compare=False)
    divisors: Array | None = field(default=None, compare=False, repr=False)
    multiples: Array | None = field(default=None, compare=False, repr=False)
    bare: Array | None = field(default=None, compare=False, repr=False)

    @property
    def overhead_bits(self) -> int:
        """Scales, and one offset per group where codes need one."""
        return self.groups * (self.scale_bits + (self.bits if self.zero_point else 0))

    @cached_property
    def whole(self) -> bool:
        """Whether every group lies on its grid."""
        return not bool(np.isnan(self.steps).any())

    def integers(self, array: Array, axes: tuple[int, ...]) -> Array:
        """The integers [groups, values] of the float tensor ``array``; 0 in a group that lies on no grid."""
        rows = scan.row_matrix(array, axes) if axes else array.reshape(1, -1)
        found = np.empty(rows.shape, np.int32)
        steps = self.steps if self.bare is None else self.bare
        steps = np.where(np.isnan(steps), np.inf if not self.divide else 0.0, steps)
        for start, block in scan.row_blocks(rows):
            step = steps[start : start + len(block), None] if steps.size > 1 else steps.reshape(1, 1)
            wide = block.astype(np.float64)
            with np.errstate(all="ignore"):
                wide = np.rint(wide * step if self.divide else wide / step)
            found[start : start + len(block)] = np.where(np.isfinite(wide), wide, 0)
        return found


def width_of_scales(scales: Array) -> int:
    """Bits of one scale: 8 where all are powers of two (an exponent), 16 or 32 where fp16 or fp32 holds all exactly, else 64."""
    data = np.asarray(scales, dtype=np.float64).reshape(-1)
    data = np.abs(data[(data != 0) & ~np.isnan(data)])
    mantissa, exponent = np.frexp(data)
    if np.all(mantissa == 0.5) and np.all((exponent > -128) & (exponent <= 128)):
        return 8
    for bits, dtype in ((16, np.float16), (32, np.float32)):
        with np.errstate(over="ignore", under="ignore"):
            if np.array_equal(data.astype(dtype).astype(np.float64), data):
                return bits
    return 64


def grid_of_codes(codes: Array, scales: Array, axes: tuple[int, ...], factors: Array | None = None) -> Grid | None:
    """The grid of integer ``codes`` ([…], zero point removed) whose groups are the slices along ``axes`` (none: one group).

    ``factors`` multiply the scales, which are rounded to fp32 then.
    """
    rows = scan.row_matrix(codes, axes) if axes else codes.reshape(1, -1)
    divisors = _divisors(rows)
    lows, highs = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    for start, block in scan.row_blocks(rows):
        divisor = divisors[start : start + len(block)]
        lows[start : start + len(block)] = block.min(axis=1, initial=0).astype(np.int64) // divisor
        highs[start : start + len(block)] = block.max(axis=1, initial=0).astype(np.int64) // divisor
    steps = np.asarray(scales, np.float64).reshape(-1)
    if steps.size not in (1, len(rows)):
        # Scales of blocks inside the tensor, which is one group then: one divisor for all.
        divisor = divisors if width_of_scales(steps * divisors) <= width_of_scales(steps) else np.ones(1, np.int64)
        ratio = divisors // divisor
        return _made(Fit(steps * divisor, lows * ratio, highs * ratio), divisors=divisor)
    return cheapest_grid(Fit(steps * divisors, lows, highs), factors, rows.shape[1], divisors=divisors)


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


def _made(
    fit: Fit, factors: Array | None = None, divide: bool = False, divisors: Array | None = None, multiples: Array | None = None
) -> Grid | None:
    """The grid of these scales and integers, ``None`` where the integers are too wide."""
    on = ~np.isnan(fit.steps) if fit.steps.size == fit.lows.size else np.ones(fit.lows.size, np.bool_)
    # Codes count from zero: 100, 101 and 102 take seven bits, unless an offset is stored.
    low, high = min(int(fit.lows[on].min(initial=0)), 0), max(int(fit.highs[on].max(initial=0)), 0)
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
    steps = fit.steps
    if factors is not None:
        with np.errstate(over="ignore", divide="ignore"):
            steps = (steps / factors if divide else steps * factors).astype(np.float32).astype(np.float64)
    return Grid(
        groups=fit.lows.size,
        low=low,
        high=high,
        bits=bits,
        sparse_bits=sparse,
        multiply_bits=1 if sign_only else multiply,
        scale_bits=width_of_scales(steps),
        sign_only=sign_only,
        zero_point=zero_point,
        steps=steps,
        lows=fit.lows,
        highs=fit.highs,
        divide=divide,
        divisors=divisors,
        multiples=multiples,
        bare=fit.steps,
    )


def cheapest_grid(fit: Fit, factors: Array | None, width: int, divide: bool = False, divisors: Array | None = None) -> Grid | None:
    """The grid reduced by the divisors of its rows, or with less of them where narrower scales save more than wider integers cost."""
    found = [_made(fit, factors, divide, divisors)]
    for bits in _SCALE_BITS if factors is None and not divide else ():
        if found[0] is None or bits >= found[0].scale_bits:
            break
        other = _with_scales(fit, bits)
        if other is not None:
            ratio = np.rint(fit.steps / other.steps)
            found.append(_made(other, divisors=divisors, multiples=np.where(np.isnan(ratio), 1, ratio).astype(np.int64)))
    grids = [grid for grid in found if grid is not None]
    return min(grids, key=lambda grid: grid.groups * width * grid.bits + grid.overhead_bits, default=None)


def _with_scales(fit: Fit, bits: int) -> Fit | None:
    """The same values on scales that ``bits`` hold, as odd fractions of the scales found; ``None`` where a row has none."""
    ratios = np.ones(fit.steps.size)
    for at in np.flatnonzero(~np.isnan(fit.steps)):
        step, widest = float(fit.steps[at]), max(-int(fit.lows[at]), int(fit.highs[at]), 1)
        if bits == 8:
            odd = np.frexp(step)[0]
            while odd != np.rint(odd) and odd < 2**MOST_BITS:
                odd *= 2
        else:
            odd = next(
                (part for part in range(1, 16, 2) if step / part * part == step and width_of_scales(np.array([step / part])) <= bits), 0
            )
        if not odd or odd * widest > 2**MOST_BITS or odd != np.rint(odd):
            return None
        ratios[at] = odd
    whole = ratios.astype(np.int64)
    return Fit(fit.steps / ratios, fit.lows * whole, fit.highs * whole)


def with_scale_of_each(grid: Grid, scales: Array) -> Grid:
    """The grid with the scales of blocks inside the tensor."""
    return replace(grid, groups=scales.size, sign_only=False)

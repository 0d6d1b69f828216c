"""Finds the grid on which float values lie: guessed from some of them, checked on all, to the last bit (rules S1, S2)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from micronet_verify.analysis.tensors import scan
from micronet_verify.analysis.tensors.exact_grids import MANTISSA, Fit, fit_rows, product, rounding
from micronet_verify.analysis.tensors.grid import MOST_BITS, Array, Grid, cheapest_grid, width_of_scales
from micronet_verify.analysis.tensors.screen import looked_rows, on_no_grid
from micronet_verify.facts.formats import NumericFormat

# From so many values of a long row its step is guessed, first from few.
_SAMPLES = (128, 1024)


def lies_on_none(array: Array, fmt: NumericFormat, axes: tuple[int, ...]) -> bool:
    """Whether a few values prove that ``find_grid`` finds nothing, neither for the tensor nor for its slices along ``axes``."""
    return fmt.name not in MANTISSA or on_no_grid(array, axes, rounding(fmt), MOST_BITS)


def find_grid(array: Array, fmt: NumericFormat, axes: tuple[int, ...], factors: Array | None = None) -> Grid | None:
    """The grid on which float values lie, with one scale per slice along ``axes`` (none: one for the tensor), or ``None``.

    Half of the slices, and one of the first, the middle and the last, have to lie on grids. ``factors`` multiply the slices,
    and so their scales.
    """
    if fmt.family != "float" or fmt.name not in MANTISSA or array.size == 0:
        return None
    rows = scan.row_matrix(array, axes) if axes else scan.flattened(array).reshape(1, -1)
    divide = _divided(rows, fmt)
    if divide is None:
        return None
    fit = _rows_fit(rows, fmt, divide) if axes else _tensor_fit(rows[0], fmt, divide)
    return None if fit is None else cheapest_grid(fit, factors, rows.shape[1], divide)


def _divided(rows: Array, fmt: NumericFormat) -> bool | None:
    """Whether values are integers over a number, as ``round(w · 127) / 127`` is, and not times one; ``None`` where neither."""
    some = rows[list(looked_rows(len(rows)))][:, : 16 * _SAMPLES[0]]
    found: dict[bool, tuple[int, int, int]] = {}
    searched: dict[int, list[float]] = {}
    for divide in (False, True):
        fit = fit_rows(some, fmt, divide, searched)
        off, wide = int(np.isnan(fit.steps).sum()), width_of_scales(fit.steps) > 32
        found[divide] = off, wide, int((fit.highs - fit.lows).max(initial=0)).bit_length()
        if not off and not wide and found[divide][2] <= 8:
            return divide
    best = min(found, key=lambda divide: found[divide])
    return None if found[best][0] == len(some) else best


def _rows_fit(rows: Array, fmt: NumericFormat, divide: bool) -> Fit | None:
    fit = Fit(np.full(len(rows), np.nan), np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64))
    off = 0
    for start, block in scan.row_blocks(rows):
        part = _block_fit(block, fmt, divide)
        fit.steps[start : start + len(block)] = part.steps
        fit.lows[start : start + len(block)] = part.lows
        fit.highs[start : start + len(block)] = part.highs
        off += int(np.isnan(part.steps).sum())
        if 2 * off > len(rows):
            return None
    return fit


def _block_fit(block: Array, fmt: NumericFormat, divide: bool) -> Fit:
    """The fit of some rows: guessed from some of their values where they are long, and checked on all."""
    left = np.arange(len(block))
    found = Fit(np.full(len(block), np.nan), np.zeros(len(block), np.int64), np.zeros(len(block), np.int64))
    for columns in _SAMPLES:
        if left.size and block.shape[1] >= 4 * columns:
            some = block[left][:, :: max(1, block.shape[1] // columns)]
            left = left[~_checked(found, left, block, fit_rows(some, fmt, divide), fmt, divide)]
    if left.size:
        rest = fit_rows(block[left], fmt, divide)
        found.steps[left], found.lows[left], found.highs[left] = rest.steps, rest.lows, rest.highs
    return found


def _checked(found: Fit, at: Array, block: Array, guess: Fit, fmt: NumericFormat, divide: bool) -> Array:
    """Keeps in ``found`` the guesses for rows ``at`` of ``block`` that hold for all of their values, and says which do."""
    on = ~np.isnan(guess.steps)
    least, most = np.zeros(at.size), np.zeros(at.size)
    step = np.where(on, guess.steps, 1.0)[:, None]
    width = max(1, scan.BLOCK // 2 // max(1, at.size))
    for start in range(0, block.shape[1], width):
        if not on.any():
            break
        values = block[at, start : start + width] if at.size < len(block) else block[:, start : start + width]
        codes = _nearest(values, step, divide)
        on &= (product(codes, step, values.dtype, divide) == values).all(axis=1)
        least, most = np.minimum(least, codes.min(axis=1)), np.maximum(most, codes.max(axis=1))
    on &= np.maximum(-least, most) <= 2**MOST_BITS
    # Some values of a row without a common divisor leave none to all of them, so the step is the whole row's. Zeros say nothing.
    on &= (guess.lows != 0) | (guess.highs != 0) | ((least == 0) & (most == 0))
    found.steps[at[on]], found.lows[at[on]], found.highs[at[on]] = guess.steps[on], least[on], most[on]
    return on


def _nearest(values: Array, step: Array, divide: bool) -> Array:
    wide = values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)
    with np.errstate(all="ignore"):
        factor = (step if divide else 1 / step).astype(wide.dtype)
        found: Array = np.rint(wide * factor)
    return found


def spans_as_widely(array: Array, fmt: NumericFormat, axes: tuple[int, ...], whole: Grid) -> bool:
    """Whether grids along ``axes`` would have the integers of the ``whole`` tensor's grid, from its least to its greatest.

    Then they cost as many bits a value, and more scales. Two rows tell, those with the least and the greatest value.
    """
    rows = scan.row_matrix(array, axes)
    ends = [int(rows.min(axis=1).argmin()), int(rows.max(axis=1).argmax())]
    low, high = (find_grid(rows[at : at + 1], fmt, (0,)) for at in ends)
    return low is not None and high is not None and low.low <= whole.low and high.high >= whole.high


def row_codes(array: Array, fmt: NumericFormat, axes: tuple[int, ...]) -> Iterator[Array] | None:
    """The integers of a tensor that lies on a grid, in blocks of rows; ``None`` where a row has no grid."""
    grid = find_grid(array, fmt, axes)
    if grid is None or not grid.whole:
        return None
    return (block.astype(np.int64) for _, block in scan.row_blocks(grid.integers(array, axes)))


def _tensor_fit(flat: Array, fmt: NumericFormat, divide: bool) -> Fit | None:
    rows = flat[None, :]
    found = Fit(np.full(1, np.nan), np.zeros(1, np.int64), np.zeros(1, np.int64))
    some = rows[:, :: max(1, rows.shape[1] // 8192)]
    if flat.size >= 4 * 8192 and _checked(found, np.array([0]), rows, fit_rows(some, fmt, divide), fmt, divide)[0]:
        return found
    values = scan.distinct_values(flat)
    if values is None:
        return None
    fit = fit_rows(values[None, :].astype(flat.dtype), fmt, divide)
    return None if np.isnan(fit.steps[0]) else fit

"""On which uniform grids the values of a constant lie: found among floats, or declared by the codes of the file (rules S1, S2, O2)."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Literal

import numpy as np

from micronet_verify.analysis.tensors.constants import Array, Codes, Constant
from micronet_verify.analysis.tensors.find_grid import find_grid, lies_on_none, spans_as_widely
from micronet_verify.analysis.tensors.grid import Grid, grid_of_codes, with_scale_of_each

GridKind = Literal["grid", "grid per channel", "grid per block"]
Grids = tuple[tuple[GridKind, Grid | None], ...]
# So many scales of 8 bits cost more than a scale of 32 bits and a zero point of 15.
_ROWS = 6


def row_count(constant: Constant, axes: tuple[int, ...]) -> int:
    """Rows of a constant whose output-channel axes are ``axes``."""
    return prod(constant.shape[axis] for axis in axes)


def grid_axes(constant: Constant, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The axes along which slices may have scales of their own: none where a slice is a single value."""
    return axes if row_count(constant, axes) < constant.numel else ()


def grids_of(constant: Constant, axes: tuple[int, ...]) -> Grids:
    """One grid for the tensor, and one per slice of ``axes`` or per block, as far as there are any."""
    if constant.codes is not None:
        return _declared_grids(constant, axes)
    own = grid_axes(constant, axes)
    if constant.numel <= 1 or constant.format.family != "float":
        return ()
    array = constant.load()
    if lies_on_none(array, constant.format, own):
        return ()
    whole = None if constant.row_scale is not None else find_grid(array, constant.format, ())
    if not own:
        return (("grid", whole),)
    if whole is not None and row_count(constant, axes) >= _ROWS and spans_as_widely(array, constant.format, axes, whole):
        return (("grid", whole),)
    return (("grid", whole), ("grid per channel", find_grid(array, constant.format, axes, _row_factors(constant, axes))))


def _declared_grids(constant: Constant, axes: tuple[int, ...]) -> Grids:
    codes = constant.codes
    assert codes is not None
    data, scales = codes.load(), codes.scales
    one_scale = scales.size == 1 or bool(np.all(scales == scales.reshape(-1)[0]))
    found: list[tuple[GridKind, Grid | None]] = []
    if one_scale and constant.row_scale is None:
        found.append(("grid", grid_of_codes(data, scales.reshape(-1)[:1], ())))
    if codes.block:
        whole = grid_of_codes(data, scales, ())
        found.append(("grid per block", None if whole is None else with_scale_of_each(whole, scales)))
    else:
        own = (codes.axis,) if codes.axis >= 0 else axes
        if own and data.ndim > 1:
            factors = _row_factors(constant, own)
            # A batch norm that went into the weights is in the scales.
            found.append(("grid per channel", grid_of_codes(data, scales, own, factors)))
    return tuple((name, _as_stored(grid, codes)) for name, grid in found)


def _row_factors(constant: Constant, axes: tuple[int, ...]) -> Array | None:
    """The factor of each slice along ``axes``, where a batch norm was folded; NaN (of no narrow format) where they do not match."""
    if constant.row_scale is None:
        return None
    rows = int(np.prod([constant.shape[axis] for axis in axes], dtype=np.int64))
    return constant.row_scale.reshape(-1) if axes == (constant.row_axis,) else np.full(rows, np.nan)


def _as_stored(grid: Grid | None, codes: Codes) -> Grid | None:
    """Codes as the file has them, with a zero point for each group, where codes less their zero points would be wider."""
    if grid is None or codes.zero_points < 2 or grid.bits <= codes.bits:
        return grid
    return replace(grid, bits=codes.bits, sparse_bits=codes.bits, multiply_bits=codes.bits, zero_point=True)

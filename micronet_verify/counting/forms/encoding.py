"""Encodes a tensor in a form: what the form charges, and nothing else (nothing here runs during a count).

Mask bits and kept values, codes with scales and zero points, codebook and indices, each in its charged width.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.exact_grids import product
from micronet_verify.analysis.tensors.grid import Grid, width_of_scales
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.vectors import table_of, vectors_of
from micronet_verify.counting.forms.encoded import Encoded, Part
from micronet_verify.counting.forms.form import Form
from micronet_verify.counting.forms.packing import (
    as_bits,
    blocked,
    codebook_of,
    fit_half,
    from_row_matrix,
    positive,
    row_matrix,
    to_unsigned,
)
from micronet_verify.counting.forms.row_widths import row_widths

Array = NDArray[Any]


class Undecodable(ValueError):
    """A reading of the rules charges less than it takes to rebuild the tensor (masks that are not stored)."""


def encode(measured: Measured, form: Form) -> Encoded:
    """The tensor in ``form``, which has to be one that ``measured`` gave.

    Raises ``Undecodable`` where the form leaves out what decoding needs; ``AssertionError`` where a part is wider than charged.
    """
    constant = measured.constant
    if form.masked and not form.mask_bits:
        raise Undecodable("masks that are not stored")
    if form.extras and form.extras[0].what == "scale":
        measured = measured.before_norm
        scale = np.asarray(constant.row_scale, np.float32).reshape(-1)
        return _with_row_scale(encode(measured, _without_extras(form)), form, constant, scale)
    if form.kind == "vectors":
        table, index = table_of(vectors_of(as_seen(constant), form.view[0], form.vector))
        return Encoded(form, constant, (Part("index", index, form.value_bits),), codebook=table)
    if form.kind.startswith("grid"):
        return _encode_grid(measured, form)
    array = as_seen(constant)
    mask, kept = _kept(array, array != 0, form)
    if form.kind == "codebook":
        entries, index = codebook_of(kept)
        if entries.size > form.overhead_count or (form.overhead_bits < array.dtype.itemsize * 8 and not fit_half(entries)):
            raise AssertionError(f"{entries.size} entries do not fit {form.overhead_count} of {form.overhead_bits} bits")
        book = np.concatenate([entries, np.zeros(form.overhead_count - entries.size, entries.dtype)])
        return Encoded(form, constant, (Part("index", index, form.value_bits),), mask, codebook=book)
    if form.kind == "half":
        kept = kept.astype(np.float16)
    if form.kind == "range" or array.dtype.kind in "iu":
        signed = bool(kept.size and int(kept.min()) < 0)
        low = to_unsigned(kept, form.value_bits)
        return Encoded(form, constant, (Part("value", low, form.value_bits),), mask, signs=signed)
    return Encoded(form, constant, (Part("value", as_bits(kept), form.value_bits),), mask)


def as_seen(constant: Constant) -> Array:
    """The constant's values with the scales of a batch norm, in its own format, and +0 for every zero."""
    array = np.asarray(constant.load())
    if constant.row_scale is not None:
        shape = [1] * array.ndim
        shape[constant.row_axis] = -1
        with np.errstate(over="ignore"):
            array = product(array, np.asarray(constant.row_scale, np.float32).reshape(shape), array.dtype)
    return positive(array)


def _with_row_scale(plain: Encoded, form: Form, constant: Constant, scale: Array) -> Encoded:
    return replace(plain, form=form, constant=constant, row_scale=scale)


def _without_extras(form: Form) -> Form:
    return replace(form, extras=())


def _encode_grid(measured: Measured, form: Form) -> Encoded:
    constant = measured.constant
    grid = measured.grid_of(form.kind)
    axes = measured.group_axes(form.kind)
    if constant.codes is None:
        codes = grid.integers(np.asarray(constant.load()), axes)
    else:
        rows = row_matrix(np.asarray(constant.codes.load()), axes).astype(np.int64)
        divisors, multiples = (np.ones(1, np.int64) if some is None else some for some in (grid.divisors, grid.multiples))
        codes = rows // divisors.reshape(-1, 1) * multiples.reshape(-1, 1)
    if grid.scale_bits < width_of_scales(grid.steps):
        raise AssertionError(f"scales do not fit {grid.scale_bits} bits")
    if form.mixed:
        return _encode_mixed(measured, form, grid, codes, axes)
    zeros = codes == 0
    points = None
    if form.zero_point_bits:
        points = -np.minimum(grid.lows, 0)
        codes = codes + points[:, None]
    full = from_row_matrix(codes, constant.shape, axes)
    mask, kept = _kept(full, ~from_row_matrix(zeros, constant.shape, axes), form)
    kept_zeros = _kept(from_row_matrix(zeros, constant.shape, axes), ~from_row_matrix(zeros, constant.shape, axes), form)[1]
    signs = -1 <= grid.low <= grid.high <= 1 and form.value_bits == 1 and not kept_zeros.any() and points is None
    data = (kept < 0).astype(np.uint8) if signs else to_unsigned(kept, form.value_bits)
    checked = None if points is None else Part("zero point", points, grid.bits).data
    return Encoded(form, constant, (Part("code", data, form.value_bits),), mask, grid, bool(signs), None, checked, axes=axes)


def _encode_mixed(measured: Measured, form: Form, grid: Grid, codes: Array, axes: tuple[int, ...]) -> Encoded:
    constant = measured.constant
    values = row_matrix(as_seen(constant), axes)
    there = values != 0
    widths = row_widths(grid, measured.nonzeros_per_row, values.shape[1], constant.format.bits, form.masked)
    by_width: dict[int, list[Array]] = {bits: [] for bits, _ in form.mixed if bits}
    for row, width in enumerate(widths.tolist()):
        if not width:
            continue
        kept = there[row] if form.masked else np.ones(there.shape[1], np.bool_)
        if np.isnan(grid.steps[row]):
            by_width[width].append(as_bits(values[row, kept]))
        elif width == -1:
            by_width[1].append((codes[row, kept] < 0).astype(np.uint64))
        else:
            by_width[abs(width)].append(to_unsigned(codes[row, kept], abs(width)))
    parts = tuple(Part(f"codes of {bits} bit", np.concatenate(data), bits) for bits, data in by_width.items())
    mask = from_row_matrix(there, constant.shape, axes).reshape(-1) if form.masked else None
    return Encoded(form, constant, parts, mask, grid, widths=widths, axes=axes)


def _kept(array: Array, there: Array, form: Form) -> tuple[Array | None, Array]:
    """(mask, the values that are stored, in order)."""
    if not form.masked:
        return None, array.reshape(-1)
    if not form.block:
        mask: Array = there.reshape(-1)
        return mask, array.reshape(-1)[mask]
    mask = np.asarray(blocked(there.reshape(form.view), form.block).any(axis=1))
    return mask, blocked(array.reshape(form.view), form.block)[mask].reshape(-1)

"""A stored tensor as the bits that the ledger charges, and back: a form that can decode itself.

``encode`` keeps what a ``Form`` charges and nothing else: mask bits and kept values, codes with scales and zero points, codebook and
indices, each in its charged width. What a file format says of a tensor (its shape, its number format, which form it has) stands in the
graph. ``decode`` rebuilds every value to the last bit; zeros come back as +0, because a mask says nothing of their sign. Nothing here
runs during a count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors import scan
from micronet_verify.analysis.tensors.channels import row_widths
from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.exact_grids import product
from micronet_verify.analysis.tensors.forms import Form
from micronet_verify.analysis.tensors.grid import Grid, width_of_scales
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.vectors import from_vectors, table_of, vectors_of
from micronet_verify.facts.formats import numpy_dtype

Array = NDArray[Any]


class Undecodable(ValueError):
    """A reading of the rules charges less than it takes to rebuild the tensor (masks that are not stored)."""


@dataclass(frozen=True, slots=True)
class Part:
    """Numbers of one kind: ``data``, each of which takes ``bits`` as stored."""

    name: str
    data: Array
    bits: int

    def __post_init__(self) -> None:
        if self.data.dtype.kind in "iub" and self.bits < 64 and self.data.size and int(self.data.max()) >= 1 << self.bits:
            raise AssertionError(f"{self.name}: {int(self.data.max())} does not fit {self.bits} bits")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A tensor of ``shape`` in a ``form``. ``values``: the kept values as unsigned integers, by width; ``signs``: an integer is a sign."""

    form: Form
    constant: Constant
    values: tuple[Part, ...]
    mask: Array | None = None
    grid: Grid | None = None
    signs: bool = False
    codebook: Array | None = None
    zero_points: Array | None = None
    row_scale: Array | None = None
    widths: Array | None = None
    axes: tuple[int, ...] = ()

    @property
    def bits(self) -> int:
        """Bits of all parts, which are those that the form charges."""
        form = self.form
        found = sum(part.data.size * part.bits for part in self.values)
        found += 0 if self.mask is None else self.mask.size
        found += 0 if self.codebook is None else self.codebook.size * form.overhead_bits
        if self.grid is not None:
            scales = (
                int((~np.isnan(self.grid.steps)).sum())
                if self.widths is None
                else int(((self.widths != 0) & ~np.isnan(self.grid.steps)).sum())
            )
            found += max(scales, self.form.overhead_count if self.grid.steps.size == 1 else 0) * form.overhead_bits
            found += form.zero_point_bits if self.zero_points is not None else 0
        return found + sum(extra.number * extra.bits for extra in form.extras)

    def decode(self) -> Array:
        """The values in the constant's own format and shape."""
        dtype = numpy_dtype(self.constant.format)
        if self.form.spelling in ("plain", "half", "range"):
            return self._scaled(self._spread(self._raw(dtype), dtype))
        if self.form.spelling == "vectors":
            assert self.codebook is not None
            looked_up = self.codebook[self.values[0].data.astype(np.int64)]
            return positive(np.ascontiguousarray(from_vectors(looked_up, self.constant.shape, self.form.view[0])))
        if self.form.spelling == "codebook":
            assert self.codebook is not None
            kept = self.codebook.astype(dtype)[self.values[0].data.astype(np.int64)]
            return self._scaled(self._spread(kept, dtype))
        return self._from_grid(dtype)

    def _raw(self, dtype: Any) -> Array:
        part = self.values[0]
        if self.form.spelling == "plain":
            return _from_bits(part.data, dtype)
        if self.form.spelling == "half":
            found: Array = _from_bits(part.data, np.dtype(np.float16)).astype(dtype)
            return found
        return _signed(part.data, part.bits, self.signs).astype(dtype)

    def _scaled(self, array: Array) -> Array:
        if self.row_scale is None:
            return array
        shape = [1] * array.ndim
        shape[self.constant.row_axis] = -1
        return positive(product(array, self.row_scale.reshape(shape), array.dtype))

    def _spread(self, kept: Array, dtype: Any) -> Array:
        """Kept values in their places, zeros elsewhere."""
        shape, form = self.constant.shape, self.form
        if self.mask is None:
            return positive(kept.reshape(shape))
        if not form.block:
            found = np.zeros(prod(shape), dtype)
            found[self.mask] = kept
            return positive(found.reshape(shape))
        blocks = np.zeros((self.mask.size, prod(form.block)), dtype)
        blocks[self.mask] = kept.reshape(-1, prod(form.block))
        return positive(_unblocked(blocks, form.view, form.block).reshape(shape))

    def _from_grid(self, dtype: Any) -> Array:
        grid, constant = self.grid, self.constant
        assert grid is not None
        if self.widths is not None:
            return self._from_mixed(grid, dtype)
        part = self.values[0]
        if self.signs:
            kept = 1 - 2 * part.data.astype(np.int32)
        elif self.zero_points is not None or grid.low >= 0:
            kept = part.data.astype(np.int32)
        else:
            kept = _signed(part.data, part.bits, True).astype(np.int32)
        if self.mask is not None:
            kept = self._spread(kept, np.int32)
        codes = _rows(kept.reshape(constant.shape), self._groups)
        if self.zero_points is not None:
            codes = codes - self.zero_points.astype(np.int32)[:, None]
            if self.mask is not None:  # what the mask leaves out has no zero point
                there = _rows(self._spread(np.ones(part.data.size, np.int8), np.int8), self._groups)
                codes = np.where(there != 0, codes, 0)
        if self.form.spelling == "grid per block":
            assert constant.codes is not None
            spread = constant.codes.spread(grid.steps.reshape(constant.codes.scales.shape), constant.shape)
            return positive(product(_from_rows(codes, constant.shape, self._groups), spread, dtype))
        steps = grid.steps.reshape(-1, 1)
        return positive(_from_rows(product(codes, steps, dtype, grid.divide), constant.shape, self._groups))

    def _from_mixed(self, grid: Grid, dtype: Any) -> Array:
        assert self.widths is not None
        constant = self.constant
        found = np.zeros((len(grid.lows), constant.numel // len(grid.lows)), dtype)
        mask = None if self.mask is None else _rows(self.mask.reshape(constant.shape), self._groups)
        by_width = {part.bits: part.data for part in self.values}
        taken = dict.fromkeys(by_width, 0)
        for row, width in enumerate(self.widths.tolist()):
            there = np.ones(found.shape[1], np.bool_) if mask is None else mask[row]
            count, bits = int(there.sum()) if width else 0, abs(width)
            if not count:
                continue
            data = by_width[bits][taken[bits] : taken[bits] + count]
            taken[bits] += count
            step = grid.steps[row]
            if np.isnan(step):
                found[row, there] = _from_bits(data, dtype)
                continue
            kept = 1 - 2 * data.astype(np.int32) if width == -1 else _signed(data, bits, width < 0).astype(np.int32)
            found[row, there] = product(kept, np.array(step), dtype, grid.divide)
        return positive(_from_rows(found, constant.shape, self._groups))

    @property
    def _groups(self) -> tuple[int, ...]:
        return self.axes if self.form.spelling == "grid per channel" else ()


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
    if form.spelling == "vectors":
        table, index = table_of(vectors_of(as_seen(constant), form.view[0], form.vector))
        return Encoded(form, constant, (Part("index", index, form.value_bits),), codebook=table)
    if form.spelling.startswith("grid"):
        return _encode_grid(measured, form)
    array = as_seen(constant)
    mask, kept = _kept(array, array != 0, form)
    if form.spelling == "codebook":
        entries, index = _entries(kept)
        if entries.size > form.overhead_count or (form.overhead_bits < array.dtype.itemsize * 8 and not _narrow(entries)):
            raise AssertionError(f"{entries.size} entries do not fit {form.overhead_count} of {form.overhead_bits} bits")
        book = np.concatenate([entries, np.zeros(form.overhead_count - entries.size, entries.dtype)])
        return Encoded(form, constant, (Part("index", index, form.value_bits),), mask, codebook=book)
    if form.spelling == "half":
        kept = kept.astype(np.float16)
    if form.spelling == "range" or array.dtype.kind in "iu":
        signed = bool(kept.size and int(kept.min()) < 0)
        low = _unsigned(kept, form.value_bits)
        return Encoded(form, constant, (Part("value", low, form.value_bits),), mask, signs=signed)
    return Encoded(form, constant, (Part("value", _bits(kept), form.value_bits),), mask)


# A tensor of more values is looked through before it is copied.
_LARGE = 1 << 22


def as_seen(constant: Constant) -> Array:
    """The constant's values with the scales of a batch norm, in its own format, and +0 for every zero."""
    array = np.asarray(constant.load())
    if constant.row_scale is not None:
        shape = [1] * array.ndim
        shape[constant.row_axis] = -1
        with np.errstate(over="ignore"):
            array = product(array, np.asarray(constant.row_scale, np.float32).reshape(shape), array.dtype)
    return positive(array)


def positive(array: Array) -> Array:
    """The same numbers, with +0 for −0."""
    if array.dtype.kind not in "fV" or (array.size > _LARGE and array.dtype.kind == "f" and scan.without_zeros(array)):
        return array
    found: Array = np.where(array == 0, array.dtype.type(0), array)
    return found


def _with_row_scale(plain: Encoded, form: Form, constant: Constant, scale: Array) -> Encoded:
    return Encoded(form, constant, plain.values, plain.mask, plain.grid, plain.signs, plain.codebook, plain.zero_points, scale)


def _without_extras(form: Form) -> Form:
    return replace(form, extras=())


def _encode_grid(measured: Measured, form: Form) -> Encoded:
    constant = measured.constant
    grid = measured.grid_of(form.spelling)
    axes = measured.group_axes(form.spelling)
    if constant.codes is None:
        codes = grid.integers(np.asarray(constant.load()), axes)
    else:
        rows = _rows(np.asarray(constant.codes.load()), axes).astype(np.int64)
        divisors = np.ones(1, np.int64) if grid.divisors is None else grid.divisors
        codes = rows // divisors.reshape(-1, 1)
    if grid.scale_bits < width_of_scales(grid.steps):
        raise AssertionError(f"scales do not fit {grid.scale_bits} bits")
    if form.mixed:
        return _encode_mixed(measured, form, grid, codes, axes)
    zeros = codes == 0
    points = None
    if form.zero_point_bits:
        points = -np.minimum(grid.lows, 0)
        codes = codes + points[:, None]
    full = _from_rows(codes, constant.shape, axes)
    mask, kept = _kept(full, ~_from_rows(zeros, constant.shape, axes), form)
    kept_zeros = _kept(_from_rows(zeros, constant.shape, axes), ~_from_rows(zeros, constant.shape, axes), form)[1]
    signs = -1 <= grid.low <= grid.high <= 1 and form.value_bits == 1 and not kept_zeros.any() and points is None
    data = (kept < 0).astype(np.uint8) if signs else _unsigned(kept, form.value_bits)
    checked = None if points is None else Part("zero point", points, grid.bits).data
    return Encoded(form, constant, (Part("code", data, form.value_bits),), mask, grid, bool(signs), None, checked, axes=axes)


def _encode_mixed(measured: Measured, form: Form, grid: Grid, codes: Array, axes: tuple[int, ...]) -> Encoded:
    constant = measured.constant
    values = _rows(as_seen(constant), axes)
    there = values != 0
    widths = row_widths(grid, measured.nonzeros_per_row, values.shape[1], constant.format.bits, form.masked)
    by_width: dict[int, list[Array]] = {bits: [] for bits, _ in form.mixed if bits}
    for row, width in enumerate(widths.tolist()):
        if not width:
            continue
        kept = there[row] if form.masked else np.ones(there.shape[1], np.bool_)
        if np.isnan(grid.steps[row]):
            by_width[width].append(_bits(values[row, kept]))
        elif width == -1:
            by_width[1].append((codes[row, kept] < 0).astype(np.uint64))
        else:
            by_width[abs(width)].append(_unsigned(codes[row, kept], abs(width)))
    parts = tuple(Part(f"codes of {bits} bit", np.concatenate(data), bits) for bits, data in by_width.items())
    mask = _from_rows(there, constant.shape, axes).reshape(-1) if form.masked else None
    return Encoded(form, constant, parts, mask, grid, widths=widths, axes=axes)


def _kept(array: Array, there: Array, form: Form) -> tuple[Array | None, Array]:
    """(mask, the values that are stored, in order)."""
    if not form.masked:
        return None, array.reshape(-1)
    if not form.block:
        mask: Array = there.reshape(-1)
        return mask, array.reshape(-1)[mask]
    mask = np.asarray(_blocked(there.reshape(form.view), form.block).any(axis=1))
    return mask, _blocked(array.reshape(form.view), form.block)[mask].reshape(-1)


def _blocked(array: Array, block: tuple[int, ...]) -> Array:
    """[blocks, values of a block]."""
    cut = [part for size, side in zip(array.shape, block, strict=True) for part in (size // side, side)]
    order = (*range(0, len(cut), 2), *range(1, len(cut), 2))
    return array.reshape(cut).transpose(order).reshape(-1, prod(block))


def _unblocked(blocks: Array, view: tuple[int, ...], block: tuple[int, ...]) -> Array:
    counts = [size // side for size, side in zip(view, block, strict=True)]
    rank = len(view)
    order = [axis for pair in zip(range(rank), range(rank, 2 * rank), strict=True) for axis in pair]
    return blocks.reshape(*counts, *block).transpose(order).reshape(view)


def _rows(array: Array, axes: tuple[int, ...]) -> Array:
    return scan.row_matrix(array, axes) if axes else array.reshape(1, -1)


def _from_rows(rows: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """The tensor whose ``row_matrix`` along ``axes`` is ``rows``."""
    order = (*axes, *(axis for axis in range(len(shape)) if axis not in axes))
    return rows.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))


def _entries(kept: Array) -> tuple[Array, Array]:
    """(different values, the index of each); values that differ in a bit are different."""
    if not kept.size:
        return kept, np.zeros(0, np.int64)
    found, index = np.unique(_bits(kept), return_inverse=True)
    return _from_bits(found, kept.dtype), index.reshape(-1)


def _narrow(entries: Array) -> bool:
    with np.errstate(over="ignore"):
        return scan.same_bits(entries.astype(np.float16).astype(entries.dtype), entries)


def _bits(array: Array) -> Array:
    found: Array = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
    return found


def _from_bits(data: Array, dtype: Any) -> Array:
    dtype = np.dtype(dtype)
    found: Array = data.astype(f"u{dtype.itemsize}").view(dtype)
    return found


def _unsigned(values: Array, bits: int) -> Array:
    """Two's complement of ``bits``. Raises ``AssertionError`` where a number does not fit."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if high >= 1 << bits or low < -(1 << max(bits - 1, 0)) or (low < 0 and high >= 1 << (bits - 1)):
        raise AssertionError(f"{low} to {high} do not fit {bits} bits")
    if bits >= 64:
        return values.astype(np.uint64)
    found: Array = (values.astype(np.int64) & ((1 << bits) - 1)).astype(np.uint64)
    return found


def _signed(data: Array, bits: int, signed: bool) -> Array:
    if bits >= 64:
        return data.astype(np.int64) if signed else data
    found = data.astype(np.int64)
    return np.where(found >> (bits - 1) & 1, found - (1 << bits), found) if signed and bits else found

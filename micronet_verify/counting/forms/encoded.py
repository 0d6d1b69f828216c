"""A tensor as the bits that the ledger charges, and the values that they stand for: a form that can decode itself.

What a file format says of a tensor (its shape, its number format, which form it has) stands in the graph. Decoding rebuilds every value
to the last bit; zeros come back as +0, because a mask says nothing of their sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.exact_grids import product
from micronet_verify.analysis.tensors.grid import Grid
from micronet_verify.analysis.tensors.vectors import from_vectors
from micronet_verify.counting.forms.form import Form
from micronet_verify.counting.forms.packing import (
    from_bits,
    from_row_matrix,
    from_unsigned,
    positive,
    row_matrix,
    unblocked,
)
from micronet_verify.facts.formats import numpy_dtype

Array = NDArray[Any]


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
        if self.form.kind in ("plain", "half", "range"):
            return self._scaled(self._spread(self._raw(dtype), dtype))
        if self.form.kind == "vectors":
            assert self.codebook is not None
            looked_up = self.codebook[self.values[0].data.astype(np.int64)]
            return positive(np.ascontiguousarray(from_vectors(looked_up, self.constant.shape, self.form.view[0])))
        if self.form.kind == "codebook":
            assert self.codebook is not None
            kept = self.codebook.astype(dtype)[self.values[0].data.astype(np.int64)]
            return self._scaled(self._spread(kept, dtype))
        return self._from_grid(dtype)

    def _raw(self, dtype: Any) -> Array:
        part = self.values[0]
        if self.form.kind == "plain":
            return from_bits(part.data, dtype)
        if self.form.kind == "half":
            found: Array = from_bits(part.data, np.dtype(np.float16)).astype(dtype)
            return found
        return from_unsigned(part.data, part.bits, self.signs).astype(dtype)

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
        return positive(unblocked(blocks, form.view, form.block).reshape(shape))

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
            kept = from_unsigned(part.data, part.bits, True).astype(np.int32)
        if self.mask is not None:
            kept = self._spread(kept, np.int32)
        codes = row_matrix(kept.reshape(constant.shape), self._groups)
        if self.zero_points is not None:
            codes = codes - self.zero_points.astype(np.int32)[:, None]
            if self.mask is not None:  # what the mask leaves out has no zero point
                there = row_matrix(self._spread(np.ones(part.data.size, np.int8), np.int8), self._groups)
                codes = np.where(there != 0, codes, 0)
        if self.form.kind == "grid per block":
            assert constant.codes is not None
            spread = constant.codes.spread(grid.steps.reshape(constant.codes.scales.shape), constant.shape)
            return positive(product(from_row_matrix(codes, constant.shape, self._groups), spread, dtype))
        steps = grid.steps.reshape(-1, 1)
        return positive(from_row_matrix(product(codes, steps, dtype, grid.divide), constant.shape, self._groups))

    def _from_mixed(self, grid: Grid, dtype: Any) -> Array:
        assert self.widths is not None
        constant = self.constant
        found = np.zeros((len(grid.lows), constant.numel // len(grid.lows)), dtype)
        mask = None if self.mask is None else row_matrix(self.mask.reshape(constant.shape), self._groups)
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
                found[row, there] = from_bits(data, dtype)
                continue
            kept = 1 - 2 * data.astype(np.int32) if width == -1 else from_unsigned(data, bits, width < 0).astype(np.int32)
            found[row, there] = product(kept, np.array(step), dtype, grid.divide)
        return positive(from_row_matrix(found, constant.shape, self._groups))

    @property
    def _groups(self) -> tuple[int, ...]:
        return self.axes if self.form.kind == "grid per channel" else ()

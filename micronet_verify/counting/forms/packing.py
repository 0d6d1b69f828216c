"""Arrays as bits and back: blocks, rows, two's complement, and zeros without a sign."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors import scan

Array = NDArray[Any]
# A tensor of more values is looked through before it is copied.
_LARGE = 1 << 22


def positive(array: Array) -> Array:
    """The same numbers, with +0 for −0."""
    if array.dtype.kind not in "fV" or (array.size > _LARGE and array.dtype.kind == "f" and scan.without_zeros(array)):
        return array
    found: Array = np.where(array == 0, array.dtype.type(0), array)
    return found


def blocked(array: Array, block: tuple[int, ...]) -> Array:
    """[blocks, values of a block]."""
    cut = [part for size, side in zip(array.shape, block, strict=True) for part in (size // side, side)]
    order = (*range(0, len(cut), 2), *range(1, len(cut), 2))
    return array.reshape(cut).transpose(order).reshape(-1, prod(block))


def unblocked(blocks: Array, view: tuple[int, ...], block: tuple[int, ...]) -> Array:
    counts = [size // side for size, side in zip(view, block, strict=True)]
    rank = len(view)
    order = [axis for pair in zip(range(rank), range(rank, 2 * rank), strict=True) for axis in pair]
    return blocks.reshape(*counts, *block).transpose(order).reshape(view)


def row_matrix(array: Array, axes: tuple[int, ...]) -> Array:
    return scan.row_matrix(array, axes) if axes else array.reshape(1, -1)


def from_row_matrix(rows: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """The tensor whose ``row_matrix`` along ``axes`` is ``rows``."""
    order = (*axes, *(axis for axis in range(len(shape)) if axis not in axes))
    return rows.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))


def codebook_of(kept: Array) -> tuple[Array, Array]:
    """(different values, the index of each); values that differ in a bit are different."""
    if not kept.size:
        return kept, np.zeros(0, np.int64)
    found, index = np.unique(as_bits(kept), return_inverse=True)
    return from_bits(found, kept.dtype), index.reshape(-1)


def fit_half(entries: Array) -> bool:
    with np.errstate(over="ignore"):
        return scan.same_bits(entries.astype(np.float16).astype(entries.dtype), entries)


def as_bits(array: Array) -> Array:
    found: Array = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
    return found


def from_bits(data: Array, dtype: Any) -> Array:
    dtype = np.dtype(dtype)
    found: Array = data.astype(f"u{dtype.itemsize}").view(dtype)
    return found


def to_unsigned(values: Array, bits: int) -> Array:
    """Two's complement of ``bits``. Raises ``AssertionError`` where a number does not fit."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if high >= 1 << bits or low < -(1 << max(bits - 1, 0)) or (low < 0 and high >= 1 << (bits - 1)):
        raise AssertionError(f"{low} to {high} do not fit {bits} bits")
    if bits >= 64:
        return values.astype(np.uint64)
    found: Array = (values.astype(np.int64) & ((1 << bits) - 1)).astype(np.uint64)
    return found


def from_unsigned(data: Array, bits: int, signed: bool) -> Array:
    if bits >= 64:
        return data.astype(np.int64) if signed else data
    found = data.astype(np.int64)
    return np.where(found >> (bits - 1) & 1, found - (1 << bits), found) if signed and bits else found

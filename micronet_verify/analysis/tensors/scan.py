"""One pass over a tensor's values: where the zeros are, and how many different numbers there are.

Everything is done in blocks of about a megabyte, so that a tensor of any size is measured in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
BLOCK = 1 << 18
# A piece of which numpy holds a mask beside it in the processor's own memory.
_PIECE = 1 << 16
# More different numbers than this are no codebook: an index would be as wide as a 16-bit value.
MOST_DISTINCT = 1 << 16


def row_matrix(array: Array, axes: tuple[int, ...]) -> Array:
    """The tensor as [rows, values per row]; ``axes`` together index the rows. A view where the layout allows it."""
    rest = tuple(axis for axis in range(array.ndim) if axis not in axes)
    rows = int(np.prod([array.shape[axis] for axis in axes], dtype=np.int64))
    if (*axes, *rest) != tuple(range(array.ndim)):
        array = array.transpose((*axes, *rest))
    return array.reshape(rows, -1)


def row_blocks(matrix: Array) -> Iterator[tuple[int, Array]]:
    """(first row, some rows) of at most about ``BLOCK`` values; a longer row comes alone."""
    step = max(1, BLOCK // max(1, matrix.shape[1]))
    for start in range(0, matrix.shape[0], step):
        yield start, matrix[start : start + step]


def nonzeros_per_row(array: Array, axes: tuple[int, ...]) -> NDArray[np.int64]:
    """Non-zero values of each row (rule O1 counts n per output from them). NaN counts as a value."""
    if array.size == 0:
        return np.zeros(int(np.prod([array.shape[axis] for axis in axes], dtype=np.int64)), np.int64)
    if without_zeros(array):
        rows = prod(array.shape[axis] for axis in axes)
        return full_rows(array.size, rows)
    leading = tuple(range(len(axes)))
    if axes != leading and not array.flags.c_contiguous:
        array = np.ascontiguousarray(array.transpose((*axes, *(a for a in range(array.ndim) if a not in axes))))
        return nonzeros_per_row(array, leading)
    if axes != leading:
        return _over_columns(array, axes)
    matrix = row_matrix(array, axes)
    counts = np.empty(matrix.shape[0], np.int64)
    for start, rows in row_blocks(matrix):
        mask = rows != 0
        if mask.shape[1] > 512:
            for offset, row in enumerate(mask):
                counts[start + offset] = np.count_nonzero(row)
        else:
            counts[start : start + len(mask)] = mask.sum(axis=1, dtype=np.int32)
    return counts


def full_rows(values: int, rows: int) -> NDArray[np.int64]:
    """``values`` shared evenly by ``rows``."""
    counts = np.empty(rows, np.int64)
    counts.fill(values // rows)
    return counts


def without_zeros(array: Array) -> bool:
    """Whether no value is zero; read up to the first piece that has one."""
    flat = flattened(array)
    return not any(np.count_nonzero(flat[start : start + _PIECE] == 0) for start in range(0, flat.size, _PIECE))


def _over_columns(array: Array, axes: tuple[int, ...]) -> NDArray[np.int64]:
    """Rows that lie across memory ([in, out] weights): sum masks in the order of the bytes instead of gathering rows."""
    others = tuple(axis for axis in range(array.ndim) if axis not in axes)
    lead = array.reshape(array.shape[0], -1)
    total = np.zeros([array.shape[axis] for axis in axes], np.int64)
    for start, rows in row_blocks(lead):
        mask = (rows != 0).reshape(len(rows), *array.shape[1:])
        partial = mask.sum(axis=others, dtype=np.int32)
        if 0 in axes:
            total[start : start + len(rows)] += partial
        else:
            total += partial
    # ``sum`` keeps the remaining axes in order, and callers name them in order.
    return total.reshape(-1)


def count_nonzero(array: Array) -> int:
    """Non-zero values of the whole tensor."""
    flat = flattened(array)
    return sum(int(np.count_nonzero(flat[start : start + BLOCK] != 0)) for start in range(0, flat.size, BLOCK))


def flattened(array: Array) -> Array:
    """The values in the order in which they lie in memory, without a copy where possible."""
    if not array.flags.c_contiguous and array.ndim > 1:
        order = np.argsort([-abs(step) for step in array.strides], kind="stable")
        array = array.transpose(order)
    return array.reshape(-1)


def distinct_values(array: Array, most: int = MOST_DISTINCT) -> Array | None:
    """The sorted different values, or ``None`` where there are more than ``most``."""
    flat = flattened(array)
    found = _distinct(flat, most)
    if found is None or array.dtype.kind not in "fV" or not np.isnan(found).any():
        return found
    # Numbers that are none differ in their bits, as others do.
    bits = _distinct((flat + flat.dtype.type(0)).view(f"u{flat.dtype.itemsize}"), most)
    return None if bits is None else bits.view(array.dtype)


def same_bits(one: Array, other: Array) -> bool:
    """Equal to the last bit, but for the signs of zeros."""
    if np.array_equal(one, other):
        return True
    if one.shape != other.shape or one.dtype != other.dtype or one.dtype.kind not in "fV":
        return False
    unsigned = f"u{one.dtype.itemsize}"
    zero = one.dtype.type(0)
    with np.errstate(invalid="ignore"):
        return np.array_equal((one + zero).view(unsigned), (other + zero).view(unsigned))


def repeats(array: Array, look: int = 4096, least: int = 16) -> bool:
    """Whether some of the first values are equal to others, more than by chance: then few different ones make up a tensor."""
    some = flattened(array)[:look]
    return some.size - count_distinct(some)[0] >= min(least, some.size // 2)


def _distinct(flat: Array, most: int) -> Array | None:
    seen = min(flat.size, 4096)
    found = unique(flat[:seen])
    if len(found) == seen < flat.size:
        # Every one of the first is different: a few more than the most settle it for weights nobody quantized.
        seen = min(flat.size, most + most // 4)
        found = unique(flat[:seen])
    for start in range(seen, flat.size, BLOCK):
        if len(found) > most:
            return None
        chunk = flat[start : start + BLOCK]
        if found.size > 64 or not np.isin(chunk, found, kind=None).all():
            found = np.union1d(found, unique(chunk))
    return found if len(found) <= most else None


def count_distinct(values: Array) -> tuple[int, int]:
    """(different values, different values that are not zero)."""
    values = values.reshape(-1)
    if values.dtype.kind not in "fiu" or values.dtype == np.float16:
        found = unique(values)
        return len(found), int(np.count_nonzero(found))
    ordered = np.sort(values)
    if ordered.size and ordered[-1] != ordered[-1]:
        ordered = np.unique(ordered)  # NaN is one value
    first = ordered.searchsorted(0)
    changes = 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1])) if ordered.size else 0
    return changes, changes - bool(first < ordered.size and ordered[first] == 0)


def unique(values: Array) -> Array:
    """The sorted different values; those of fp16 in fp32, because numpy sorts fp16 wrongly where it holds negative zeros."""
    return np.unique(values.astype(np.float32) if values.dtype == np.float16 else values)

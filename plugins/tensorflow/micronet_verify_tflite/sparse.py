"""Sparse constants (``Tensor.sparsity``), written out with their zeros so that the core can measure them.

Format: the TFLite schema's ``SparsityParameters``. Dimensions are stored in ``traversal_order``, those of blocks last; each is
dense, or compressed like the rows of a CSR matrix (segments and indices).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import Problem, Shape, SubmissionFault
from micronet_verify_tflite.flat import Table

Array = NDArray[Any]
Ints = NDArray[np.int64]
# A sparse tensor is charged by its zeros and non-zeros, so it is written out; this bounds what that makes.
DENSEST = 1 << 28
# Entries that are followed on the way; each takes a few whole numbers.
MOST_ENTRIES = 1 << 25
_SPARSE = 1
# Kinds of index lists, by their number in the schema's union.
_LISTS = {1: "int32", 2: "uint16", 3: "uint8"}


def dense(shape: Shape, sparsity: Table, values: Array, where: str) -> Array:
    """The tensor of ``shape`` whose stored values are ``values``. Raises ``SubmissionFault`` for an index that does not fit."""

    def refuse(got: str, should: str) -> SubmissionFault:
        return SubmissionFault(Problem(f"a sparse tensor with {got}", should, where))

    if math.prod(shape) > DENSEST:
        raise refuse(f"{math.prod(shape):,} elements", f"have at most {DENSEST:,}")
    order = sparsity.numbers(0, "int32", 64).tolist()
    blocks = sparsity.numbers(1, "int32", 64).tolist()
    metadata = sparsity.tables(2)
    rank = len(shape)
    if sorted(order) != list(range(rank + len(blocks))) or len(metadata) != len(order) or any(not 0 <= axis < rank for axis in blocks):
        raise refuse(f"the order {order} of {rank} axes and {len(blocks)} block axes", "name each once")
    # Position in the storage so far, and the coordinate on each stored dimension, of every entry.
    place: Ints = np.zeros(1, np.int64)
    coordinates: dict[int, Ints] = {}
    sizes: dict[int, int] = {}
    for axis, table in zip(order, metadata, strict=True):
        if int(table.scalar(0, "b")) == _SPARSE:
            segments, indices = (_indices(table, slot, math.prod(shape) + 2) for slot in (2, 4))
            if axis >= rank:
                raise refuse("blocks that are sparse inside", "have dense blocks")
            fits = segments.size > int(place.max(initial=-1)) + 1 and not (np.diff(segments) < 0).any()
            if not fits or segments[0] < 0 or segments[-1] > indices.size:
                raise refuse("segments that do not fit", "ascend within the indices, one more than there are rows")
            counts = segments[place + 1] - segments[place]
            rows = np.repeat(np.arange(place.size), counts)
            place = segments[place][rows] + np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
            found = indices[place]
        else:
            size = int(table.scalar(1, "i"))
            if size < 1 or place.size * size > MOST_ENTRIES:
                raise refuse(f"a dimension of {size}", "have a size of at least 1 that fits")
            rows, found = np.repeat(np.arange(place.size), size), np.tile(np.arange(size), place.size)
            place, sizes[axis] = place[rows] * size + found, size
        coordinates = {key: kept[rows] for key, kept in coordinates.items()} | {axis: found}
    target = [coordinates[axis] for axis in range(rank)]
    for index, axis in enumerate(blocks):
        target[axis] = target[axis] * sizes[rank + index] + coordinates[rank + index]
    if any(((place < 0) | (place >= size)).any() for place, size in zip(target, shape, strict=True)):
        raise refuse("an index outside of it", f"lie within {shape}")
    if place.size and int(place.max()) >= values.size:
        raise refuse(f"{values.size:,} stored values", f"have at least {int(place.max()) + 1:,}")
    out = np.zeros(shape, values.dtype)
    out[tuple(target)] = values[place]
    return out


def _indices(table: Table, slot: int, most: int) -> Ints:
    """One of the three kinds of index lists: the union's type in ``slot``, its table in the next."""
    kind, inner = int(table.scalar(slot, "B")), table.table(slot + 1)
    if kind not in _LISTS or inner is None:
        return np.zeros(0, np.int64)
    return np.asarray(inner.numbers(0, _LISTS[kind], most), np.int64)

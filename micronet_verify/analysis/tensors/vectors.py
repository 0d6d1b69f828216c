"""Codebooks of vectors (product quantization): neighbours along an axis, or whole kernels, that come from one table (rule S8).

A tensor that was looked up in a table of K vectors of d values is K·d values and an index of ⌈log₂ K⌉ bits for every d values, however the
look-up was spelled. Vectors have to be far fewer than their values could make: at most a quarter of the places, and of the combinations.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_LENGTHS = (2, 3, 4, 8, 16, 32)
_SAMPLE = 1 << 14
KERNEL = -1


def vectors_of(array: Array, axis: int, length: int) -> Array:
    """[vectors, length]: neighbours along ``axis``; ``KERNEL``: of the last axes, which are ``length`` values together."""
    return (array if axis == KERNEL else np.moveaxis(array, axis, -1)).reshape(-1, length)


def from_vectors(vectors: Array, shape: tuple[int, ...], axis: int) -> Array:
    """The tensor of these vectors."""
    if axis == KERNEL:
        return vectors.reshape(shape)
    moved = (*shape[:axis], *shape[axis + 1 :], shape[axis])
    return np.moveaxis(vectors.reshape(moved), -1, axis)


def table_of(vectors: Array) -> tuple[Array, Array]:
    """(the different vectors by their bits, the index of each)."""
    raw = np.ascontiguousarray(vectors + vectors.dtype.type(0))
    rows = raw.view(np.dtype((np.void, raw.dtype.itemsize * raw.shape[1]))).reshape(-1)
    _, first, index = np.unique(rows, return_index=True, return_inverse=True)
    return raw[first], index.reshape(-1)


def vector_tables(array: Array, distinct: int) -> Iterator[tuple[int, int, int]]:
    """(axis, values of a vector, vectors in the table) of each way to read ``array`` as vectors of a table.

    ``distinct``: how many different values there are.
    """
    for axis, length in _cuts(array.shape):
        most = min(array.size // length, distinct**length) // 4
        if most < 1 or not _worth_it(array, axis, length, distinct):
            continue
        table = len(table_of(vectors_of(array, axis, length))[0])
        if table <= most:
            yield axis, length, table


def may_be_vectors(array: Array) -> bool:
    """Whether a few values leave it open that the tensor is made of vectors of a table."""
    return any(_worth_it(array, axis, length, 0) for axis, length in _cuts(array.shape))


def _cuts(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    if prod(shape) < 64:
        return
    for axis, size in enumerate(shape):
        yield from ((axis, length) for length in _LENGTHS if size % length == 0)
    if len(shape) > 2 and prod(shape[2:]) not in (1, shape[-1]):
        yield KERNEL, prod(shape[2:])


def _worth_it(array: Array, axis: int, length: int, distinct: int) -> bool:
    """Whether half of the first vectors have been seen before."""
    rows = max(1, _SAMPLE * len(array) // array.size)
    rows = rows if axis != 0 else max(length, rows - rows % length)
    vectors = vectors_of(array[:rows], axis, length)[: _SAMPLE // length]
    found = len(table_of(vectors)[0])
    return 2 * found <= min(len(vectors), distinct**length if distinct else len(vectors))

"""Block structure of zeros: one mask bit may stand for a whole block (rule S3).

A block shape divides the tensor. A block whose values are all zero is left out; every other block is stored whole,
zeros included. For tensors of up to ``EXHAUSTIVE`` values every dividing shape of the [rows, columns] matrix and of the
tensor's own axes is tried; for larger ones only the shapes that lose nothing (no zero inside a kept block).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
EXHAUSTIVE = 1 << 21
# More shapes than this are not worth a search; real block pruning uses a handful of sizes.
MOST_SHAPES = 256


@dataclass(frozen=True, slots=True)
class Blocks:
    """The tensor seen as ``view``, cut into blocks of ``shape``: ``blocks`` mask bits, ``kept`` blocks stored whole."""

    view: tuple[int, ...]
    shape: tuple[int, ...]
    blocks: int
    kept: int

    @property
    def values(self) -> int:
        """Stored values."""
        return self.kept * prod(self.shape)

    def bits(self, value_bits: int) -> int:
        return self.values * value_bits + self.blocks


def best_blocks(array: NDArray[Any], value_bits: int) -> Blocks:
    """The block shape with the fewest bits for ``value_bits``-bit values; single elements where nothing is better."""
    mask: Mask = np.asarray(array != 0)
    best = Blocks(tuple(mask.shape), (1,) * mask.ndim, mask.size, int(np.count_nonzero(mask)))
    zeros = mask.size - best.kept
    # A block left out holds at least its size in zeros, so z zeros allow no blocks larger than z, nor save more than z values.
    if zeros * zeros * value_bits <= mask.size:
        return best
    views = [mask]
    if mask.ndim > 2:
        views.append(mask.reshape(mask.shape[0], -1))
    for view in views:
        search = _every_shape if view.size <= EXHAUSTIVE else _lossless
        found = search(view, value_bits)
        if found.bits(value_bits) < best.bits(value_bits):
            best = found
    return best


def _every_shape(mask: Mask, value_bits: int) -> Blocks:
    best = _lossless(mask, value_bits)
    shapes: list[tuple[int, ...]] = [()]
    for size in mask.shape:
        shapes = [(*shape, divisor) for shape in shapes for divisor in _divisors(size)]
        if len(shapes) > MOST_SHAPES:
            return best
    for shape in shapes:
        kept = _kept(mask, shape)
        found = Blocks(tuple(mask.shape), shape, mask.size // prod(shape), kept)
        if found.bits(value_bits) < best.bits(value_bits):
            best = found
    return best


def _lossless(mask: Mask, value_bits: int) -> Blocks:
    """Along each axis the longest aligned run in which the mask never changes; runs of several axes combine freely."""
    shape = tuple(_longest_run(mask, axis) for axis in range(mask.ndim))
    return Blocks(tuple(mask.shape), shape, mask.size // prod(shape), _kept(mask, shape))


def _longest_run(mask: Mask, axis: int) -> int:
    run = 1
    view = np.moveaxis(mask, axis, 0)
    improved = True
    while improved:
        improved = False
        # ``view`` holds one row per run found so far; join neighbours by each prime that still divides.
        for prime in _primes(view.shape[0]):
            joined = view.reshape(view.shape[0] // prime, prime, *view.shape[1:])
            if all(np.array_equal(joined[:, 0], joined[:, part]) for part in range(1, prime)):
                view, run, improved = joined[:, 0], run * prime, True
                break
    return run


def _kept(mask: Mask, shape: tuple[int, ...]) -> int:
    cut: list[int] = []
    for size, block in zip(mask.shape, shape, strict=True):
        cut += [size // block, block]
    return int(np.count_nonzero(mask.reshape(cut).any(axis=tuple(range(1, len(cut), 2)))))


def _divisors(size: int) -> list[int]:
    return [divisor for divisor in range(1, size + 1) if size % divisor == 0] if size <= 8192 else [1]


def _primes(size: int) -> list[int]:
    return [prime for prime in (2, 3, 5, 7, 11, 13) if size % prime == 0]

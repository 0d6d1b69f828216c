"""Block structure of zeros: one mask bit may stand for a whole block (rule S3).

A block shape divides the tensor. A block whose values are all zero is left out; every other block is stored whole,
zeros included. For tensors of up to ``EXHAUSTIVE`` values every dividing shape of the [rows, columns] matrix and of the
tensor's own axes is tried; for larger ones only the shapes that lose nothing (no zero inside a kept block).

Zeros have to *be* in blocks (S3): blocks of at least four values, and no zero outside of whole blocks; or so few blocks kept that zeros
strewn about would leave half as many more, of at least 256 (codes of a block that is kept may be 0). Small blocks that zeros happen to fill
are no structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.scan import BLOCK

Mask = NDArray[np.bool_]
EXHAUSTIVE = 1 << 21
# More shapes than this are not worth a search; real block pruning uses a handful of sizes.
MOST_SHAPES = 256
_LOOK = 8
# Values of a block, and blocks that make a structure in which kept blocks hold zeros.
LEAST, _ENOUGH = 4, 256


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


def lossless_blocks(array: NDArray[Any], nonzeros: int) -> tuple[Blocks, ...]:
    """Single elements, and for each view of the tensor its largest blocks that are zero or not as a whole.

    ``nonzeros``: how many of the values are not zero.
    """
    single = Blocks(tuple(array.shape), (1,) * array.ndim, array.size, nonzeros)
    if array.ndim == 0 or array.size == 0:
        return (single, single)
    run, thin = _run(array, 0)
    found = []
    for view, rest in zip(_views(array), _views(thin), strict=True):
        # Runs of several axes combine freely, so each axis is looked at with one slice per run of those before.
        shape = [run]
        for axis in range(1, view.ndim):
            length, rest = _run(rest, axis)
            shape.append(length)
        kept = nonzeros if rest.size == array.size else int(np.count_nonzero(rest))
        found.append(Blocks(tuple(view.shape), tuple(shape), rest.size, kept))
    return (single, *found)


def may_pay(size: int, nonzeros: int, value_bits: int) -> bool:
    """A block left out holds at least its size in zeros, so z zeros allow no blocks larger than z, nor save more than z values."""
    return (size - nonzeros) ** 2 * value_bits > size


def best_blocks(array: NDArray[Any], value_bits: int, lossless: tuple[Blocks, ...]) -> Blocks:
    """The block shape with the fewest bits for ``value_bits``-bit values; single elements where nothing is better."""
    single, *found = lossless
    found = [blocks if is_structure(blocks, single.kept) else single for blocks in found]
    if array.size <= EXHAUSTIVE:
        found = [_every_shape(view != 0, value_bits, best, single.kept) for view, best in zip(_views(array), found, strict=True)]
    return min((single, *found), key=lambda blocks: blocks.bits(value_bits))


def is_structure(blocks: Blocks, nonzeros: int) -> bool:
    """Whether zeros are in these blocks, and not only happen to fill some."""
    size, block = prod(blocks.view), prod(blocks.shape)
    if block < LEAST or blocks.values == nonzeros:
        return block >= LEAST
    by_chance = blocks.blocks * (1 - (1 - nonzeros / size) ** block)
    return blocks.blocks >= _ENOUGH and 3 * blocks.kept <= 2 * by_chance


def _views(array: NDArray[Any]) -> list[NDArray[Any]]:
    return [array] if array.ndim <= 2 else [array, array.reshape(array.shape[0], -1)]


def _every_shape(mask: Mask, value_bits: int, best: Blocks, nonzeros: int) -> Blocks:
    """``best``, or the first of the shapes with fewer bits; a mask has at most ``MOST_SHAPES`` shapes or is not searched."""
    divisors = [_divisors(size) for size in mask.shape]
    if prod(map(len, divisors)) > MOST_SHAPES:
        return best

    def search(joined: Mask, shape: tuple[int, ...]) -> None:
        """All shapes that begin with ``shape``; ``joined`` says which blocks of ``shape`` are kept."""
        nonlocal best
        axis = len(shape)
        if axis == mask.ndim:
            found = Blocks(tuple(mask.shape), shape, joined.size, int(np.count_nonzero(joined)))
            if found.bits(value_bits) < best.bits(value_bits) and is_structure(found, nonzeros):
                best = found
            return
        made: dict[int, Mask] = {}
        for size in divisors[axis]:
            factor = _smallest_factor(size)
            if size // factor in made or size == 1:
                part = joined if size == 1 else _joined(made[size // factor], axis, factor)
                # Larger blocks keep at least the values of those that they consist of.
                if int(np.count_nonzero(part)) * prod((*shape, size)) * value_bits < best.bits(value_bits):
                    made[size] = part
                    search(part, (*shape, size))

    search(mask, ())
    return best


def _joined(mask: Mask, axis: int, factor: int) -> Mask:
    """Neighbours along ``axis`` joined by ``factor``: kept where one of them is."""
    place = (slice(None),) * axis
    found: Mask = mask[(*place, slice(0, None, factor))].copy()
    for start in range(1, factor):
        found |= mask[(*place, slice(start, None, factor))]
    return found


def _run(array: NDArray[Any], axis: int) -> tuple[int, NDArray[Any]]:
    """The longest aligned run along ``axis`` in which zeros never change, and where one slice per run is not zero."""
    run = 1
    while prime := next((prime for prime in _primes(array.shape[axis]) if _alike(array, axis, prime)), 0):
        array, run = _mask(array[(*(slice(None),) * axis, slice(None, None, prime))]), run * prime
    return run, array


def _alike(array: NDArray[Any], axis: int, prime: int) -> bool:
    """Whether along ``axis`` the slices of each aligned group of ``prime`` have their zeros in the same places."""
    parts = [array[(*(slice(None),) * axis, slice(part, None, prime))] for part in range(prime)]
    everywhere = (slice(None),) * array.ndim
    # Most structures that are not there are seen not to be at a few places.
    few = tuple(slice(None, None, max(1, size // _LOOK)) for size in parts[0].shape)
    return all(_same_zeros(parts[0][at], part[at]) for at in (few, everywhere) for part in parts[1:])


def _same_zeros(one: NDArray[Any], other: NDArray[Any]) -> bool:
    step = max(1, BLOCK * len(one) // max(1, one.size))
    return all(np.array_equal(_mask(one[at : at + step]), _mask(other[at : at + step])) for at in range(0, len(one), step))


def _mask(array: NDArray[Any]) -> Mask:
    """Where values are not zero, side by side in memory."""
    return np.ascontiguousarray(array) if array.dtype == np.bool_ else array != 0


def _divisors(size: int) -> list[int]:
    return [divisor for divisor in range(1, size + 1) if size % divisor == 0] if size <= 8192 else [1]


def _smallest_factor(size: int) -> int:
    return next((factor for factor in range(2, size) if size % factor == 0), size)


def _primes(size: int) -> list[int]:
    return [prime for prime in (2, 3, 5, 7, 11, 13) if size % prime == 0]

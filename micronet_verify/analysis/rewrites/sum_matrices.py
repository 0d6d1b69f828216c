"""The matrix of a sum of parts of one tensor (rule O18), as small as what it says: axes that it leaves alone are not in it.

An axis of the result that runs along an axis of the source in every term is *common*: the same sum for each of its places.
One that runs along it in steps, at places that shift with the term, is *steady*: a kernel that slides, as in a convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.graph import Shape

Numbers = NDArray[np.int64]
Factors = NDArray[np.float64]
_MOST = 1 << 24


class Entries(NamedTuple):
    """Element ``rows[i]`` of a result takes element ``columns[i]`` of the source, times ``factors[i]``."""

    rows: Numbers
    columns: Numbers
    factors: Factors


class Tap(NamedTuple):
    """A kernel of ``size`` along an axis, from ``start``, at ``positions`` places ``stride`` apart."""

    start: int
    size: int
    stride: int
    positions: int


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """``weights`` [rows, taken, *taps]; ``taken`` are the elements of the source's axes that are neither common nor steady.

    ``source_perm`` brings the source to [common, taken, steady] axes; the product is [*row_shape, *common, *steady], which
    ``result_perm`` brings to the order of the result.
    """

    weights: Factors
    row_shape: Shape
    source_perm: tuple[int, ...]
    common_shape: Shape
    steady_axes: tuple[int, ...]
    taps: tuple[Tap, ...]
    result_perm: tuple[int, ...]

    @property
    def rows(self) -> int:
        return int(self.weights.shape[0])

    @property
    def layout(self) -> tuple[object, ...]:
        """What matrices have in common whose rows can be written as one."""
        return self.source_perm, self.common_shape, self.steady_axes, self.taps

    @property
    def is_regular(self) -> bool:
        """Whether a slice and a reduction say the same: one row, all factors alike, of parts in steady steps along each axis."""
        if self.rows > 1:
            return False
        places = np.nonzero(self.weights[0])
        factors = self.weights[0][places]
        if not factors.size or (factors != factors[0]).any():
            return not factors.size
        lengths = [np.unique(axis) for axis in places]
        steady = all(len(found) < 3 or len(np.unique(np.diff(found))) == 1 for found in lengths)
        return steady and prod(len(found) for found in lengths) == factors.size


def merged(parts: Sequence[tuple[Entries, float]]) -> Entries:
    """The entries of several terms, each with its factor; equal places are added."""
    rows, columns = (np.concatenate([entries[at] for entries, _ in parts]).astype(np.int64) for at in (0, 1))
    factors = np.concatenate([entries.factors * factor for entries, factor in parts])
    order = np.lexsort((columns, rows))
    rows, columns, factors = rows[order], columns[order], factors[order]
    begins = np.flatnonzero(np.concatenate([[True], (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])])) if len(rows) else rows
    sums = np.add.reduceat(factors, begins) if len(rows) else factors
    kept = sums != 0
    return Entries(rows[begins][kept], columns[begins][kept], sums[kept])


def composed(outer: Entries, inner: Entries) -> Entries:
    """Sums of elements that are sums themselves: ``outer`` takes elements of what ``inner`` makes."""
    order = np.argsort(inner.rows, kind="stable")
    rows, columns, factors = inner.rows[order], inner.columns[order], inner.factors[order]
    begins = np.searchsorted(rows, outer.columns, "left")
    counts = np.searchsorted(rows, outer.columns, "right") - begins
    each = np.repeat(np.arange(len(outer.rows)), counts)
    places = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + begins[each]
    return Entries(outer.rows[each], columns[places], outer.factors[each] * factors[places])


def are_steady(matrices: Sequence[Matrix]) -> bool:
    """Whether one of the rows tells the others, as in a pooling: all are the first one, moved on by as much each time."""
    places = [np.flatnonzero(matrix.weights[0]) for matrix in matrices]
    if len({len(found) for found in places}) > 1:
        return False
    steps = np.diff(np.stack(places), axis=0)
    return bool((steps == steps[:1, :1]).all()) if len(steps) else True


def matrix_of(entries: Entries, result: Shape, source: Shape) -> Matrix | None:
    """The matrix of ``entries`` between a result and a source of these shapes; ``None`` for nothing, or one that is too large."""
    if not len(entries.rows):
        return None
    shape = _refined(entries, result, source)
    at = np.stack(np.unravel_index(entries.rows, shape)) if shape else np.zeros((0, len(entries.rows)), np.int64)
    of = np.stack(np.unravel_index(entries.columns, source)) if source else np.zeros((0, len(entries.rows)), np.int64)
    factors, taps, common, steady = entries.factors, dict[int, Tap](), dict[int, int](), dict[int, int]()
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        for other, extent in enumerate(source):
            if other in common.values() or other in steady.values():
                continue
            if extent == size and np.array_equal(at[axis], of[other]) and _is_alike(at, of, factors, axis, other, 1, shape, source):
                common[axis] = other
                break
        else:
            for other in range(len(source)):
                if other in common.values() or other in steady.values():
                    continue
                stride = _stride(at[axis], of[other])
                if stride and _is_alike(at, of, factors, axis, other, stride, shape, source):
                    shifts = of[other] - stride * at[axis]
                    taps[axis] = Tap(int(shifts.min()), int(np.ptp(shifts)) + 1, stride, size)
                    steady[axis] = other
                    break
    first = np.ones(len(factors), np.bool_)
    for axis in (*common, *steady):
        first &= at[axis] == 0
    rows = [axis for axis in range(len(shape)) if axis not in common and axis not in steady]
    taken = [axis for axis in range(len(source)) if axis not in common.values() and axis not in steady.values()]
    row_shape, sizes = tuple(shape[axis] for axis in rows), [source[axis] for axis in taken]
    dense = (prod(row_shape), prod(sizes), *(taps[axis].size for axis in steady))
    if prod(dense) > _MOST:
        return None
    row = _flat([at[axis][first] for axis in rows], list(row_shape), int(first.sum()))
    column = _flat([of[axis][first] for axis in taken], sizes, int(first.sum()))
    weights = np.zeros(dense)
    weights[(row, column, *(of[other][first] - taps[axis].start for axis, other in steady.items()))] = factors[first]
    order = [*rows, *common, *steady]
    perm = tuple(int(axis) for axis in np.argsort(order))
    return Matrix(
        weights=weights,
        row_shape=row_shape,
        source_perm=(*common.values(), *taken, *steady.values()),
        common_shape=tuple(source[axis] for axis in common.values()),
        steady_axes=tuple(steady.values()),
        taps=tuple(taps[axis] for axis in steady),
        result_perm=perm,
    )


def _flat(parts: list[Numbers], extents: list[int], length: int) -> Numbers:
    found = np.zeros(length, np.int64)
    for part, extent in zip(parts, extents, strict=True):
        found = found * extent + part
    return found


def _refined(entries: Entries, result: Shape, source: Shape) -> Shape:
    """The result's shape, cut where axes of the source end: the outermost and the innermost that run through it unchanged."""
    if len(result) == len(source):
        return result
    columns, total = np.unravel_index(entries.columns, source), prod(result)
    inner: list[int] = []
    outer: list[int] = []
    step, left = 1, list(range(len(source)))
    while left and source[left[-1]] > 0 and (total // step) % source[left[-1]] == 0:
        axis = left[-1]
        if not np.array_equal(columns[axis], entries.rows // step % source[axis]):
            break
        inner.insert(0, source[axis])
        step *= source[axis]
        left.pop()
    while left and (total // step) % (prod(outer) * source[left[0]]) == 0:
        axis = left[0]
        below = total // (prod(outer) * source[axis])
        if not np.array_equal(columns[axis], entries.rows // below % source[axis]):
            break
        outer.append(source[axis])
        left.pop(0)
    return (*outer, total // step // prod(outer), *inner)


def _stride(at: Numbers, of: Numbers) -> int:
    """By how much places along the source begin later at the second place of a result's axis; 0 where they do not."""
    first, second = of[at == 0], of[at == 1]
    return max(int(second.min()) - int(first.min()), 0) if first.size and second.size else 0


def _is_alike(at: Numbers, of: Numbers, factors: Factors, axis: int, other: int, stride: int, shape: Shape, source: Shape) -> bool:
    """Whether every place of ``axis`` has the same terms, shifted by ``stride`` along ``other``."""
    if len(factors) % shape[axis]:
        return False
    key = of[other] - stride * at[axis] + stride * shape[axis]
    for numbers, extents, left_out in ((at, shape, axis), (of, source, other)):
        for each, extent in enumerate(extents):
            if each != left_out:
                key = key * extent + numbers[each]
    order = np.lexsort((key, at[axis]))
    table = np.stack([at[axis], key])[:, order].reshape(2, shape[axis], -1)
    weights = factors[order].reshape(shape[axis], -1)
    return bool((table[0] == np.arange(shape[axis])[:, None]).all() and (table[1] == table[1][:1]).all() and (weights == weights[:1]).all())

"""Where every element of a moved tensor comes from: the algebra of reshapes, transposes, slices, copies and joins.

The elements of a tensor are addressed by *digits*, outermost first, as a number is by its decimals; the axes of its
shape take as many of them as they need. A digit says how far each of its positions lies along the axes of the
*source*, the tensor that was moved; a digit that goes nowhere holds copies. A reshape regroups digits, a transpose
reorders them, a slice picks positions of one: the order of elements is known without looking at any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.graph import Shape

Steps = NDArray[np.int64]
Coordinates = dict[int, Steps]


@dataclass(frozen=True, slots=True, eq=False)
class Digit:
    """``size`` positions; ``steps`` gives, by axis of the source, how far each lies from the first.

    ``rises``: they are known to lie in order along one axis.
    """

    size: int
    steps: Coordinates
    rises: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A tensor of ``shape`` made of elements of ``source``, which has ``extents``; ``start`` is its first element.

    ``stacked``: the source is several tensors that lie side by side along axis 0, which none of them has.
    """

    source: str
    extents: Shape
    shape: Shape
    digits: tuple[Digit, ...]
    start: tuple[int, ...]
    stacked: bool = False


def fresh(source: str, shape: Shape) -> View:
    """A tensor as it is computed: each axis is one digit."""
    digits = tuple(Digit(size, {axis: np.arange(size)}, True) for axis, size in enumerate(shape) if size > 1)
    return View(source, shape, shape, digits, (0,) * len(shape))


def axes_of(view: View) -> list[list[Digit]] | None:
    """The digits of each axis; ``None`` where an axis ends inside a digit that cannot be cut there."""
    rest = list(reversed(view.digits))
    axes: list[list[Digit]] = []
    for size in view.shape:
        taken: list[Digit] = []
        needed = size
        while needed > 1:
            if not rest:
                return None
            digit = rest.pop()
            if needed % digit.size == 0:
                taken.append(digit)
                needed //= digit.size
                continue
            parts = _cut_digit(digit, needed) if digit.size % needed == 0 else None
            if parts is None:
                return None
            taken.append(parts[0])
            rest.append(parts[1])
            needed = 1
        axes.append(taken)
    return axes


def _cut_digit(digit: Digit, outer: int) -> tuple[Digit, Digit] | None:
    """The digit as two, the first of ``outer`` positions, if where they lie is a sum of two parts."""
    first: Coordinates = {}
    second: Coordinates = {}
    for axis, steps in digit.steps.items():
        table = steps.reshape(outer, -1)
        if not np.array_equal(table, table[:, :1] + table[:1]):
            return None
        first[axis], second[axis] = table[:, 0], table[0]
    return _digit(outer, first, digit.rises)[0], _digit(digit.size // outer, second, digit.rises)[0]


def _digit(size: int, steps: Coordinates, rises: bool = False) -> tuple[Digit, Coordinates]:
    """A digit whose steps begin at 0, and what was taken off; axes along which nothing moves are left out."""
    starts = {axis: array[0] for axis, array in steps.items()}
    moved = {axis: array - starts[axis] for axis, array in steps.items()}
    return Digit(size, {axis: array for axis, array in moved.items() if array.any()}, rises), starts


def combined(digits: Sequence[Digit]) -> Digit:
    """Several digits as one."""
    if len(digits) == 1:
        return digits[0]
    size, steps = 1, Coordinates()
    for digit in digits:
        steps = {axis: np.repeat(array, digit.size) for axis, array in steps.items()}
        for axis, array in digit.steps.items():
            tiled = np.tile(array, size)
            steps[axis] = steps[axis] + tiled if axis in steps else tiled
        size *= digit.size
    return Digit(size, steps)


def reshaped(view: View, shape: Shape) -> View:
    return replace(view, shape=shape)


def transposed(view: View, perm: Sequence[int]) -> View | None:
    axes = axes_of(view)
    return None if axes is None else _with_axes(view, [axes[axis] for axis in perm], tuple(view.shape[axis] for axis in perm))


def picked(view: View, axis: int, places: slice | NDArray[Any]) -> View | None:
    """The elements at ``places`` of one axis, in this order."""
    axes = axes_of(view)
    if axes is None or not view.shape[axis]:
        return None
    whole = combined(axes[axis])
    steps = {at: array[places] for at, array in whole.steps.items()}
    whole_axis = range(view.shape[axis])
    size = len(whole_axis[places]) if isinstance(places, slice) else len(np.asarray(whole_axis)[places])
    if not size:
        return None
    rises = whole.rises and isinstance(places, slice) and (places.step or 1) > 0
    digit, starts = _digit(size, steps, rises)
    axes[axis] = [digit]
    start = tuple(first + int(starts.get(at, 0)) for at, first in enumerate(view.start))
    return _with_axes(replace(view, start=start), axes, (*view.shape[:axis], size, *view.shape[axis + 1 :]))


def copied(view: View, times: Sequence[int]) -> View | None:
    """Whole copies along each axis, one after the other (an axis of 1 that broadcasts is copied alike)."""
    axes = axes_of(view)
    if axes is None:
        return None
    axes = [[Digit(count, {}), *digits] for count, digits in zip(times, axes, strict=True)]
    return _with_axes(view, axes, tuple(size * count for size, count in zip(view.shape, times, strict=True)))


def _with_axes(view: View, axes: list[list[Digit]], shape: Shape) -> View:
    return replace(view, digits=tuple(digit for digits in axes for digit in digits if digit.size > 1), shape=shape)


def joined(views: Sequence[View], axis: int) -> View | None:
    """Pieces of one source, or equal pieces of several, side by side along ``axis``; else ``None``.

    Pieces of several sources become one stacked source, unless the axis is one that each source has whole: then they
    are a new tensor, whose elements stand in the order that they have now.
    """
    first = views[0]
    found = [axes_of(view) for view in views]
    groups = [axes for axes in found if axes is not None]
    same = all((view.extents, view.stacked) == (first.extents, first.stacked) for view in views)
    if len(groups) < len(views) or not same or any(0 in view.shape for view in views):
        return None
    lines = [[combined(digits) for digits in axes] for axes in groups]
    if not all(_equal(line[at], lines[0][at]) for line in lines for at in range(len(first.shape)) if at != axis):
        return None
    if all(view.source == first.source for view in views):
        digit, starts = _joined_digit(views, [line[axis] for line in lines], range(len(first.extents)))
        axes = groups[0]
        axes[axis] = [digit]
        start = tuple(int(starts.get(at, 0)) for at in range(len(first.extents)))
        shape = (*first.shape[:axis], digit.size, *first.shape[axis + 1 :])
        return _with_axes(replace(first, start=start), axes, shape)
    equal = all(view.start == first.start and _equal(line[axis], lines[0][axis]) for view, line in zip(views, lines, strict=True))
    if first.stacked or not equal or _is_own_axis(first, lines[0], axis):
        return None
    return _stacked(views, groups[0], axis)


def _joined_digit(views: Sequence[View], pieces: Sequence[Digit], source_axes: range) -> tuple[Digit, Coordinates]:
    pairs = list(zip(views, pieces, strict=True))
    steps = {
        at: np.concatenate([view.start[at] + piece.steps.get(at, np.zeros(piece.size, np.int64)) for view, piece in pairs])
        for at in source_axes
    }
    return _digit(sum(piece.size for piece in pieces), steps)


def _stacked(views: Sequence[View], axes: list[list[Digit]], axis: int) -> View:
    first, count = views[0], len(views)
    moved = [[replace(digit, steps={at + 1: array for at, array in digit.steps.items()}) for digit in digits] for digits in axes]
    moved[axis] = [Digit(count, {0: np.arange(count)}, True), *moved[axis]]
    shape = (*first.shape[:axis], count * first.shape[axis], *first.shape[axis + 1 :])
    source = View("+".join(view.source for view in views), (count, *first.extents), shape, (), (0, *first.start), True)
    return _with_axes(source, moved, shape)


def _is_own_axis(view: View, lines: Sequence[Digit], axis: int) -> bool:
    """Whether an axis of the view is one of its source, in order and in no other axis (or one of 1 that the source has, too)."""
    line = lines[axis]
    if line.size == 1:
        return view.shape.count(1) <= view.extents.count(1)
    if len(line.steps) != 1:
        return False
    ((at, steps),) = line.steps.items()
    return bool((np.diff(steps) > 0).all()) and not any(at in other.steps for index, other in enumerate(lines) if index != axis)


def _equal(one: Digit, other: Digit) -> bool:
    axes = one.steps.keys()
    return one.size == other.size and axes == other.steps.keys() and all(np.array_equal(one.steps[at], other.steps[at]) for at in axes)

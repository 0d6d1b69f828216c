"""The elements that stand along one axis of a moved tensor: in order, in another order, or several times."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd, prod

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.permutations.views import Coordinates, Digit, Steps, View


@dataclass(frozen=True, slots=True)
class Selection:
    """A product with a matrix of one 1 in each of its ``chosen`` rows, over the ``extent`` elements of an axis.

    ``key`` tells them apart: equal ones are one matrix (S4).
    """

    extent: int
    chosen: int
    key: str


def order_key(extent: int, order: NDArray[np.int64]) -> str:
    """A name for the choice of elements ``order`` of an axis of ``extent``; equal choices have equal names."""
    return f"{extent}:{hashlib.sha256(np.ascontiguousarray(order, np.int64).tobytes()).hexdigest()}"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The elements along one axis of the result: where each lies along each axis of the source (only those that vary)."""

    at: Coordinates
    extents: Mapping[int, int]

    @classmethod
    def of(cls, view: View, digit: Digit) -> Line:
        at = {axis: view.start[axis] + steps for axis, steps in sorted(digit.steps.items())}
        line = cls(at, {axis: view.extents[axis] for axis in at})
        return line._as_one_axis() if view.stacked and 0 in at and len(at) > 1 else line

    @property
    def size(self) -> int:
        return len(next(iter(self.at.values())))

    @property
    def places(self) -> Steps:
        """One number for each element; equal numbers are one element."""
        found = np.zeros(self.size, np.int64)
        for axis, steps in self.at.items():
            found = found * self.extents[axis] + steps
        return found

    @property
    def rises(self) -> bool:
        places = self.places
        return bool((places[1:] > places[:-1]).all())

    def _taken(self, places: slice | NDArray[np.int64]) -> Line:
        return Line({axis: steps[places] for axis, steps in self.at.items()}, self.extents)

    @property
    def is_repeated(self) -> bool:
        """Whether each element stands so often side by side as nearest-neighbour resizing would have it."""
        return bool(self._runs() < self.size)

    def _runs(self) -> int:
        """The number of different neighbours, where their runs are those of a resize; else that of all elements."""
        places = self.places
        begins = np.concatenate([[True], places[1:] != places[:-1]])
        count, size = int(begins.sum()), self.size
        return count if count < size and np.array_equal(np.cumsum(begins) - 1, np.arange(size) * count // size) else size

    @property
    def once(self) -> Line:
        """The line without repeated neighbours, and one of the whole copies that follow each other."""
        count, line = self._runs(), self
        if count < self.size:
            line = self._taken(np.flatnonzero(np.concatenate([[True], self.places[1:] != self.places[:-1]])))
        places = line.places
        if len(np.unique(places)) == len(places):
            return line
        for period in (size for size in range(1, len(places)) if len(places) % size == 0):
            if np.array_equal(places[period:], places[:-period]):
                return line._taken(slice(0, period))
        return line

    def selections(self, elsewhere: set[int]) -> list[Selection]:
        """The axes of the source whose elements stand in another order, each with its matrix.

        ``elsewhere``: axes that have a part in another axis of the result; then the matrix acts on the part that is here.
        """
        if self.rises:
            return []
        if len(np.unique(self.places)) < self.size:
            return [] if self._is_padding() else [self._whole()]
        found = []
        for axis in self.at:
            order = self._changed(axis)
            if order is None:
                continue
            if order.ndim > 1:
                return [self._whole()]
            found.append(_selection(order, self.extents[axis], axis in elsewhere))
        return found

    def _whole(self) -> Selection:
        """All axes of the line taken for one."""
        return Selection(prod(self.extents.values()), self.size, order_key(prod(self.extents.values()), self.places))

    def _changed(self, axis: int) -> Steps | None:
        """The order of the elements that differ along ``axis`` alone; ``None`` where it rises, of two axes where it varies."""
        others = Line({at: steps for at, steps in self.at.items() if at != axis}, self.extents).places if len(self.at) > 1 else None
        if others is None:
            return None if (np.diff(self.at[axis]) > 0).all() else self.at[axis]
        by_others = np.argsort(others, kind="stable")
        steps, group = self.at[axis][by_others], others[by_others]
        if not ((group[1:] == group[:-1]) & (steps[1:] < steps[:-1])).any():
            return None
        length = int(np.count_nonzero(group == group[0]))
        alike = len(steps) % length == 0 and np.array_equal(group, np.repeat(group[::length], length))
        table = steps.reshape(-1, length) if alike else steps[None]
        return table[0] if alike and (table == table[0]).all() else steps[None]

    def _is_padding(self) -> bool:
        """Elements in steady steps, with some of them again before and behind: reflected, repeated or wrapped ends."""
        places = self.places
        step, length, begin = _longest_rise(np.diff(places))
        end = begin + length
        if step < 1:
            return False
        left, middle, right = places[:begin], places[begin : end + 1], places[end + 1 :]
        return _is_margin(left, middle, step) and _is_margin(right, middle, step)

    def _as_one_axis(self) -> Line:
        """Several tensors and an axis of them taken for one axis, along which they might have been joined.

        If they can stand in order along some axis, they are joined along that; else along the one that changes last.
        """
        rest = [axis for axis in self.at if axis != 0]
        choices = []
        for axis in rest:
            at = {0: self.at[0] * self.extents[axis] + self.at[axis]} | {other: self.at[other] for other in rest if other != axis}
            extents = {0: self.extents[0] * self.extents[axis]} | {other: self.extents[other] for other in rest if other != axis}
            choices.append(Line(at, extents))
        in_order = [line for line in choices if all(line._changed(axis) is None for axis in line.at)]
        return (in_order or choices)[0 if in_order else -1]


def _longest_rise(steps: Steps) -> tuple[int, int, int]:
    """(step, how often, from where) of the longest run of one positive step."""
    begins = np.flatnonzero(np.concatenate([[True], steps[1:] != steps[:-1]]))
    lengths = np.diff(np.append(begins, len(steps))) * (steps[begins] > 0)
    best = int(lengths.argmax())
    return int(steps[begins[best]]), int(lengths[best]), int(begins[best])


def _is_margin(margin: Steps, middle: Steps, step: int) -> bool:
    """Whether elements of the middle stand in the margin again, in steps as steady as its own, or one of them often."""
    steps = np.diff(margin)
    steady = not len(steps) or (abs(int(steps[0])) in (0, step) and bool((steps == steps[0]).all()))
    return steady and len(margin) <= len(middle) and bool(np.isin(margin, middle).all())


def _selection(order: Steps, extent: int, partly: bool) -> Selection:
    if partly:
        order = order - order.min()
        order = order // max(gcd(*order.tolist()), 1)
        extent = int(order.max()) + 1
    return Selection(extent, len(order), order_key(extent, order))

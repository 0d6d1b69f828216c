"""What moves have done to the order of a tensor's elements (rules O9, O10): permuted an axis, copied neighbours, or neither.

Only elements of one axis of the result are compared, and of those only such as differ along a single axis of the
source: merging attention heads back, flattening in another layout or a depth-to-space change no order. Elements that
are left out change none either (a slice), nor do whole copies one after the other (a tile), nor copies of the ends
beside the whole (a padding, whatever its mode).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from micronet_verify.analysis.permutations.axis_order import Line, Selection
from micronet_verify.analysis.permutations.views import Digit, View, axes_of, combined


@dataclass(frozen=True, slots=True)
class Order:
    """``selections`` of axes, each over ``moved`` elements; ``resized`` are the axes of the result in which copies are neighbours."""

    selections: tuple[Selection, ...]
    moved: int
    resized: frozenset[int]

    @property
    def changed(self) -> bool:
        return bool(self.selections or self.resized)


UNCHANGED = Order((), 0, frozenset())


def order_of(view: View) -> Order:
    """What became of the order. A shape whose axes cut across digits is not looked through."""
    axes = axes_of(view)
    if axes is None:
        return UNCHANGED
    selections: list[Selection] = []
    resized: set[int] = set()
    moved = 1
    for at, digits in enumerate(axes):
        first = next((index for index, digit in enumerate(digits) if digit.steps), len(digits))
        if any(not digit.steps for digit in digits[first:]):
            resized.add(at)  # copies inside of something that differs: neighbours are alike
        spread = [digit for digit in digits[first:] if digit.steps]
        if not spread or (_rise(spread) and not view.stacked):
            moved *= prod(digit.size for digit in spread)
            continue
        line = Line.of(view, combined(spread))
        if not line.rises:
            if line.is_repeated:
                resized.add(at)
            line = line.once
            others = {axis for index, group in enumerate(axes) if index != at for digit in group for axis in digit.steps}
            selections += line.selections(others)
        moved *= line.size
    return Order(tuple(selections), moved, frozenset(resized))


def _rise(digits: Sequence[Digit]) -> bool:
    """Whether the elements along each axis of the source are known to stand in order: each outer step is longer than all inner ones."""
    reach: dict[int, int] = {}
    for digit in reversed(digits):
        if not digit.rises or len(digit.steps) != 1:
            return False
        ((axis, steps),) = digit.steps.items()
        if axis in reach and int(np.diff(steps).min()) <= reach[axis]:
            return False
        reach[axis] = reach.get(axis, 0) + int(steps[-1])
    return True

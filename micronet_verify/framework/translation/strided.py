"""Python's ``x[1:, ::2, None, ..., -1]`` as three lists of numbers and five bit masks, as TensorFlow and TFLite write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from micronet_verify.facts.graph import Shape
from micronet_verify.framework.translation.op import Op
from micronet_verify.framework.translation.operand import Array


@dataclass(frozen=True, slots=True)
class Strided:
    """``places`` of each axis of the operand; ``shape`` of the result, with axes that were added and without those that are gone."""

    places: tuple[range, ...]
    shape: Shape

    def of(self, x: Array) -> Array:
        """What it takes of an array."""
        cut = tuple(slice(places.start, places.stop if places.stop >= 0 else None, places.step) for places in self.places)
        return x[cut].reshape(self.shape)


def strided(op: Op, mask: Callable[[str], int], offset: bool = False) -> Strided:
    """What a StridedSlice takes of its first operand; begins, ends and strides are the others.

    ``mask``: one of its masks by name; ``offset``: ends count from the begins. Raises ``SubmissionFault``.
    """
    begin, end, step = (op.known_ints(index, name) for index, name in ((1, "begins"), (2, "ends"), (3, "strides")))
    shape = op.operand(0).shape
    count, rank = len(begin), len(shape)
    if not len(begin) == len(end) == len(step) or 0 in step:
        op.refuse(f"begin {tuple(begin)}, end {tuple(end)} and strides {tuple(step)}", "be of one length, with strides other than 0")
    names = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    has = {name: [bool(mask(f"{name}_mask") >> index & 1) for index in range(count)] for name in names}
    if sum(has["ellipsis"]) > 1:
        op.refuse("a slice with two ellipses", "have one")
    taken = sum(not new and not dots for new, dots in zip(has["new_axis"], has["ellipsis"], strict=True))
    if taken > rank:
        op.refuse(f"a slice of {taken} axes of {shape}", "be of axes that exist")
    places: list[range] = []
    out: list[int] = []
    for index in range(count):
        if has["ellipsis"][index]:
            kept = shape[len(places) : len(places) + rank - taken]
            places += map(range, kept)
            out += kept
        elif has["new_axis"][index]:
            out.append(1)
        elif has["shrink_axis"][index]:
            size = shape[len(places)]
            if not -size <= begin[index] < size:
                op.refuse(f"place {begin[index]} of an axis of {size}", "lie within it")
            places.append(range(begin[index] % size, begin[index] % size + 1))
        else:
            stop = end[index] + begin[index] if offset else end[index]
            cut = slice(None if has["begin"][index] else begin[index], None if has["end"][index] else stop, step[index])
            places.append(range(*cut.indices(shape[len(places)])))
            out.append(len(places[-1]))
    rest = shape[len(places) :]
    return Strided((*places, *map(range, rest)), (*out, *rest))

"""STRIDED_SLICE: which places of each axis are taken, and the shape of the result (TensorFlow's definition of the masks)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from micronet_verify.plugin import Shape
from micronet_verify_tflite.op import Op


@dataclass(frozen=True, slots=True)
class Strided:
    """``places`` of each axis of the operand; ``shape`` of the result, with axes that were added and without those that are gone."""

    places: tuple[range, ...]
    shape: Shape


def strided_slice_of(op: Op, shape: Shape, begin: Sequence[int], end: Sequence[int], step: Sequence[int]) -> Strided:
    """What an operator with these operands takes of a tensor of ``shape``. Raises ``SubmissionFault``."""
    count, rank = len(begin), len(shape)
    if not len(begin) == len(end) == len(step) or 0 in step:
        op.refuse(f"begin {tuple(begin)}, end {tuple(end)} and strides {tuple(step)}", "be of one length, with strides other than 0")
    masks = {name: op.integer(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    has = {name: [bool(mask >> index & 1) for index in range(count)] for name, mask in masks.items()}
    if sum(has["ellipsis"]) > 1:
        op.refuse("a slice with two ellipses", "have one")
    taken = sum(not new and not dots for new, dots in zip(has["new_axis"], has["ellipsis"], strict=True))
    if taken > rank:
        op.refuse(f"a slice of {taken} axes of {shape}", "be of axes that exist")
    places: list[range] = []
    out: list[int] = []
    for index in range(count):
        if has["ellipsis"][index]:
            for size in shape[len(places) : len(places) + rank - taken]:
                places.append(range(size))
                out.append(size)
        elif has["new_axis"][index]:
            out.append(1)
        elif has["shrink_axis"][index]:
            size = shape[len(places)]
            at = begin[index] + size if begin[index] < 0 else begin[index]
            if not 0 <= at < size:
                op.refuse(f"place {begin[index]} of an axis of {size}", "lie within it")
            places.append(range(at, at + 1))
        else:
            size, stop = shape[len(places)], end[index]
            if op.option("offset"):  # the end counts from the beginning
                stop += begin[index]
            cut = slice(None if has["begin"][index] else begin[index], None if has["end"][index] else stop, step[index])
            places.append(range(*cut.indices(size)))
            out.append(len(places[-1]))
    for size in shape[len(places) :]:
        places.append(range(size))
        out.append(size)
    return Strided(tuple(places), tuple(out))

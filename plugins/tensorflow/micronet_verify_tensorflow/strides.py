"""StridedSlice: Python's ``x[1:, ::2, None, ..., -1]`` as three lists of numbers and five bit masks."""

from __future__ import annotations

from micronet_verify.plugin import Shape
from micronet_verify_tensorflow.op import Op

Index = tuple[slice | int | None, ...]


def index_of(op: Op, shape: Shape) -> Index:
    """The index with which numpy takes the same part; slices have their bounds inside the axis, numbers count from the front."""
    begins, ends, strides = (op.known_ints(place, "bounds of a slice") for place in (1, 2, 3))
    masks = {name: op.integer(f"{name}_mask", 0) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    count = len(begins)
    if not len(ends) == len(strides) == count or 0 in strides or bin(masks["ellipsis"]).count("1") > 1:
        op.refuse("bounds that do not belong together", "be one begin, end and stride other than 0 per axis")

    def set_(name: str, place: int) -> bool:
        return bool(masks[name] >> place & 1)

    named = sum(not set_("ellipsis", place) and not set_("new_axis", place) for place in range(count))
    if named > len(shape):
        op.refuse(f"bounds for {named} axes of {shape}", "be at most as many as there are")
    index: list[slice | int | None] = []
    axis = 0
    for place in range(count):
        if set_("ellipsis", place):
            skipped = len(shape) - named
            index += [slice(0, size, 1) for size in shape[axis : axis + skipped]]
            axis += skipped
        elif set_("new_axis", place):
            index.append(None)
        elif set_("shrink_axis", place):
            if not -shape[axis] <= begins[place] < shape[axis]:
                op.refuse(f"element {begins[place]} of an axis of {shape[axis]}", "lie within it")
            index.append(begins[place] % shape[axis])
            axis += 1
        else:
            begin = None if set_("begin", place) else begins[place]
            end = None if set_("end", place) else ends[place]
            start, stop, step = slice(begin, end, strides[place]).indices(shape[axis])
            index.append(slice(start, None if stop < 0 else stop, step))
            axis += 1
    index += [slice(0, size, 1) for size in shape[axis:]]
    return tuple(index)

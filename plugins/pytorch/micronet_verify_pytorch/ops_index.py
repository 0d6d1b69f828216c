"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from micronet_verify.plugin import BOOL, INT64, Value, broadcast
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.narrow import narrowed
from micronet_verify_pytorch.ops_create import generated, within
from micronet_verify_pytorch.ops_shape import joined, swapped


def embedding(call: Call) -> Value:
    """Rows of the table; padding and gradient options change nothing."""
    call.ignore("padding_idx", "scale_grad_by_freq", "sparse")
    return call.emit("lookup", call.tensor("weight"), call.tensor("indices"), op="embedding", axis=0)


def whole_numbers(call: Call, index: Value) -> Value:
    if index.format.family == "bool":
        call.refuse("an index of truth values", "be of integers", "how many elements remain would depend on the data")
    return index


def chosen(call: Call, x: Value, index: Value, axis: int) -> Value:
    """Slices of ``x`` along ``axis`` in the order of ``index``."""
    if call.is_fixed(whole_numbers(call, index)):
        return _ordered(call, x, index, axis)
    return call.emit("lookup", x, index, op="gather", axis=axis)


def _ordered(call: Call, x: Value, index: Value, axis: int) -> Value:
    """``chosen`` by an index that is known to be a constant."""
    return call.emit("permute", x, index, op="index", axis=axis)


def index_select(call: Call) -> Value:
    """An index of no axes is one of one."""
    x, places = call.tensor(), call.tensor("index")
    axis = call.dim("dim", len(x.shape))
    y = chosen(call, x, places, axis)
    return y if places.shape else call.builder.reshape(y, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))


def take(call: Call) -> Value:
    """Elements of the flattened tensor."""
    x = call.tensor()
    flat = call.builder.choosing(call.builder.reshape(x, (x.numel,)), x, 0)
    return chosen(call, flat, call.tensor("index"), 0)


# --- one element for each index -----------------------------------------------------------------------------------------


def gather(call: Call) -> Value:
    """Each element of the index names a place along the axis, beside its own places on the others."""
    x, places = call.tensor(), call.tensor("index")
    call.ignore("sparse_grad")
    return elements(call, x, places, call.dim("dim", len(x.shape)))


def take_along_dim(call: Call) -> Value:
    """``gather`` whose index broadcasts; without an axis, among the flattened elements."""
    x, places = call.tensor(), call.tensor("indices")
    if call.raw("dim") is None:
        x, places = call.builder.reshape(x, (x.numel,)), call.builder.reshape(places, (places.numel,))
        return elements(call, x, places, 0)
    axis = call.dim("dim", len(x.shape))
    shape = broadcast(_without(x.shape, axis), _without(places.shape, axis))
    x, places = (call.expand(value, (*shape[:axis], value.shape[axis], *shape[axis:])) for value in (x, places))
    return elements(call, x, places, axis)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def elements(call: Call, x: Value, index: Value, axis: int) -> Value:
    """By the data a look-up; by constants the choice along the axes on which the index really differs."""
    if len(index.shape) != len(x.shape):
        call.refuse(f"an index of shape {index.shape} for {x.shape}", "have as many axes")
    if not x.shape:
        return x
    if not call.is_fixed(index):
        return call.emit("lookup", x, index, op="elements", axis=axis)
    narrow = narrowed(call.builder, index)
    for at, size in enumerate(index.shape):
        x = x if at == axis else call.slice(x, at, 0, size)
    own = [at for at, size in enumerate(narrow.shape) if at == axis or size > 1]
    sizes = [narrow.shape[at] for at in own]
    if len(own) == 1:
        return _ordered(call, x, call.builder.reshape(narrow, (narrow.numel,)), axis)
    rest = [at for at in range(len(x.shape)) if at not in own]
    order = [*own, *rest]
    kept = tuple(x.shape[at] for at in rest)
    lengths = [x.shape[at] for at in own]
    flat = call.builder.reshape(call.builder.transpose(x, order), (prod(lengths), *kept))
    places = call.builder.reshape(narrow, tuple(sizes))
    picked = _ordered(call, flat, _flat_places(call, places, lengths, own.index(axis)), 0)
    back = [order.index(at) for at in range(len(order))]
    return call.builder.transpose(call.builder.reshape(picked, (*sizes, *kept)), back)


def _flat_places(call: Call, places: Value, lengths: Sequence[int], axis: int) -> Value:
    """Where the elements stand in the flattened tensor of ``lengths``: Σ place · stride, the index's own place on each other axis."""
    within(call, places.numel)
    strides = [prod(lengths[at + 1 :]) for at in range(len(lengths))]
    own = np.zeros(places.shape, np.int64)
    for at, grid in enumerate(np.indices(places.shape)):
        own += 0 if at == axis else grid * strides[at]
    scaled = call.elementwise("mul", places, strides[axis], fmt=INT64)
    summed = call.elementwise("add", scaled, generated(call, own, INT64, "places"), fmt=INT64)
    return call.builder.reshape(summed, (places.numel,))


# --- several index tensors ------------------------------------------------------------------------------------------------


def index(call: Call) -> Value:
    """x[.., i, .., j, ..]: the indexed axes become those of the indices, in front where they were apart, as in numpy."""
    x, parts = call.tensor(), call.optionals("indices")
    axes = [axis for axis, part in enumerate(parts) if part is not None]
    indices = [whole_numbers(call, part) for part in parts if part is not None]
    if not indices:
        return x
    if len(indices) == 1:
        return chosen(call, x, indices[0], axes[0])
    rest = [axis for axis in range(len(x.shape)) if axis not in axes]
    shape = broadcast(*(part.shape for part in indices))
    if all(map(call.is_fixed, indices)):
        y = _axis_by_axis(call, x, axes, indices, shape) or _merged(call, x, axes, indices, shape)
    else:
        turned = call.builder.transpose(x, [*axes, *rest])
        y = call.emit("lookup", turned, _tuples(call, indices, shape), op="nd", axis=0)
    if axes != list(range(axes[0], axes[0] + len(axes))):
        return y
    many = len(shape)
    return call.builder.transpose(y, [*range(many, many + axes[0]), *range(many), *range(many + axes[0], len(y.shape))])


def _axis_by_axis(call: Call, x: Value, axes: Sequence[int], indices: Sequence[Value], shape: tuple[int, ...]) -> Value | None:
    """Indices that differ along axes of their own are a choice on one axis after the other; the indexed axes in front."""
    narrow = [narrowed(call.builder, part) for part in indices]
    own = [[len(shape) - len(part.shape) + at for at, size in enumerate(part.shape) if size > 1] for part in narrow]
    taken = [at for ats in own for at in ats]
    if any(len(ats) != 1 for ats in own) or len(set(taken)) != len(taken):
        return None
    for axis, part in zip(axes, narrow, strict=True):
        x = _ordered(call, x, call.builder.reshape(part, (part.numel,)), axis)
    order = [axis for _, axis in sorted(zip(taken, axes, strict=True))]
    rest = [axis for axis in range(len(x.shape)) if axis not in axes]
    turned = call.builder.transpose(x, [*order, *rest])
    return call.builder.reshape(turned, (*shape, *(x.shape[axis] for axis in rest)))


def _merged(call: Call, x: Value, axes: Sequence[int], indices: Sequence[Value], shape: tuple[int, ...]) -> Value:
    """Constant tuples of places: a choice among the merged axes."""
    rest = [axis for axis in range(len(x.shape)) if axis not in axes]
    lengths, kept = [x.shape[axis] for axis in axes], tuple(x.shape[axis] for axis in rest)
    flat = call.builder.reshape(call.builder.transpose(x, [*axes, *rest]), (prod(lengths), *kept))
    whole = _counted(call, indices[0], lengths[0])
    for part, length in zip(indices[1:], lengths[1:], strict=True):
        whole = call.elementwise("add", call.elementwise("mul", whole, length), _counted(call, part, length))
    picked = _ordered(call, flat, call.builder.reshape(whole, (whole.numel,)), 0)
    return call.builder.reshape(picked, (*shape, *kept))


def _counted(call: Call, part: Value, length: int) -> Value:
    """Places counted from the front."""
    behind = call.elementwise("less", part, 0, fmt=BOOL)
    return call.builder.elementwise("where", behind, call.elementwise("add", part, length), part, fmt=part.format)


def _tuples(call: Call, indices: Sequence[Value], shape: tuple[int, ...]) -> Value:
    """The indices side by side on a last axis."""
    return joined(call, [call.builder.reshape(call.expand(part, shape), (*shape, 1)) for part in indices], len(shape))


def index_tuples(call: Call, indices: Sequence[Value]) -> Value:
    """Several index tensors as one of tuples."""
    return _tuples(call, indices, broadcast(*(part.shape for part in indices)))


# --- constant orders --------------------------------------------------------------------------------------------------------


def flip(call: Call) -> Value:
    x = call.tensor()
    for axis in call.dims("dims", len(x.shape)):
        x = call.emit("permute", x, op="flip", axis=axis)
    return x


def rot90(call: Call) -> Value:
    """Quarter turns: flips and a transpose."""
    x, turns, dims = call.tensor(), call.integer("k", 1) % 4, call.ints("dims", (0, 1))
    first, second = (call.axis(axis, len(x.shape)) for axis in dims)
    for axis in {0: (), 1: (second,), 2: (first, second), 3: (first,)}[turns]:
        x = call.emit("permute", x, op="flip", axis=axis)
    return swapped(call, x, first, second) if turns % 2 else x


def roll(call: Call) -> Value:
    """Along each axis, the elements in a rotated order; without axes, of the flattened tensor."""
    x, shifts, axes = call.tensor(), call.ints("shifts"), call.ints("dims", ())
    shape = x.shape
    if not axes:
        x, axes = call.builder.reshape(x, (x.numel,)), (0,)
    for shift, axis in zip(shifts, axes, strict=True):
        at = call.axis(axis, len(x.shape))
        if x.shape[at] and shift % x.shape[at]:
            order = np.roll(np.arange(within(call, x.shape[at])), shift)
            x = call.emit("permute", x, generated(call, order, INT64, "roll"), op="index", axis=at)
    return call.builder.reshape(x, shape)

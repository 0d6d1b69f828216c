"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Value
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.formats import container
from micronet_verify_pytorch.ops_create import generated, within
from micronet_verify_pytorch.ops_shape import expanded, joined, slice_bounds, sliced

Translate = Callable[[Call], Value]


def embedding(call: Call) -> Value:
    """Rows of the table; padding and gradient options change nothing."""
    call.ignore("padding_idx", "scale_grad_by_freq", "sparse")
    return call.builder.emit("lookup", call.tensor("weight"), call.tensor("indices"), op="embedding", axis=0)


def chosen(call: Call, x: Value, index: Value, axis: int) -> Value:
    """Slices of ``x`` along ``axis`` in the order of ``index``."""
    if index.format.family == "bool":
        call.refuse("an index of truth values", "be of integers", "how many elements remain would depend on the data")
    if call.is_fixed(index):
        return call.builder.emit("permute", x, index, op="index", axis=axis)
    return call.builder.emit("lookup", x, index, op="gather", axis=axis)


def index_select(call: Call) -> Value:
    x = call.tensor()
    return chosen(call, x, call.tensor("index"), call.axis("dim", len(x.shape)))


def index(call: Call) -> Value:
    """x[.., i, ..]: index tensors on neighbouring axes become one index into the merged axis."""
    x, parts = call.tensor(), call.optionals("indices")
    axes = [axis for axis, part in enumerate(parts) if part is not None]
    indices = [part for part in parts if part is not None]
    if not indices:
        return x
    if axes != list(range(axes[0], axes[0] + len(axes))):
        call.refuse("index tensors on separate axes", "be on neighbouring axes", "index one axis after the other")
    first, last = axes[0], axes[-1] + 1
    whole = indices[0]
    for axis, part in zip(axes[1:], indices[1:], strict=True):
        whole = call.elementwise("add", call.elementwise("mul", whole, x.shape[axis]), part)
    if len(indices) > 1:
        merged = call.builder.reshape(x, (*x.shape[:first], int(np.prod(x.shape[first:last])), *x.shape[last:]))
        call.builder.choosing(merged, x, first)
        if all(call.is_fixed(part) for part in indices):
            return call.builder.emit("permute", merged, whole, op="index", axis=first)
        return chosen(call, merged, whole, first)
    return chosen(call, x, whole, first)


def gather(call: Call) -> Value:
    """One element for each index: a choice among the flattened elements."""
    x, places = call.tensor(), call.tensor("index")
    axis = call.axis("dim", len(x.shape))
    call.ignore("sparse_grad")
    return chosen(call, call.builder.choosing(call.builder.reshape(x, (x.numel,)), x, axis), places, 0)


def flip(call: Call) -> Value:
    x = call.tensor()
    for axis in call.axes("dims", len(x.shape)):
        x = call.builder.emit("permute", x, op="flip", axis=axis)
    return x


def roll(call: Call) -> Value:
    """Along each axis, the elements in a rotated order; without axes, of the flattened tensor."""
    x, shifts, axes = call.tensor(), call.ints("shifts"), call.ints("dims", ())
    shape = x.shape
    if not axes:
        x, axes = call.builder.reshape(x, (x.numel,)), (0,)
    for shift, axis in zip(shifts, axes, strict=True):
        at = call.wrap(axis, len(x.shape))
        if x.shape[at] and shift % x.shape[at]:
            order = np.roll(np.arange(within(call, x.shape[at])), shift)
            x = call.builder.emit("permute", x, generated(call, order, INT64, "roll"), op="index", axis=at)
    return call.builder.reshape(x, shape)


def scatter(op: str, updates: str = "src") -> Translate:
    """Elements written, or added, at places along an axis."""

    def translate(call: Call) -> Value:
        x, places = call.tensor(), call.tensor("index")
        mode = call.raw("reduce", "add" if op == "add" else None)
        if mode not in (None, "add"):
            call.refuse(f"scatter with reduce={mode!r}", "replace or add")
        source = call.operand(updates if call.raw(updates) is not None else "value")
        value = expanded(call, call.value(source, container(x.format)), places.shape) if not isinstance(source, Value) else source
        return call.builder.emit("scatter", x, places, value, op="add" if mode else "replace", axis=call.axis("dim", len(x.shape)))

    return translate


def index_add(call: Call) -> Value:
    x, source = call.tensor(), call.tensor("source")
    if call.number("alpha", 1) != 1:
        source = call.elementwise("mul", source, call.number("alpha"))
    return call.builder.emit("scatter", x, call.tensor("index"), source, op="add", axis=call.axis("dim", len(x.shape)))


def index_put(call: Call) -> Value:
    """x[.., i, ..] = values, on one axis."""
    x, parts = call.tensor(), call.optionals("indices")
    axes = [axis for axis, part in enumerate(parts) if part is not None]
    if len(axes) != 1:
        call.refuse(f"a write through {len(axes)} index tensors", "be through one")
    places = parts[axes[0]]
    assert places is not None
    if places.format.family == "bool":
        call.refuse("a write through truth values", "be through integers", "torch.where gives the same values at a known price")
    op = "add" if call.flag("accumulate") else "replace"
    return call.builder.emit("scatter", x, places, call.tensor("values"), op=op, axis=axes[0])


def slice_scatter(call: Call) -> Value:
    """x with a slice replaced: what is before, the new part, what is after. Steps other than 1 go through a scatter."""
    x, new = call.tensor(), call.tensor("src")
    axis = call.axis("dim", len(x.shape), 0)
    start, end, step = slice_bounds(call, x.shape[axis])
    if step != 1:
        places = generated(call, np.arange(start, end, step), INT64, "arange")
        return call.builder.emit("scatter", x, places, new, op="replace", axis=axis)
    return _replaced(call, x, new, axis, start, end)


def select_scatter(call: Call) -> Value:
    x, new = call.tensor(), call.tensor("src")
    axis, place = call.axis("dim", len(x.shape)), call.integer("index")
    place += x.shape[axis] if place < 0 else 0
    return _replaced(call, x, call.builder.reshape(new, (*x.shape[:axis], 1, *x.shape[axis + 1 :])), axis, place, place + 1)


def _replaced(call: Call, x: Value, new: Value, axis: int, start: int, end: int) -> Value:
    size = x.shape[axis]
    before = [sliced(call, x, axis, 0, start)] if start else []
    after = [sliced(call, x, axis, end, size)] if end < size else []
    return joined(call, [*before, new, *after], axis)

"""Writing, or adding up, elements at places that an index names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from micronet_verify.plugin import INT64, Value
from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.formats import container
from micronet_verify_pytorch.narrow import narrowed
from micronet_verify_pytorch.ops_create import generated
from micronet_verify_pytorch.ops_index import index_tuples, whole_numbers
from micronet_verify_pytorch.ops_shape import joined, slice_bounds

_REDUCTIONS = {"add": "add", "sum": "add", "multiply": "mul", "prod": "mul", "amax": "max", "amin": "min"}
_NEUTRAL = {"add": 0, "mul": 1, "max": -np.inf, "min": np.inf}


def scatter(op: str) -> Rule:
    """Elements written, or added, at places along an axis."""

    def translate(call: Call) -> Value:
        mode = call.raw("reduce")
        x, places, axis = call.tensor(), call.tensor("index"), _axis(call)
        update = _updates(call, x, places, "src" if call.raw("src") is not None else "value")
        return _elements(call, x, places, update, axis, op if mode is None else _reduction(call, mode))

    return translate


def scatter_reduce(call: Call) -> Value:
    """With the tensor's own elements, or with those that are written alone: then they begin from the operation's neutral number."""
    x, places, axis = call.tensor(), call.tensor("index"), _axis(call)
    op = _reduction(call, call.raw("reduce"))
    update = _updates(call, x, places, "src")
    if not call.flag("include_self", True):
        neutral = call.value(_NEUTRAL[op], container(x.format))
        x = _elements(call, x, places, call.expand(neutral, places.shape), axis, "replace")
    return _elements(call, x, places, update, axis, op)


def _axis(call: Call) -> int:
    return call.dim("dim", len(call.tensor().shape))


def _reduction(call: Call, mode: object) -> str:
    if mode not in _REDUCTIONS:
        call.refuse(f"scatter with reduce={mode!r}", f"be one of {', '.join(_REDUCTIONS)}", "a mean is a sum, divided by a count")
    return _REDUCTIONS[str(mode)]


def _updates(call: Call, x: Value, places: Value, name: str) -> Value:
    """As many as there are places: of a larger source, the first along each axis."""
    source = call.operand(name)
    if not isinstance(source, Value):
        return call.expand(call.value(source, container(x.format)), places.shape)
    for axis, size in enumerate(places.shape):
        source = call.slice(source, axis, 0, size)
    return source


def _elements(call: Call, x: Value, places: Value, updates: Value, axis: int, op: str) -> Value:
    """Constant places that differ along the axis alone, and are those of whole slices, write slices."""
    narrow = narrowed(call.builder, places) if call.is_fixed(places) else places
    others = [at for at in range(len(x.shape)) if at != axis]
    if len(x.shape) == len(places.shape) and all(narrow.shape[at] == 1 and places.shape[at] == x.shape[at] for at in others):
        return _slices(call, x, call.builder.reshape(narrow, (narrow.numel,)), updates, axis, op)
    return call.emit("scatter", x, places, updates, fmt=x.format, op=op, axis=axis, places="elements")


def _slices(call: Call, x: Value, places: Value, updates: Value, axis: int, op: str) -> Value:
    return call.emit("scatter", x, places, updates, fmt=x.format, op=op, axis=axis, places="slices")


def index_add(call: Call) -> Value:
    x, source = call.tensor(), call.tensor("source")
    if call.number("alpha", 1) != 1:
        source = call.elementwise("mul", source, call.number("alpha"))
    return _slices(call, x, call.tensor("index"), source, _axis(call), "add")


def index_copy(call: Call) -> Value:
    return _slices(call, call.tensor(), call.tensor("index"), call.tensor("source"), _axis(call), "replace")


def index_fill(call: Call) -> Value:
    value = call.value(call.operand("value"), container(call.tensor().format))
    return _slices(call, call.tensor(), call.tensor("index"), value, _axis(call), "replace")


def index_put(call: Call) -> Value:
    """x[.., i, .., j, ..] = values: slices of one axis, or of several by tuples of places."""
    x, parts = call.tensor(), call.optionals("indices")
    axes = [axis for axis, part in enumerate(parts) if part is not None]
    indices = [part for part in parts if part is not None]
    if any(part.format.family == "bool" for part in indices):
        call.refuse("a write through truth values", "be through integers", "torch.where gives the same values at a known price")
    values, op = call.tensor("values"), "add" if call.flag("accumulate") else "replace"
    if not indices:
        call.refuse("a write through no index", "be through one")
    if len(indices) == 1:
        return _slices(call, x, whole_numbers(call, indices[0]), values, axes[0], op)
    return _tuples(call, x, axes, indices, values, op)


def _tuples(call: Call, x: Value, axes: Sequence[int], indices: Sequence[Value], values: Value, op: str) -> Value:
    """The indexed axes in front, written to by tuples of places, and back again."""
    order = [*axes, *(axis for axis in range(len(x.shape)) if axis not in axes)]
    places = index_tuples(call, indices)
    many = len(places.shape) - 1
    if axes == list(range(axes[0], axes[0] + len(axes))) and axes[0]:
        # The values' axes stand as those of x do: those of the indices behind the first ones.
        whole = (*x.shape[: axes[0]], *places.shape[:-1], *x.shape[axes[-1] + 1 :])
        laid = call.builder.reshape(values, (1,) * (len(whole) - len(values.shape)) + values.shape)
        values = call.builder.transpose(laid, [*range(axes[0], axes[0] + many), *range(axes[0]), *range(axes[0] + many, len(whole))])
    turned = call.builder.transpose(x, order)
    y = call.emit("scatter", turned, places, values, fmt=x.format, op=op, axis=0, places="nd")
    return call.builder.transpose(y, [order.index(axis) for axis in range(len(order))])


def slice_scatter(call: Call) -> Value:
    """x with a slice replaced: what is before, the new part, what is after. Steps other than 1 go through a scatter."""
    x, new = call.tensor(), call.tensor("src")
    axis = call.dim("dim", len(x.shape), 0)
    start, end, step = slice_bounds(call, x.shape[axis])
    if step != 1:
        return _slices(call, x, generated(call, np.arange(start, end, step), INT64, "arange"), new, axis, "replace")
    return _replaced(call, x, new, axis, start, end)


def select_scatter(call: Call) -> Value:
    x, new = call.tensor(), call.tensor("src")
    axis, place = call.dim("dim", len(x.shape)), call.integer("index")
    place += x.shape[axis] if place < 0 else 0
    return _replaced(call, x, call.builder.reshape(new, (*x.shape[:axis], 1, *x.shape[axis + 1 :])), axis, place, place + 1)


def _replaced(call: Call, x: Value, new: Value, axis: int, start: int, end: int) -> Value:
    size = x.shape[axis]
    before = [call.slice(x, axis, 0, start)] if start else []
    after = [call.slice(x, axis, end, size)] if end < size else []
    return joined(call, [*before, new, *after], axis)

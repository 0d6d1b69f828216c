"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import INT64, MOST_GENERATED, Operand, Result, Value, folded, look_ups
from micronet_verify_onnx.op import Op


def gather(op: Op) -> Result:
    """Slices along an axis: one by a constant number is a slice, several are a permutation, by the data a look-up."""
    x, index = op.operand(0), op.operand(1)
    axis = op.axis(op.integer("axis", 0), len(x.shape))
    size, lead, tail = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
    if index.known is not None:
        places = from_front(op, index.known, size)
        if index.numel == 1:
            place = int(places.reshape(-1)[0])
            return op.builder.reshape(op.slice(x.value, axis, place, place + 1), (*lead, *index.shape, *tail))
    if index.static:
        return op.builder.reshape(permuted(op, x.value, index, axis), (*lead, *index.shape, *tail))
    function = "embedding" if x.static and axis == 0 else "gather"
    return op.emit("lookup", x.value, index.value, op=function, axis=axis)


def permuted(op: Op, x: Value, index: Operand, axis: int) -> Value:
    """Elements in the order of a constant index, flattened; negative numbers count from the end."""
    numbers = index.numbers
    if numbers is None:
        return op.emit("permute", x, op.builder.reshape(index.value, (index.numel,)), op="index", axis=axis)
    order = numbers.reshape(-1)
    if len(index.shape) != 1 or (order.size and order.min() < 0):
        index = folded(op.builder, from_front(op, order, x.shape[axis]), f"{op.node.input[1]} from the front")
    return op.emit("permute", x, index.value, op="index", axis=axis)


def from_front(op: Op, index: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Places counted from either end of an axis, counted from its start."""
    if index.size and (index.min() < -size or index.max() >= size):
        op.refuse(f"an index outside of an axis of {size}", "lie within it")
    return np.where(index < 0, index + size, index).astype(np.int64)


def gather_elements(op: Op) -> Value:
    """One element per index: each names a place on the axis, beside its own places on the other axes."""
    x, index = op.x(), op.operand(1)
    axis = op.axis(op.integer("axis", 0), len(x.shape))
    if index.known is not None:
        from_front(op, index.known, x.shape[axis])
    if any(given > size for at, (given, size) in enumerate(zip(index.shape, x.shape, strict=False)) if at != axis):
        op.refuse(f"an index of shape {index.shape} into {x.shape}", "be no larger on the other axes")
    return op.emit("lookup", x, index.value, op="elements", axis=axis)


def gather_nd(op: Op) -> Value:
    """Slices chosen by tuples of places on the axes behind the first ``batch_dims``, which run side by side."""
    x, index, batch = op.x(), op.operand(1), op.integer("batch_dims", 0)
    if not 0 <= batch < len(index.shape) or not 0 < index.shape[-1] <= len(x.shape) - batch:
        op.refuse(f"indices of shape {index.shape} into {x.shape}", "name axes that exist")
    if index.known is not None:
        for at in range(index.shape[-1]):
            from_front(op, index.known[..., at], x.shape[batch + at])
    return op.emit("lookup", x, index.value, op="nd", axis=0, batch=batch or None)


def scatter_elements(op: Op) -> Value:
    x = op.x()
    axis = op.axis(op.integer("axis", 0), len(x.shape))
    return op.emit("scatter", x, op.x(1), op.x(2), op=_reduction(op), places="elements", axis=axis, fmt=x.format)


def scatter_nd(op: Op) -> Value:
    x = op.x()
    return op.emit("scatter", x, op.x(1), op.x(2), op=_reduction(op), places="nd", axis=0, fmt=x.format)


_REDUCTIONS = {"none": "replace", "add": "add", "mul": "mul", "max": "max", "min": "min"}


def _reduction(op: Op) -> str:
    mode = op.text("reduction", "none")
    if mode not in _REDUCTIONS:
        op.refuse(f"reduction {mode!r}", f"be one of {', '.join(_REDUCTIONS)}")
    return _REDUCTIONS[mode]


def one_hot(op: Op) -> Result:
    """Compares the number with every class; ``values`` other than 0 and 1 are then chosen between."""
    index, depth = op.x(0), op.known_ints(1, what="a number of classes")[0]
    if not _counts_from_front(op):
        behind = op.elementwise("less", index, op.scalar(0, index))
        index = op.elementwise("where", behind, op.elementwise("add", index, op.scalar(depth, index)), index)
    hit = look_ups.classes_hit(op, index, depth, op.integer("axis", -1))
    values = op.known(2, "values")
    fmt = op.operand(2).format
    if values.reshape(-1).tolist() == [0, 1]:
        return op.emit("move", hit, op="cast", fmt=fmt)
    off, on = (op.builder.reshape(op.slice(op.x(2), 0, place, place + 1), ()) for place in (0, 1))
    return op.elementwise("where", hit, on, off)


def _counts_from_front(op: Op) -> bool:
    """Whether the class numbers of a OneHot are surely not below 0, which would count from the end: tokens and places."""
    name, number = op.node.input[0], op.operand(0)
    producer = op.scope.producer(name)
    while producer is not None and producer.op_type in _HANDING_ON:
        name = producer.input[0]
        producer = op.scope.producer(name)
    if number.known is not None:
        return bool((number.known >= 0).all())
    is_given = producer is None and not number.static
    return is_given or number.format.family == "uint" or (producer is not None and producer.op_type in ("ArgMax", "ArgMin", "TopK"))


_HANDING_ON = frozenset("Cast Reshape Squeeze Unsqueeze Flatten Identity Transpose Slice".split())


def trilu(op: Op) -> Value:
    """A constant mask selects the element or zero."""
    x = op.x()
    k = op.known_ints(1, "a diagonal", (0,))[0]
    if math.prod(x.shape[-2:]) > MOST_GENERATED:
        op.refuse(f"a mask of {x.shape[-2:]}", f"have at most {MOST_GENERATED:,} elements")
    ones = np.ones(x.shape[-2:], bool)
    mask = op.builder.constant(np.triu(ones, k) if op.integer("upper", 1) else np.tril(ones, k), "triangle")
    return op.elementwise("where", mask, x, op.scalar(0, x))


def compress(op: Op) -> Value:
    """Elements where a constant condition holds."""
    x, condition = op.x(), op.known(1, "a condition").reshape(-1)
    if op.attribute("axis") is None:
        x = op.builder.reshape(x, (x.numel,))
    axis = op.axis(op.integer("axis", 0), len(x.shape))
    return op.emit("permute", x, op.builder.constant(np.flatnonzero(condition), "kept", INT64), op="index", axis=axis)

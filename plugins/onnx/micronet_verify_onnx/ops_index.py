"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

import math

import numpy as np

from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Shape, Value
from micronet_verify_onnx.op import Op, Result
from micronet_verify_onnx.operands import Operand, folded


def gather(op: Op) -> Result:
    """Slices along an axis: one by a constant number is a slice, several are a permutation, by the data a look-up."""
    x, index = op.required(0), op.required(1)
    axis = op.axis(op.integer("axis", 0), len(x.shape))
    size, lead, tail = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
    if index.known is not None:
        if index.known.size and (index.known.min() < -size or index.known.max() >= size):
            op.refuse(f"an index outside of an axis of {size}", "lie within it")
        if index.numel == 1:
            place = int(index.known.reshape(-1)[0]) % size
            return op.builder.reshape(op.slice(x.value, axis, place, place + 1), (*lead, *index.shape, *tail))
    if index.static:
        return op.builder.reshape(permuted(op, x.value, index, axis), (*lead, *index.shape, *tail))
    function = "embedding" if x.static and axis == 0 else "gather"
    return op.emit("lookup", x.value, index.value, op=function, axis=axis)


def permuted(op: Op, x: Value, index: Operand, axis: int) -> Value:
    """Elements in the order of a constant index, flattened; negative numbers count from the end."""
    if index.known is not None:
        order = index.known.reshape(-1)
        if len(index.shape) != 1 or (order.size and order.min() < 0):
            index = folded(op.builder, np.where(order < 0, order + x.shape[axis], order), f"{op.node.input[1]} from the front")
        return op.emit("permute", x, index.value, op="index", axis=axis)
    return op.emit("permute", x, op.builder.reshape(index.value, (index.numel,)), op="index", axis=axis)


def gather_elements(op: Op) -> Value:
    """One element per index, chosen among the flattened elements: where they lie is addressing, no work."""
    x, index = op.x(), op.required(1)
    axis = op.axis(op.integer("axis", 0), len(x.shape))
    flat = op.builder.choosing(op.builder.reshape(x, (x.numel,)), x, axis)
    if index.static:
        places = op.builder.reshape(index.value, (index.numel,))
        return op.builder.reshape(op.emit("permute", flat, places, op="index", axis=0), index.shape)
    return op.emit("lookup", flat, index.value, op="gather", axis=0)


def gather_nd(op: Op) -> Value:
    """Slices chosen by tuples of numbers: the axes that a tuple names are merged into one."""
    x, index = op.x(), op.required(1)
    named = op.integer("batch_dims", 0) + index.shape[-1]
    if not index.shape or named > len(x.shape):
        op.refuse(f"indices of shape {index.shape} into {x.shape}", "name axes that there are")
    merged = op.builder.reshape(x, (math.prod(x.shape[:named]), *x.shape[named:]))
    op.builder.choosing(merged, x, op.integer("batch_dims", 0))
    shape = index.shape[:-1]
    places = op.builder.reshape(_last(op, index.value), (math.prod(shape),) if index.static else shape)
    if index.static:
        return op.builder.reshape(op.emit("permute", merged, places, op="index", axis=0), (*shape, *x.shape[named:]))
    return op.emit("lookup", merged, places, op="gather", axis=0)


def _last(op: Op, index: Value) -> Value:
    """One number of each tuple stands for the place that the whole tuple names."""
    rank = len(index.shape)
    return op.slice(index, rank - 1, index.shape[-1] - 1, index.shape[-1])


def scatter_elements(op: Op) -> Value:
    x = op.x()
    return op.emit("scatter", x, op.x(1), op.x(2), op=_reduction(op), axis=op.axis(op.integer("axis", 0), len(x.shape)), fmt=x.format)


def scatter_nd(op: Op) -> Value:
    x = op.x()
    return op.emit("scatter", x, op.x(1), op.x(2), op=_reduction(op), axis=0, fmt=x.format)


def _reduction(op: Op) -> str:
    mode = op.text("reduction", "none")
    if mode not in ("none", "add"):
        op.refuse(f"reduction {mode!r}", "be none or add")
    return "add" if mode == "add" else "replace"


def one_hot(op: Op) -> Result:
    """Compares the number with every class; ``values`` other than 0 and 1 are then chosen between."""
    index, depth = op.x(0), op.known_ints(1, what="a number of classes")[0]
    if not 0 <= depth <= MOST_GENERATED:
        op.refuse(f"{depth:,} classes", f"be at most {MOST_GENERATED:,}")
    rank = len(index.shape) + 1
    axis = op.axis(op.integer("axis", -1), rank)
    shape: Shape = (*index.shape[:axis], 1, *index.shape[axis:])
    classes = op.builder.constant(np.arange(depth), "classes", INT64)
    spread = op.builder.reshape(classes, tuple(depth if a == axis else 1 for a in range(rank)))
    hit = op.elementwise("equal", op.builder.reshape(index, shape), spread)
    values = op.known(2, "values")
    fmt = op.required(2).format
    if values.reshape(-1).tolist() == [0, 1]:
        return op.emit("move", hit, op="cast", fmt=fmt)
    off, on = (op.builder.reshape(op.slice(op.x(2), 0, place, place + 1), ()) for place in (0, 1))
    return op.elementwise("where", hit, on, off)


def trilu(op: Op) -> Value:
    """A constant mask selects the element or zero."""
    x = op.x()
    k = op.known_ints(1, (0,), "a diagonal")[0]
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


# Generated constants are stored in full (rule S2); this bounds the file that they make.
MOST_GENERATED = 1 << 24

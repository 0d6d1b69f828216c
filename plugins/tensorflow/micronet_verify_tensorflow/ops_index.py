"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

import math

import numpy as np

from micronet_verify.plugin import INT64, MOST_GENERATED, Operand, Result, Shape, Value
from micronet_verify_tensorflow.op import Op, Rule
from micronet_verify_tensorflow.operands import Handle


def gather(op: Op) -> Result:
    """Slices along an axis: one by a constant number is a slice, several are a permutation, by the data a look-up."""
    x, index = table(op), op.operand(1)
    axis, batch = op.axis(op.known_int(2, "an axis") if op.has(2) else 0, len(x.shape)), op.integer("batch_dims", 0)
    if batch:
        batch = op.axis(batch, len(index.shape) + 1)
        return op.emit("lookup", x.value, index.value, op="gather", axis=axis, batch=batch)
    size, lead, tail = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
    if index.known is not None:
        if index.known.size and (index.known.min() < 0 or index.known.max() >= size):
            op.refuse(f"an index outside of an axis of {size}", "lie within it")
        if index.numel == 1:
            place = int(index.known.reshape(-1)[0])
            return op.builder.reshape(op.slice(x.value, axis, place, place + 1), (*lead, *index.shape, *tail))
    if index.static:
        places = op.builder.reshape(index.value, (index.numel,))
        return op.builder.reshape(op.emit("permute", x.value, places, op="index", axis=axis), (*lead, *index.shape, *tail))
    return op.emit("lookup", x.value, index.value, op="embedding" if x.static and axis == 0 else "gather", axis=axis)


def table(op: Op) -> Operand:
    """What is looked into: a tensor, or a variable by its handle."""
    table = op.item(0)
    return table.operand if isinstance(table, Handle) else op.operand(0)


def gather_nd(op: Op) -> Value:
    """Slices chosen by tuples of numbers. Constant tuples are places on one axis, into which the axes that they name are merged."""
    x, index, batch = table(op).value, op.operand(1), op.integer("batch_dims", 0)
    tuples = index.numbers
    named = index.shape[-1] if index.shape else 0
    if tuples is None or batch or not 0 < named <= len(x.shape):
        return op.emit("lookup", x, index.value, op="nd", axis=0, batch=batch or None)
    sizes = x.shape[:named]
    if tuples.size and (tuples.min() < 0 or (tuples >= np.array(sizes)).any()):
        op.refuse(f"a tuple outside of {sizes}", "lie within it")
    places = np.ravel_multi_index(tuple(np.moveaxis(tuples.astype(np.int64), -1, 0)), sizes).reshape(-1)
    flat = op.builder.constant(places, f"{op.node.name} places", INT64)
    merged = op.builder.reshape(x, (math.prod(sizes), *x.shape[named:]))
    return op.builder.reshape(op.emit("permute", merged, flat, op="index", axis=0), (*index.shape[:-1], *x.shape[named:]))


def scatter(function: str) -> Rule:
    """TensorScatterUpdate and its relatives: x, tuples of places, updates."""
    return lambda op: _scattered(op, function, op.x(), op.x(1), op.x(2))


def scatter_sub(op: Op) -> Value:
    return _scattered(op, "add", op.x(), op.x(1), op.elementwise("neg", op.x(2)))


def _scattered(op: Op, function: str, x: Value, tuples: Value, updates: Value) -> Value:
    return op.emit("scatter", x, tuples, updates, op=function, axis=0, places="nd", fmt=x.format)


def scatter_nd(op: Op) -> Value:
    """Indices, updates and a shape: zeros that are added to."""
    updates, shape = op.x(1), op.known_ints(2)
    if math.prod(shape) > MOST_GENERATED or min(shape, default=0) < 0:
        op.refuse(f"a generated tensor of shape {shape}", f"have at most {MOST_GENERATED:,} elements")
    zeros = op.expand(op.builder.scalar(0.0, updates.format), shape)
    return _scattered(op, "add", zeros, op.x(0), updates)


def one_hot(op: Op) -> Result:
    """Compares the number with every class; values other than 0 and 1 are then chosen between."""
    index, depth = op.x(0), op.known_int(1, "a number of classes")
    if not 0 <= depth <= MOST_GENERATED:
        op.refuse(f"{depth:,} classes", f"be at most {MOST_GENERATED:,}")
    rank = len(index.shape) + 1
    axis = op.axis(op.integer("axis", -1), rank)
    shape: Shape = (*index.shape[:axis], 1, *index.shape[axis:])
    classes = op.builder.constant(np.arange(depth), "classes", INT64)
    spread = op.builder.reshape(classes, tuple(depth if at == axis else 1 for at in range(rank)))
    hit = op.elementwise("equal", op.builder.reshape(index, shape), spread)
    on, off = op.operand(2), op.operand(3)
    if _is(on, 1) and _is(off, 0):
        return op.emit("move", hit, op="cast", fmt=on.format)
    return op.elementwise("where", hit, on.value, off.value)


def _is(operand: Operand, number: float) -> bool:
    return operand.known is not None and operand.known.reshape(-1).tolist() == [number]


def band(op: Op) -> Value:
    """MatrixBandPart: a constant mask selects the element or zero."""
    x, lower, upper = op.x(), op.known_int(1, "a number of diagonals"), op.known_int(2, "a number of diagonals")
    rows, columns = x.shape[-2:]
    if rows * columns > MOST_GENERATED:
        op.refuse(f"a mask of {x.shape[-2:]}", f"have at most {MOST_GENERATED:,} elements")
    ones = np.ones((rows, columns), bool)
    mask = np.triu(ones, -lower if lower >= 0 else -rows) & np.tril(ones, upper if upper >= 0 else columns)
    return op.elementwise("where", op.builder.constant(mask, "band"), x, op.scalar(0, x))

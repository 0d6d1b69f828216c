"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

import math

import numpy as np

from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Shape, Value
from micronet_verify_tensorflow.op import Op, Result, Rule
from micronet_verify_tensorflow.operands import Handle, Operand
from micronet_verify_tensorflow.ops_move import MOST_GENERATED


def gather(op: Op) -> Result:
    """Slices along an axis: one by a constant number is a slice, several are a permutation, by the data a look-up."""
    table = op.item(0)
    x = table.operand if isinstance(table, Handle) else op.operand(0)
    index = op.operand(1)
    axis = op.axis(op.known_int(2, "an axis") if op.has(2) else 0, len(x.shape))
    if op.integer("batch_dims", 0):
        op.refuse("a look-up with batch_dims", "be one table for all", "use one_hot and a product, or a table without batch")
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


def gather_nd(op: Op) -> Value:
    """Slices chosen by tuples of numbers: the axes that a tuple names are merged into one."""
    x, index = op.x(), op.operand(1)
    if not index.shape or index.shape[-1] > len(x.shape) or op.integer("batch_dims", 0):
        op.refuse(f"indices of shape {index.shape} into {x.shape}", "name axes that there are")
    named = index.shape[-1]
    merged = op.builder.reshape(x, (math.prod(x.shape[:named]), *x.shape[named:]))
    shape = index.shape[:-1]
    last = op.slice(index.value, len(index.shape) - 1, named - 1, named)
    if index.static:
        places = op.builder.reshape(last, (math.prod(shape),))
        return op.builder.reshape(op.emit("permute", merged, places, op="index", axis=0), (*shape, *x.shape[named:]))
    return op.emit("lookup", merged, op.builder.reshape(last, shape), op="gather", axis=0)


def scatter(function: str) -> Rule:
    """TensorScatterUpdate and TensorScatterAdd: x, indices, updates."""

    def rule(op: Op) -> Value:
        x = op.x()
        return op.emit("scatter", x, op.x(1), op.x(2), op=function, axis=0, fmt=x.format)

    return rule


def scatter_nd(op: Op) -> Value:
    """Indices, updates and a shape: zeros that are added to."""
    updates, shape = op.x(1), op.known_ints(2)
    if math.prod(shape) > MOST_GENERATED or min(shape, default=0) < 0:
        op.refuse(f"a generated tensor of shape {shape}", f"have at most {MOST_GENERATED:,} elements")
    zeros = op.expand(op.builder.scalar(0.0, updates.format), shape)
    return op.emit("scatter", zeros, op.x(0), updates, op="add", axis=0, fmt=updates.format)


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

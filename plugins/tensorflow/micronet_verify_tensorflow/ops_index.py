"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

import numpy as np

from micronet_verify.plugin import MOST_GENERATED, Operand, Value, look_ups, sole
from micronet_verify_tensorflow.op import Op, Rule
from micronet_verify_tensorflow.operands import Handle


def gather(op: Op) -> Value:
    """Slices along an axis."""
    x = table(op)
    axis = op.axis(op.known_int(2, "an axis") if op.has(2) else 0, len(x.shape))
    return look_ups.gathered(op, x.value, x.static, op.operand(1), axis, op.integer("batch_dims", 0))


def table(op: Op) -> Operand:
    """What is looked into: a tensor, or a variable by its handle."""
    table = op.item(0)
    return table.operand if isinstance(table, Handle) else op.operand(0)


def gather_nd(op: Op) -> Value:
    """Slices chosen by tuples of numbers."""
    return look_ups.gathered_by_tuples(op, table(op).value, op.operand(1), f"{op.node.name} places", op.integer("batch_dims", 0))


def scatter(function: str) -> Rule:
    """TensorScatterUpdate and its relatives: x, tuples of places, updates."""
    return lambda op: _scattered(op, function, op.x(), op.x(1), op.x(2))


def scatter_sub(op: Op) -> Value:
    return _scattered(op, "add", op.x(), op.x(1), op.elementwise("neg", op.x(2)))


def _scattered(op: Op, function: str, x: Value, tuples: Value, updates: Value) -> Value:
    return op.emit("scatter", x, tuples, updates, op=function, axis=0, places="nd", fmt=x.format)


def scatter_nd(op: Op) -> Value:
    """Indices, updates and a shape: zeros that are added to."""
    return look_ups.scattered_into_zeros(op, op.x(0), op.x(1), op.known_ints(2))


def one_hot(op: Op) -> Value:
    """Compares the number with every class; values other than 0 and 1 are then chosen between."""
    hit = look_ups.classes_hit(op, op.x(0), op.known_int(1, "a number of classes"), op.integer("axis", -1))
    on, off = op.operand(2), op.operand(3)
    if sole(on) == 1 and sole(off) == 0:
        return op.emit("move", hit, op="cast", fmt=on.format)
    return op.elementwise("where", hit, on.value, off.value)


def band(op: Op) -> Value:
    """MatrixBandPart: a constant mask selects the element or zero."""
    x, lower, upper = op.x(), op.known_int(1, "a number of diagonals"), op.known_int(2, "a number of diagonals")
    rows, columns = x.shape[-2:]
    if rows * columns > MOST_GENERATED:
        op.refuse(f"a mask of {x.shape[-2:]}", f"have at most {MOST_GENERATED:,} elements")
    ones = np.ones((rows, columns), bool)
    mask = np.triu(ones, -lower if lower >= 0 else -rows) & np.tril(ones, upper if upper >= 0 else columns)
    return op.elementwise("where", op.builder.constant(mask, "band"), x, op.scalar(0, x))

"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

import math

import numpy as np

from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Value
from micronet_verify_tflite.op import Op, Result
from micronet_verify_tflite.ops_move import MOST_GENERATED


def gather(op: Op) -> Result:
    """Slices along an axis: one by a constant number is a slice, several are a permutation, by the data a look-up."""
    x, index = op.required(0), op.required(1)
    axis = op.axis(op.integer("axis"), len(x.shape))
    if op.integer("batch_dims") and math.prod(x.shape[: op.integer("batch_dims")]) > 1:
        op.refuse(f"batch_dims={op.integer('batch_dims')} of {x.shape}", "be 0, or of axes of size 1", "gather each slice by itself")
    shape = index.shape[op.integer("batch_dims") :]
    size, lead, tail = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
    if index.known is not None and index.known.size and not 0 <= index.known.min() <= index.known.max() < size:
        op.refuse(f"an index outside of an axis of {size}", "lie within it")
    value, codes = op.carried()
    if index.known is not None and index.numel == 1:
        place = int(index.known.reshape(-1)[0])
        return op.moved(op.builder.reshape(op.slice(value, axis, place, place + 1), (*lead, *shape, *tail)), codes)
    flat = op.builder.reshape(index.value, (index.numel,)) if index.static else op.builder.reshape(index.value, shape)
    if index.static:
        found = op.emit("permute", value, flat, op="index", axis=axis)
        return op.moved(op.builder.reshape(found, (*lead, *shape, *tail)), codes)
    function = "embedding" if x.static and axis == 0 else "gather"
    return op.moved(op.emit("lookup", value, flat, op=function, axis=axis), codes)


def embedding_lookup(op: Op) -> Result:
    """ids, table: rows of a table; codes of a quantized table are scaled on the way."""
    if op.required(0).static:
        op.refuse("constant ids", "come from the input", "store the rows themselves")
    return op.emit("lookup", op.real(1), op.x(0), op="embedding", axis=0)


def gather_nd(op: Op) -> Result:
    """Slices chosen by tuples of numbers: the axes that a tuple names are merged into one."""
    index = op.required(1)
    x, codes = op.carried()
    named = index.shape[-1] if index.shape else 0
    if not index.shape or not 0 < named <= len(x.shape):
        op.refuse(f"indices of shape {index.shape} into {x.shape}", "name axes that there are")
    merged = op.builder.reshape(x, (math.prod(x.shape[:named]), *x.shape[named:]))
    shape = index.shape[:-1]
    # Where a tuple points is addressing, no work: one number of it stands for the place.
    last = op.slice(index.value, len(index.shape) - 1, named - 1, named)
    places = op.builder.reshape(last, (math.prod(shape),) if index.static else shape)
    if index.static:
        found = op.emit("permute", merged, places, op="index", axis=0)
        return op.moved(op.builder.reshape(found, (*shape, *x.shape[named:])), codes)
    return op.moved(op.emit("lookup", merged, places, op="gather", axis=0), codes)


def scatter_nd(op: Op) -> Value:
    """indices, updates, shape: updates are added into zeros."""
    shape, updates = op.known_ints(2), op.real(1)
    if math.prod(shape) > MOST_GENERATED or min(shape, default=0) < 0:
        op.refuse(f"a result of shape {shape}", f"have at most {MOST_GENERATED:,} elements")
    zeros = op.emit("move", op.scalar(0, updates), op="expand", shape=shape)
    return op.emit("scatter", zeros, op.x(0), updates, op="add", axis=0, fmt=updates.format)


def dynamic_update_slice(op: Op) -> Value:
    """x, update, begins: a piece of x is replaced."""
    x = op.real(0)
    return op.emit("scatter", x, op.x(2), op.real(1), op="replace", axis=0, fmt=x.format)


def one_hot(op: Op) -> Value:
    """indices, depth, on, off: compares the number with every class; values other than 1 and 0 are then chosen between."""
    index, depth = op.x(0), op.known_ints(1, "a number of classes")[0]
    if not 0 <= depth <= MOST_GENERATED:
        op.refuse(f"{depth:,} classes", f"be at most {MOST_GENERATED:,}")
    rank = len(index.shape) + 1
    axis = op.axis(op.integer("axis"), rank)
    classes = op.builder.constant(np.arange(depth), "classes", INT64)
    spread = op.builder.reshape(classes, tuple(depth if at == axis else 1 for at in range(rank)))
    hit = op.elementwise("equal", op.builder.reshape(index, (*index.shape[:axis], 1, *index.shape[axis:])), spread)
    values = [op.required(place).known for place in (2, 3)]
    if all(value is not None and value.size == 1 for value in values) and [float(np.asarray(v).reshape(-1)[0]) for v in values] == [1, 0]:
        fmt = op.out_format()
        return hit if fmt == hit.format else op.emit("move", hit, op="cast", fmt=fmt)
    on, off = (op.builder.reshape(op.real(place), ()) for place in (2, 3))
    return op.elementwise("where", hit, on, off)

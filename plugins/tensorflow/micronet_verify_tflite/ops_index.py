"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

import math

import numpy as np

from micronet_verify.plugin import INT64, MOST_GENERATED, Result, Value
from micronet_verify_tflite.op import Op


def gather(op: Op) -> Result:
    """Slices along an axis: one by a constant number is a slice, several are a permutation, by the data a look-up."""
    x, index = op.operand(0), op.operand(1)
    axis, batch = op.axis(op.integer("axis"), len(x.shape)), op.integer("batch_dims")
    if batch:
        batch = op.axis(batch, len(index.shape) + 1)
        value, codes = op.carried()
        return op.moved(op.emit("lookup", value, index.value, op="gather", axis=axis, batch=batch), codes)
    shape = index.shape
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
    if op.operand(0).static:
        op.refuse("constant ids", "come from the input", "store the rows themselves")
    return op.emit("lookup", op.real(1), op.x(0), op="embedding", axis=0)


def gather_nd(op: Op) -> Result:
    """Slices chosen by tuples of numbers. Constant tuples are places on one axis, into which the axes that they name are merged."""
    index, (x, codes) = op.operand(1), op.carried()
    named, tuples = index.shape[-1] if index.shape else 0, op.operand(1).numbers
    if tuples is None or not 0 < named <= len(x.shape):
        return op.moved(op.emit("lookup", x, index.value, op="nd", axis=0), codes)
    sizes = x.shape[:named]
    if tuples.size and (tuples.min() < 0 or (tuples >= np.array(sizes)).any()):
        op.refuse(f"a tuple outside of {sizes}", "lie within it")
    places = np.ravel_multi_index(tuple(np.moveaxis(tuples.astype(np.int64), -1, 0)), sizes).reshape(-1)
    merged = op.builder.reshape(x, (math.prod(sizes), *x.shape[named:]))
    found = op.emit("permute", merged, op.builder.constant(places, "places", INT64), op="index", axis=0)
    return op.moved(op.builder.reshape(found, (*index.shape[:-1], *x.shape[named:])), codes)


def scatter_nd(op: Op) -> Value:
    """indices, updates, shape: updates are added into zeros."""
    shape, updates = op.known_ints(2), op.real(1)
    if math.prod(shape) > MOST_GENERATED or min(shape, default=0) < 0:
        op.refuse(f"a result of shape {shape}", f"have at most {MOST_GENERATED:,} elements")
    zeros = op.emit("move", op.scalar(0, updates), op="expand", shape=shape)
    return op.emit("scatter", zeros, op.x(0), updates, op="add", axis=0, places="nd", fmt=updates.format)


def dynamic_update_slice(op: Op) -> Value:
    """x, update, begins: a piece of x is replaced. Begins are moved so that the piece fits; an axis that it fills begins at 0."""
    x, update, begins = op.real(0), op.real(1), op.x(2)
    if begins.shape != (len(x.shape),) or len(update.shape) != len(x.shape):
        op.refuse(f"an update of shape {update.shape} at begins of shape {begins.shape} in {x.shape}", "have as many axes")
    cut = [axis for axis, (size, whole) in enumerate(zip(update.shape, x.shape, strict=True)) if size != whole]
    if not cut:
        return update
    named = cut if len(cut) == 1 else list(range(cut[-1] + 1))
    grids = np.indices([update.shape[axis] for axis in named])

    def places(at: int, axis: int) -> Value:
        """Where each element of the update goes along an axis."""
        begin = op.builder.reshape(op.slice(begins, 0, axis, axis + 1), ())
        begin = op.elementwise("clip", begin, low=0.0, high=float(x.shape[axis] - update.shape[axis]))
        return op.elementwise("add", op.builder.constant(grids[at].astype(begins.format.name), "places"), begin)

    if len(named) == 1:
        return op.emit("scatter", x, places(0, cut[0]), update, op="replace", axis=cut[0], places="slices", fmt=x.format)
    parts = [op.builder.reshape(places(at, axis), (*grids[at].shape, 1)) for at, axis in enumerate(named)]
    tuples = op.emit("move", *parts, op="concat", axis=len(named))
    return op.emit("scatter", x, tuples, update, op="replace", axis=0, places="nd", fmt=x.format)


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
    values = [op.operand(place).known for place in (2, 3)]
    if all(value is not None and value.size == 1 for value in values) and [float(np.asarray(v).reshape(-1)[0]) for v in values] == [1, 0]:
        fmt = op.out_format()
        return hit if fmt == hit.format else op.emit("move", hit, op="cast", fmt=fmt)
    on, off = (op.builder.reshape(op.real(place), ()) for place in (2, 3))
    return op.elementwise("where", hit, on, off)

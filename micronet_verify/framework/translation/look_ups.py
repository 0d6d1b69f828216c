"""Look-ups, scatters and choices that every format has under a name of its own. A constant index is a permutation (rule O9)."""

from __future__ import annotations

from math import ceil, isfinite, prod

import numpy as np

from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Shape, Value
from micronet_verify.framework.translation.limits import MOST_GENERATED
from micronet_verify.framework.translation.op import Emitting, Op
from micronet_verify.framework.translation.operand import Operand, folded


def gathered(op: Emitting, x: Value, static: bool, index: Operand, axis: int, batch: int = 0) -> Value:
    """Slices along an axis: one by a constant number is a slice, several are a permutation, by the data a look-up.

    ``static``: no input of the model changes x. ``batch``: so many leading axes of both run side by side. Indices count from the front.
    """
    if batch:
        return op.emit("lookup", x, index.value, op="gather", axis=axis, batch=op.axis(batch, len(index.shape) + 1))
    size, out = x.shape[axis], (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
    if index.known is not None and index.known.size and not 0 <= index.known.min() <= index.known.max() < size:
        op.refuse(f"an index outside of an axis of {size}", "lie within it")
    if index.known is not None and index.numel == 1:
        place = int(index.known.reshape(-1)[0])
        return op.builder.reshape(op.slice(x, axis, place, place + 1), out)
    if index.static:
        places = op.builder.reshape(index.value, (index.numel,))
        return op.builder.reshape(op.emit("permute", x, places, op="index", axis=axis), out)
    return op.emit("lookup", x, index.value, op="embedding" if static and axis == 0 else "gather", axis=axis)


def gathered_by_tuples(op: Emitting, x: Value, index: Operand, label: str, batch: int = 0) -> Value:
    """Slices chosen by tuples of numbers. Constant tuples are places on one axis, into which the axes that they name are merged."""
    tuples, named = index.numbers, index.shape[-1] if index.shape else 0
    if tuples is None or batch or not 0 < named <= len(x.shape):
        return op.emit("lookup", x, index.value, op="nd", axis=0, batch=batch or None)
    sizes = x.shape[:named]
    if tuples.size and (tuples.min() < 0 or (tuples >= np.array(sizes)).any()):
        op.refuse(f"a tuple outside of {sizes}", "lie within it")
    places = np.ravel_multi_index(tuple(np.moveaxis(tuples.astype(np.int64), -1, 0)), sizes).reshape(-1)
    merged = op.builder.reshape(x, (prod(sizes), *x.shape[named:]))
    found = op.emit("permute", merged, op.builder.constant(places, label, INT64), op="index", axis=0)
    return op.builder.reshape(found, (*index.shape[:-1], *x.shape[named:]))


def scattered_into_zeros(op: Emitting, tuples: Value, updates: Value, shape: Shape) -> Value:
    """Updates at tuples of places, added into zeros."""
    zeros = op.expand(op.builder.scalar(0.0, updates.format), bounded(op, shape))
    return op.emit("scatter", zeros, tuples, updates, op="add", axis=0, places="nd", fmt=updates.format)


def classes_hit(op: Emitting, index: Value, depth: int, axis: int) -> Value:
    """One-hot as truth values: the number is compared with each of ``depth`` classes along a new axis."""
    if not 0 <= depth <= MOST_GENERATED:
        op.refuse(f"{depth:,} classes", f"be at most {MOST_GENERATED:,}")
    rank = len(index.shape) + 1
    axis = op.axis(axis, rank)
    classes = op.builder.constant(np.arange(depth), "classes", INT64)
    spread = op.builder.reshape(classes, tuple(depth if at == axis else 1 for at in range(rank)))
    return op.elementwise("equal", op.builder.reshape(index, (*index.shape[:axis], 1, *index.shape[axis:])), spread)


def bounded(op: Emitting, shape: Shape) -> Shape:
    """The shape of a tensor that an operator generates."""
    if min(shape, default=0) < 0 or prod(shape) > MOST_GENERATED:
        op.refuse(f"a generated tensor of shape {shape}", f"have at most {MOST_GENERATED:,} elements")
    return shape


def sequence(op: Op) -> Operand:
    """Start, limit (left out) and step, which must be constants: the sequence is stored as its values (rule S2)."""
    start, limit, delta = (op.known(index, "a bound").reshape(-1)[0].item() for index in range(3))
    count = ceil((limit - start) / delta) if delta and isfinite((limit - start) / delta) else MOST_GENERATED + 1
    if count > MOST_GENERATED:
        op.refuse(f"a sequence of {start} to {limit} by {delta}", f"have at most {MOST_GENERATED:,} numbers")
    dtype = op.known(0, "a bound").dtype
    return folded(op.builder, (start + delta * np.arange(max(count, 0))).astype(dtype), op.label(0))

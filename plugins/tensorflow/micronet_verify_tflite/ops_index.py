"""Choosing elements by index. A constant index is a permutation (rule O9); one from the data is a look-up."""

from __future__ import annotations

import numpy as np

from micronet_verify.plugin import Result, Value, look_ups
from micronet_verify_tflite.op import Op


def gather(op: Op) -> Result:
    """Slices along an axis."""
    x, index = op.operand(0), op.operand(1)
    value, codes = op.carried()
    found = look_ups.gathered(op, value, x.static, index, op.axis(op.integer("axis"), len(x.shape)), op.integer("batch_dims"))
    return op.moved(found, codes)


def embedding_lookup(op: Op) -> Result:
    """ids, table: rows of a table; codes of a quantized table are scaled on the way."""
    if op.operand(0).static:
        op.refuse("constant ids", "come from the input", "store the rows themselves")
    return op.emit("lookup", op.real(1), op.x(0), op="embedding", axis=0)


def gather_nd(op: Op) -> Result:
    """Slices chosen by tuples of numbers."""
    x, codes = op.carried()
    return op.moved(look_ups.gathered_by_tuples(op, x, op.operand(1), "places"), codes)


def scatter_nd(op: Op) -> Value:
    """indices, updates, shape: updates are added into zeros."""
    return look_ups.scattered_into_zeros(op, op.x(0), op.real(1), op.known_ints(2))


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
    hit = look_ups.classes_hit(op, op.x(0), op.known_ints(1, "a number of classes")[0], op.integer("axis"))
    values = [op.operand(place).known for place in (2, 3)]
    if all(value is not None and value.size == 1 for value in values) and [float(np.asarray(v).reshape(-1)[0]) for v in values] == [1, 0]:
        fmt = op.out_format()
        return hit if fmt == hit.format else op.emit("move", hit, op="cast", fmt=fmt)
    on, off = (op.builder.reshape(op.real(place), ()) for place in (2, 3))
    return op.elementwise("where", hit, on, off)

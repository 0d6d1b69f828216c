"""``lookup``, ``permute``, ``scatter`` and ``select``: elements found, written or chosen by their places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from micronet_verify.facts.shapes import integer, text
from micronet_verify.interpreter.node_call import Array, Missing, NodeCall, Operands, number_type


def lookup(call: NodeCall, operands: Operands) -> Array:
    """table, indices; negative indices count from the end."""
    table, index = operands[0], operands[1].astype(np.int64, copy=False)
    op, axis, batch = text(call.attributes, "op"), integer(call.attributes, "axis"), integer(call.attributes, "batch")
    if op == "elements":
        return np.asarray(table[_beside(index, axis)])
    if op == "nd":
        return np.asarray(table[(*_leading(index.shape[:batch], index.ndim - 1), *np.moveaxis(index, -1, 0))])
    if not batch:
        return np.take(table, index, axis)
    table = np.moveaxis(table, axis, batch)
    found = table[(*_leading(index.shape[:batch], index.ndim), index)]
    # What lay between the batch and the axis comes before the indices again.
    between = axis - batch
    return np.asarray(np.moveaxis(found, range(index.ndim, index.ndim + between), range(batch, batch + between)))


def _beside(index: Array, axis: int) -> tuple[Array, ...]:
    """Places of single elements: ``index`` on ``axis``, their own places on the other axes."""
    grids: tuple[Array, ...] = np.indices(index.shape, sparse=True)
    return tuple(index if at == axis else grid for at, grid in enumerate(grids))


def _leading(sizes: tuple[int, ...], rank: int) -> tuple[Array, ...]:
    """The places of the batch axes, broadcast against indices of ``rank`` axes."""
    return tuple(np.arange(size).reshape(-1, *(1,) * (rank - at - 1)) for at, size in enumerate(sizes))


def permute(call: NodeCall, operands: Operands) -> Array:
    """Elements along an axis by a constant index, or the other way round."""
    axis = integer(call.attributes, "axis")
    if call.attributes["op"] == "flip":
        return np.flip(operands[0], axis)
    return np.take(operands[0], operands[1].astype(np.int64, copy=False), axis)


_AT: dict[str, Callable[..., Any]] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def scatter(call: NodeCall, operands: Operands) -> Array:
    """x with updates written, or joined, at the places that the indices name; later ones after earlier ones."""
    op, places, axis = text(call.attributes, "op"), call.attributes.get("places"), integer(call.attributes, "axis")
    if places is None:
        raise Missing(call.node, f"scatter {op} that does not say which places it writes")
    dtype = number_type(call.result.format, call.double)
    out, index = operands[0].astype(dtype, copy=True), operands[1].astype(np.int64, copy=False)
    where: tuple[Any, ...]
    if places == "slices":
        where, shape = (*(slice(None),) * axis, index), (*out.shape[:axis], *index.shape, *out.shape[axis + 1 :])
    elif places == "elements":
        where, shape = _beside(index, axis), index.shape
    else:
        where, shape = tuple(np.moveaxis(index, -1, 0)), (*index.shape[:-1], *out.shape[index.shape[-1] :])
    updates = np.broadcast_to(operands[2].astype(dtype, copy=False), shape)
    if op == "replace":
        out[where] = updates
    else:
        _AT[op].at(out, where, updates)  # type: ignore[attr-defined]
    return out


def select(call: NodeCall, operands: Operands) -> Array | tuple[Array, ...]:
    """argmax and argmin: the places; topk and sort: values and places. Equal values keep their order."""
    op, axis, x = text(call.attributes, "op"), integer(call.attributes, "axis"), operands[0]
    if op in ("argmax", "argmin"):
        find = np.argmax if op == "argmax" else np.argmin
        found = x.shape[axis] - 1 - find(np.flip(x, axis), axis=axis) if call.attributes.get("last") else find(x, axis=axis)
        return np.expand_dims(found, axis) if call.attributes.get("keepdims") else np.asarray(found)
    rising = bool(call.attributes.get("smallest")) if op == "topk" else not call.attributes.get("descending")
    order = np.argsort(x, axis=axis, kind="stable") if rising else _falling(x, axis)
    if op == "topk":
        order = np.take(order, np.arange(integer(call.attributes, "k", x.shape[axis])), axis)
    return np.take_along_axis(x, order, axis), order


def _falling(x: Array, axis: int) -> Array:
    """The order from the greatest to the least, the earlier of equal values first."""
    backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.asarray(x.shape[axis] - 1 - np.flip(backwards, axis))

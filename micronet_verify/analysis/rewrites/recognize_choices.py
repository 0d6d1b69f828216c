"""Sees that look-ups at constant places of computed tensors choose elements, or put them in another order (rule O9).

A look-up with a constant index is a ``permute``, in every way in which it may be written: slices of an axis, element by element,
tuples. So it costs what the same order costs in any other spelling, and is followed with the moves around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.node_writer import NodeWriter
from micronet_verify.analysis.tensors.constants import derived
from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Node, Shape
from micronet_verify.facts.shapes import integer

Places = NDArray[np.int64]
# More places than this are not looked through.
_MOST = 1 << 24


def recognize_choices(graph: EditableGraph) -> None:
    """Every such look-up becomes moves; orders are added to the constants."""
    if any(node.kind == "lookup" for node in graph.nodes):
        graph.sweep(lambda node: _read(graph, node))


def _read(graph: EditableGraph, node: Node) -> Sequence[Node]:
    constants = graph.constants
    if node.kind != "lookup" or node.inputs[1] not in constants or node.inputs[0] in constants or constants[node.inputs[1]].numel > _MOST:
        return (node,)
    table, index = graph.values[node.inputs[0]], constants[node.inputs[1]]
    found = chosen(node, table.shape, np.asarray(index.load(), np.int64))
    if found is None:
        return (node,)
    (first, last), places = found
    writer = NodeWriter(graph, node)
    order = writer.constant("order", derived(f"{writer.result}.order", f"{index.label}, the order", places.reshape(-1), INT64))
    lead, tail = table.shape[:first], table.shape[last:]
    x = writer.reshape(table.id, (*lead, prod(table.shape[first:last]), *tail))
    return writer.end(writer.emit("permute", (x, order), (*lead, places.size, *tail), {"op": "index", "axis": first}))


def chosen(node: Node, table: Shape, index: Places) -> tuple[tuple[int, int], Places] | None:
    """The axes of the table (first, behind the last) that are flattened, and the places that are chosen on them.

    Leading axes that have each the same index all along are no part of it. ``None`` where an index lies outside, or runs
    side by side with axes between which others stand.
    """
    op, axis, batch = node.attributes["op"], integer(node.attributes, "axis"), integer(node.attributes, "batch")
    if op == "elements":
        if any(given > size for at, (given, size) in enumerate(zip(index.shape, table, strict=True)) if at != axis):
            return None
        apart = _side_by_side(index, table[:axis])
        own: list[Places] = list(np.indices(index.shape[apart:], sparse=True))
        own[axis - apart] = index[(0,) * apart]
        return _flat((apart, len(table)), table, own)
    if op == "nd":
        apart = _side_by_side(index, table[:batch])
        inside = index[(0,) * apart]
        own = list(np.indices(inside.shape[:-1], sparse=True))[: batch - apart]
        return _flat((apart, batch + index.shape[-1]), table, own + [inside[..., at] for at in range(index.shape[-1])])
    if _side_by_side(index, table[:batch]) < batch:
        return None
    return _flat((axis, axis + 1), table, [index[(0,) * batch]])


def _side_by_side(index: Places, extents: Shape) -> int:
    for axis, size in enumerate(extents):
        if index.shape[axis] != size or (index != index.take([0], axis)).any():
            return axis
    return len(extents)


def _flat(axes: tuple[int, int], table: Shape, own: list[Places]) -> tuple[tuple[int, int], Places] | None:
    extents = table[axes[0] : axes[1]]
    if not own or any(place.size and (place.min() < -size or place.max() >= size) for place, size in zip(own, extents, strict=True)):
        return None
    places = np.broadcast_arrays(*(np.where(place < 0, place + size, place) for place, size in zip(own, extents, strict=True)))
    return axes, np.ravel_multi_index(tuple(places), extents).astype(np.int64)

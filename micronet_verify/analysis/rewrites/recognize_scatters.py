"""Sees that updates at constant places only say which element goes where: a scatter is a gather, read backwards (rule O9).

``y[:, ::2] = a; y[:, 1::2] = b``, ScatterND with constant tuples and ``index_put`` all come to one order of the elements of
what was written. Where nothing of a constant that was there before is left, that order is written as joined pieces or as a
``permute``, and costs what it costs in any other spelling. Where something is left, the updates are put in the order of
their places first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.node_writer import NodeWriter
from micronet_verify.analysis.tensors.constants import derived
from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Attribute, Node, Shape
from micronet_verify.facts.shapes import integer

Places = NDArray[np.int64]
# More places than this are not looked through.
_MOST = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class _Assembled:
    """A tensor of ``shape``, of whose slices along ``axis`` the i-th is slice ``position[i]`` of ``sources[source[i]]``."""

    shape: Shape
    axis: int
    sources: tuple[str, ...]
    source: Places
    position: Places


def recognize_scatters(graph: EditableGraph) -> None:
    """Every such scatter becomes moves; orders are added to the constants."""
    if any(node.kind == "scatter" for node in graph.nodes):
        graph.sweep(_Scatters(graph).read)


class _Scatters:
    """Reads nodes in order; ``_assembled`` says of what each scattered tensor consists."""

    def __init__(self, graph: EditableGraph) -> None:
        self._graph, self._values, self._constants = graph, graph.values, graph.constants
        self._assembled: dict[str, _Assembled] = {}

    def read(self, node: Node) -> Sequence[Node]:
        if node.kind != "scatter" or node.attributes["op"] != "replace" or node.inputs[1] not in self._constants:
            return (node,)
        found = self._places(node)
        if found is None:
            return (node,)
        shape, axis, places = found
        whole = self._after(node, shape, axis, places)
        self._assembled[node.outputs[0]] = whole
        writer = NodeWriter(self._graph, node)
        used = [whole.sources[at] for at in dict.fromkeys(whole.source.tolist())]
        if any(name in self._constants for name in used):
            return self._in_order(writer, shape, axis, places) or (node,)
        return writer.end(self._written(writer, whole, used))

    def _places(self, node: Node) -> tuple[Shape, int, Places] | None:
        """(shape of the tensor in which places are slices of one axis, that axis, the places), if each has its update."""
        x, updates = self._shape(node.inputs[0]), self._shape(node.inputs[2])
        index, kind, axis = self._constants[node.inputs[1]], node.attributes.get("places"), integer(node.attributes, "axis")
        if kind is None or not index.numel or index.numel > _MOST or prod(x) > _MOST:
            return None
        places = np.asarray(index.load(), np.int64)
        if kind == "slices":
            shape, wanted, flat = x, (*x[:axis], *places.shape, *x[axis + 1 :]), places.reshape(-1)
        elif kind == "nd":
            lead = places.shape[-1]
            shape, wanted, axis = (prod(x[:lead]), *x[lead:]), (*places.shape[:-1], *x[lead:]), 0
            flat = self._raveled([places[..., at] for at in range(lead)], x[:lead])
        else:
            wanted = places.shape
            at = [places if each == axis else np.asarray(own, np.int64) for each, own in enumerate(np.indices(places.shape))]
            shape, axis, flat = (prod(x),), 0, self._raveled(at, x)
        if updates != wanted or not shape[axis]:
            return None
        flat = np.where(flat < 0, flat + shape[axis], flat)
        return (shape, axis, flat) if bool(((flat >= 0) & (flat < shape[axis])).all()) else None

    @staticmethod
    def _raveled(places: list[Places], extents: Shape) -> Places:
        flat = np.zeros(places[0].shape, np.int64)
        for each, extent in zip(places, extents, strict=True):
            flat = flat * extent + np.where(each < 0, each + extent, each)
        return flat.reshape(-1)

    def _after(self, node: Node, shape: Shape, axis: int, places: Places) -> _Assembled:
        before = self._assembled.get(node.inputs[0])
        if before is None or (before.shape, before.axis) != (shape, axis):
            length = shape[axis]
            before = _Assembled(shape, axis, (node.inputs[0],), np.zeros(length, np.int64), np.arange(length))
        source, position = before.source.copy(), before.position.copy()
        source[places], position[places] = len(before.sources), np.arange(len(places))
        return _Assembled(shape, axis, (*before.sources, node.inputs[2]), source, position)

    def _written(self, writer: NodeWriter, whole: _Assembled, used: list[str]) -> str:
        shape, axis = whole.shape, whole.axis
        lengths = [prod(self._shape(name)) // max(prod(shape) // shape[axis], 1) for name in used]
        pieces = [writer.reshape(name, (*shape[:axis], length, *shape[axis + 1 :])) for name, length in zip(used, lengths, strict=True)]
        begins = np.cumsum([0, *lengths[:-1]])
        rank = {source: used.index(name) for source, name in enumerate(whole.sources) if name in used}  # x may be its own update
        order = np.array([begins[rank[source]] for source in whole.source.tolist()], np.int64) + whole.position
        ends = np.append(np.flatnonzero(np.diff(order) != 1) + 1, len(order))
        runs = list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))
        if len(runs) <= len(used) + 1 and self._rise(whole, runs):
            parts = []
            for start, end in runs:
                at, first = rank[int(whole.source[start])], int(whole.position[start])
                parts.append(_slice(writer, pieces[at], axis, first, first + end - start, lengths[at]))
            return _concat(writer, parts, axis)
        joined = _concat(writer, pieces, axis)
        label = f"{self._constants[writer.node.inputs[1]].label}, the order"
        index = writer.constant("order", derived(f"{writer.result}.order", label, order, INT64))
        return writer.emit("permute", (joined, index), shape, {"op": "index", "axis": axis})

    @staticmethod
    def _rise(whole: _Assembled, runs: list[tuple[int, int]]) -> bool:
        """Whether the runs of each source come in its own order: joined pieces, and nothing shuffled."""
        last: dict[int, int] = {}
        for start, end in runs:
            source, first = int(whole.source[start]), int(whole.position[start])
            if first < last.get(source, 0):
                return False
            last[source] = first + end - start
        return True

    def _in_order(self, writer: NodeWriter, shape: Shape, axis: int, places: Places) -> Sequence[Node]:
        """The scatter of updates that stand in the order of their places, each once; nothing where they do already."""
        if bool((np.diff(places) > 0).all()):
            return ()
        last, node = {place: at for at, place in enumerate(places.tolist())}, writer.node
        order, label = np.array([last[place] for place in sorted(last)], np.int64), self._constants[node.inputs[1]].label
        chosen = writer.constant("order", derived(f"{writer.result}.order", label, order, INT64))
        at = writer.constant("places", derived(f"{writer.result}.places", label, np.array(sorted(last), np.int64), INT64))
        updates = self._reshape(writer, node.inputs[2], (*shape[:axis], len(places), *shape[axis + 1 :]))
        wanted = (*shape[:axis], len(order), *shape[axis + 1 :])
        updates = writer.emit("permute", (updates, chosen), wanted, {"op": "index", "axis": axis})
        x = self._reshape(writer, node.inputs[0], shape)
        return writer.end(writer.emit("scatter", (x, at, updates), shape, {"op": "replace", "axis": axis, "places": "slices"}))

    def _shape(self, name: str) -> Shape:
        return self._constants[name].shape if name in self._constants else self._values[name].shape

    def _reshape(self, writer: NodeWriter, name: str, shape: Shape) -> str:
        """A value or a constant in another shape."""
        if name in self._constants and self._shape(name) != shape:
            return writer.constant(name, self._constants[name].viewed(shape, lambda array: array.reshape(shape)))
        return writer.reshape(name, shape)


def _slice(writer: NodeWriter, name: str, axis: int, start: int, end: int, length: int) -> str:
    if (start, end) == (0, length):
        return name
    shape = writer.shape(name)
    cut: dict[str, Attribute] = {"op": "slice", "axes": (axis,), "starts": (start,), "ends": (end,), "steps": (1,)}
    return writer.emit("move", (name,), (*shape[:axis], end - start, *shape[axis + 1 :]), cut)


def _concat(writer: NodeWriter, parts: list[str], axis: int) -> str:
    if len(parts) == 1:
        return parts[0]
    shape, length = writer.shape(parts[0]), sum(writer.shape(part)[axis] for part in parts)
    return writer.emit("move", tuple(parts), (*shape[:axis], length, *shape[axis + 1 :]), {"op": "concat", "axis": axis})

"""Sees that updates at constant places only say which element goes where: a scatter is a gather, read backwards (rule O9).

``y[:, ::2] = a; y[:, 1::2] = b``, ScatterND with constant tuples and ``index_put`` all come to one order of the elements of
what was written. Where nothing of a constant that was there before is left, that order is written as joined pieces or as a
``permute``, and costs what it costs in any other spelling. Where something is left, the updates are put in the order of
their places first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Constant, derived
from micronet_verify.analysis.uses import prune
from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Attribute, Graph, Node, Shape, Value
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


def recognize_scatters(graph: Graph, pool: dict[str, Constant]) -> Graph:
    """The graph with every such scatter written as moves; orders are added to ``pool``."""
    if not any(node.kind == "scatter" for node in graph.nodes):
        return graph
    writer = _Writer(dict(graph.values), pool)
    nodes = tuple(new for node in graph.nodes for new in writer.read(node))
    return prune(replace(graph, nodes=nodes, values=writer.values))[0]


class _Writer:
    """Reads nodes in order; ``_assembled`` says of what each scattered tensor consists."""

    def __init__(self, values: dict[str, Value], pool: dict[str, Constant]) -> None:
        self.values, self._pool = values, pool
        self._assembled: dict[str, _Assembled] = {}
        self._nodes: list[Node] = []

    def read(self, node: Node) -> Sequence[Node]:
        if node.kind != "scatter" or node.attributes["op"] != "replace" or node.inputs[1] not in self._pool:
            return (node,)
        found = self._places(node)
        if found is None:
            return (node,)
        shape, axis, places = found
        whole = self._after(node, shape, axis, places)
        self._assembled[node.outputs[0]] = whole
        self._nodes = []
        used = [whole.sources[at] for at in dict.fromkeys(whole.source.tolist())]
        if any(name in self._pool for name in used):
            return self._in_order(node, shape, axis, places) or (node,)
        y = self._written(node, whole, used)
        self._end(node, y)
        return self._nodes

    def _places(self, node: Node) -> tuple[Shape, int, Places] | None:
        """(shape of the tensor in which places are slices of one axis, that axis, the places), if each has its update."""
        x, updates = self._shape(node.inputs[0]), self._shape(node.inputs[2])
        index, kind, axis = self._pool[node.inputs[1]], node.attributes.get("places"), integer(node.attributes, "axis")
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

    def _written(self, node: Node, whole: _Assembled, used: list[str]) -> str:
        shape, axis = whole.shape, whole.axis
        lengths = [prod(self._shape(name)) // max(prod(shape) // shape[axis], 1) for name in used]
        pieces = [
            self._reshape(node, name, (*shape[:axis], length, *shape[axis + 1 :])) for name, length in zip(used, lengths, strict=True)
        ]
        begins = np.cumsum([0, *lengths[:-1]])
        rank = {source: used.index(name) for source, name in enumerate(whole.sources) if name in used}  # x may be its own update
        order = np.array([begins[rank[source]] for source in whole.source.tolist()], np.int64) + whole.position
        ends = np.append(np.flatnonzero(np.diff(order) != 1) + 1, len(order))
        runs = list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))
        if len(runs) <= len(used) + 1 and self._rise(whole, runs):
            parts = []
            for start, end in runs:
                at, first = rank[int(whole.source[start])], int(whole.position[start])
                parts.append(self._slice(node, pieces[at], axis, first, first + end - start, lengths[at]))
            return self._concat(node, parts, axis)
        joined = self._concat(node, pieces, axis)
        index = f"{node.outputs[0]}.order"
        self._pool[index] = derived(index, f"{self._pool[node.inputs[1]].label}, the order", order, INT64)
        self.values[index] = Value(index, order.shape, INT64)
        return self._emit(node, "permute", (joined, index), shape, {"op": "index", "axis": axis})

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

    def _in_order(self, node: Node, shape: Shape, axis: int, places: Places) -> Sequence[Node]:
        """The scatter of updates that stand in the order of their places, each once; nothing where they do already."""
        if bool((np.diff(places) > 0).all()):
            return ()
        last = {place: at for at, place in enumerate(places.tolist())}
        order = np.array([last[place] for place in sorted(last)], np.int64)
        chosen, at = f"{node.outputs[0]}.order", f"{node.outputs[0]}.places"
        for name, array in ((chosen, order), (at, np.array(sorted(last), np.int64))):
            self._pool[name] = derived(name, self._pool[node.inputs[1]].label, array, INT64)
            self.values[name] = Value(name, array.shape, INT64)
        updates = self._reshape(node, node.inputs[2], (*shape[:axis], len(places), *shape[axis + 1 :]))
        updates = self._emit(
            node, "permute", (updates, chosen), (*shape[:axis], len(order), *shape[axis + 1 :]), {"op": "index", "axis": axis}
        )
        x = self._reshape(node, node.inputs[0], shape)
        self._end(node, self._emit(node, "scatter", (x, at, updates), shape, {"op": "replace", "axis": axis, "places": "slices"}))
        return self._nodes

    def _shape(self, name: str) -> Shape:
        return self._pool[name].shape if name in self._pool else self.values[name].shape

    def _reshape(self, node: Node, name: str, shape: Shape) -> str:
        if self._shape(name) == shape:
            return name
        if name in self._pool:
            at = f"{node.outputs[0]}.{name}"
            self._pool[at] = self._pool[name].viewed(shape, lambda array: array.reshape(shape))
            self.values[at] = Value(at, shape, self._pool[at].format)
            return at
        return self._emit(node, "move", (name,), shape, {"op": "reshape", "shape": shape})

    def _slice(self, node: Node, name: str, axis: int, start: int, end: int, length: int) -> str:
        if (start, end) == (0, length):
            return name
        shape = self.values[name].shape
        cut: dict[str, Attribute] = {"op": "slice", "axes": (axis,), "starts": (start,), "ends": (end,), "steps": (1,)}
        return self._emit(node, "move", (name,), (*shape[:axis], end - start, *shape[axis + 1 :]), cut)

    def _concat(self, node: Node, parts: list[str], axis: int) -> str:
        if len(parts) == 1:
            return parts[0]
        shape = self.values[parts[0]].shape
        length = sum(self.values[part].shape[axis] for part in parts)
        return self._emit(node, "move", tuple(parts), (*shape[:axis], length, *shape[axis + 1 :]), {"op": "concat", "axis": axis})

    def _emit(self, node: Node, kind: str, inputs: tuple[str, ...], shape: Shape, attributes: dict[str, Attribute]) -> str:
        name = f"{node.outputs[0]}.{len(self._nodes)}"
        self.values[name] = replace(self.values[node.outputs[0]], id=name, shape=shape)
        self._nodes.append(Node(kind, inputs, (name,), attributes, node.source, node.scope))
        return name

    def _end(self, node: Node, name: str) -> None:
        """The node's own result, from the last thing written."""
        shape = self.values[node.outputs[0]].shape
        self._nodes.append(Node("move", (name,), node.outputs, {"op": "reshape", "shape": shape}, node.source, node.scope))

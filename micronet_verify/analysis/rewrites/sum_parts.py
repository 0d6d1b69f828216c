"""Of which elements of which tensor a moved value consists, element by element: for sums of parts of one tensor (rule O18)."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites import evaluate
from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.sum_matrices import Entries
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import integer, ints

Places = NDArray[np.int64]
# Values of more elements are not looked through.
_MOST = 1 << 22
_CHOOSING = frozenset({"concat", "pad"})


class Parts:
    """Follows moves of one tensor; ``source`` names it."""

    def __init__(self, graph: EditableGraph) -> None:
        self._values, self._constants = graph.values, graph.constants
        self._made: dict[str, Node] = {}
        self._source: dict[str, str] = {}
        self._chosen: set[str] = set()
        self._places: dict[str, Places] = {}
        for node in graph.nodes:
            self._read(node)

    def source(self, name: str) -> str:
        """The tensor of which a value is a part; the value itself where nothing moved it."""
        node = self._made.get(name)
        if node is not None and node.kind == "reduce":
            return self.source(node.inputs[0])
        return self._source.get(name, name)

    def is_chosen(self, name: str) -> bool:
        """Whether moves have picked or joined parts that a reshape and a slice alone do not."""
        return name in self._chosen

    def is_reduced(self, name: str) -> bool:
        """Whether a value is the sum along axes of such parts."""
        return name in self._made and self._made[name].kind == "reduce"

    def _read(self, node: Node) -> None:
        if node.kind == "reduce" and node.attributes["op"] in ("sum", "mean") and node.inputs[0] in self._chosen:
            self._made[node.outputs[0]] = node
            return
        if not self._moves(node):
            return
        moved = node.inputs if node.kind == "move" else node.inputs[:1]
        sources = {self._source.get(name, name) for name in moved}
        if len(sources) > 1 or any(name in self._constants or self.is_reduced(name) for name in moved):
            return
        chosen = node.kind != "move" or node.attributes["op"] in _CHOOSING or not self._chosen.isdisjoint(moved)
        for result, piece in zip(node.outputs, evaluate.pieces(node), strict=True):
            self._made[result], self._source[result] = piece, next(iter(sources))
            if chosen:
                self._chosen.add(result)

    def _moves(self, node: Node) -> bool:
        op = node.attributes.get("op")
        if node.kind == "move":
            if op == "pad":
                return node.attributes.get("value", 0) == 0 and node.attributes.get("mode", "constant") == "constant"
            return op != "cast"
        if node.kind == "permute":
            return len(node.inputs) == 1 or node.inputs[1] in self._constants
        return (
            node.kind == "lookup"
            and op in ("gather", "embedding")
            and node.inputs[1] in self._constants
            and not node.attributes.get("batch")
        )

    def entries(self, name: str) -> Entries | None:
        """(elements of the value, elements of its source, factors); ``None`` for one of too many elements."""
        node = self._made.get(name)
        if node is None or node.kind != "reduce":
            places = self._element(name)
            if places is None:
                return None
            flat = places.reshape(-1)
            rows = np.flatnonzero(flat >= 0)
            return Entries(rows, flat[rows], np.ones(len(rows)))
        places = self._element(node.inputs[0])
        if places is None:
            return None
        axes = ints(node.attributes, "axes")
        kept = [1 if axis in axes else size for axis, size in enumerate(places.shape)]
        numbers = np.broadcast_to(np.arange(prod(kept)).reshape(kept), places.shape).reshape(-1)
        flat = places.reshape(-1)
        taken = flat >= 0
        many = prod(places.shape[axis] for axis in axes)
        factor = 1.0 if node.attributes["op"] == "sum" else 1 / max(many, 1)
        return Entries(numbers[taken], flat[taken], np.full(int(taken.sum()), factor))

    def _element(self, name: str) -> Places | None:
        """For each element of a value, the number of the element of the source that it is; −1 for a zero."""
        if name in self._places:
            return self._places[name]
        shape, node = self._values[name].shape, self._made.get(name)
        if prod(shape) > _MOST:
            return None
        if node is None:
            return self._places.setdefault(name, np.arange(prod(shape)).reshape(shape))
        moved = node.inputs if node.kind == "move" else node.inputs[:1]
        operands = [self._element(each) for each in moved]
        if any(each is None for each in operands):
            return None
        known = [each for each in operands if each is not None]
        found = self._moved(node, known)
        self._places[name] = found
        return found

    def _moved(self, node: Node, operands: list[Places]) -> Places:
        if node.kind == "lookup" or (node.kind == "permute" and len(node.inputs) > 1):
            places, axis = np.asarray(self._constants[node.inputs[1]].load(), np.int64), integer(node.attributes, "axis")
            return np.take(operands[0], places, axis)
        if node.kind == "move" and node.attributes["op"] == "pad":
            padding, rank = ints(node.attributes, "padding"), operands[0].ndim
            return np.pad(operands[0], [(padding[at], padding[rank + at]) for at in range(rank)], constant_values=-1)
        return evaluate.moved(node, list(operands))

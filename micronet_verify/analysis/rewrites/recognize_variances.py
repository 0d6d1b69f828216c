"""Sees that the mean of x² less the square of the mean of x is the mean of (x − mean)² (rule O4).

Only where x − mean is computed anyway, as a norm does: then the second costs a product and a difference less per mean. Norms of
ONNX are defined by the first, and those of other frameworks by the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.facts.graph import Node


def recognize_variances(graph: EditableGraph) -> None:
    """Every such difference becomes the mean of the squares of differences. Nothing else may read what is in between."""
    graph.sweep(_Finder(graph).read)


class _Finder:
    """Looks behind differences; ``early`` are the x − mean that are computed ahead of their place."""

    def __init__(self, graph: EditableGraph) -> None:
        self._graph, self._values, self._made = graph, graph.values, graph.producers
        self.early, self._done = set[str](), set[str]()

    def read(self, node: Node) -> Iterator[Node]:
        if self.early.intersection(node.outputs):
            return
        found = self._found(node) if node.kind == "elementwise" and node.attributes["op"] == "sub" else None
        self._done.update(node.outputs)
        if found is None:
            yield node
            return
        mean, centred = found
        (difference,) = centred.outputs
        if difference not in self._done:
            self.early.add(difference)
            yield centred
        square = f"{node.outputs[0]}.square"
        self._values[square] = replace(self._values[difference], id=square, constant=None)
        yield Node("elementwise", (difference,), (square,), {"op": "square"}, node.source, node.scope)
        yield replace(mean, inputs=(square,), outputs=node.outputs)

    def _found(self, node: Node) -> tuple[Node, Node] | None:
        """The mean of x, and the node of x − mean."""
        squares = self._mean(node.inputs[0])
        inner, own = (None if squares is None else self._squared(squares.inputs[0])), self._squared(node.inputs[1])
        mean = None if own is None else self._made.get(own)
        if squares is None or inner is None or own is None or mean is None or mean.kind != "reduce" or mean.inputs != (inner,):
            return None
        if dict(mean.attributes) != dict(squares.attributes) or not mean.attributes["keepdims"]:
            return None
        x, formats = self._values[inner], {self._values[name].format for name in (inner, own, *node.inputs, *node.outputs)}
        for reader in self._graph.readers.get(own, ()):
            if reader.kind == "elementwise" and reader.attributes["op"] == "sub" and reader.inputs == (inner, own):
                same = self._values[reader.outputs[0]].shape == x.shape and formats == {self._values[reader.outputs[0]].format}
                return (mean, reader) if same and x.format.family == "float" else None
        return None

    def _mean(self, name: str) -> Node | None:
        made = self._alone(name)
        return made if made is not None and made.kind == "reduce" and made.attributes["op"] == "mean" else None

    def _squared(self, name: str) -> str | None:
        """x, where ``name`` is x² or x·x."""
        made = self._alone(name)
        if made is None or made.kind != "elementwise":
            return None
        twice = made.attributes["op"] == "mul" and made.inputs[0] == made.inputs[1]
        return made.inputs[0] if twice or made.attributes["op"] == "square" else None

    def _alone(self, name: str) -> Node | None:
        """The node that makes ``name``, if nothing else reads it."""
        return self._made.get(name) if self._graph.is_read_once(name) else None

"""Sees a softmax in e^(x − max x) / Σ e^(x − max x), and its logarithm in x − max x − ln Σ e^(x − max x) (rule O4).

Taking the maximum off changes nothing but the range; the operator does it, too, and is not charged for it.
"""

from __future__ import annotations

from dataclasses import replace

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import ints


def recognize_softmaxes(graph: EditableGraph) -> None:
    """Every softmax that is written out becomes one node. Nothing in it may be read by anything else."""
    finder = _Finder(graph)
    graph.put([finder.read(node) for node in graph.nodes])


class _Finder:
    def __init__(self, graph: EditableGraph) -> None:
        self._values, self._readers, self._outputs = graph.values, graph.readers, frozenset(graph.outputs)
        self._made = graph.producers

    def read(self, node: Node) -> Node:
        if node.kind == "elementwise" and node.attributes["op"] == "div":
            exponential, sums = node.inputs
            return self._softmax(node, "softmax", self._powers(exponential, 2), sums, exponential)
        if node.kind == "elementwise" and node.attributes["op"] == "sub":
            shifted, logarithm = node.inputs
            log = self._one(logarithm, "log", 1)
            total = None if log is None else self._reduced(log.inputs[0], "sum", 1)
            if total is None or self._powers(total.inputs[0], 1) != shifted:
                return node
            return self._softmax(node, "log_softmax", shifted, total.outputs[0], total.inputs[0])
        return node

    def _softmax(self, node: Node, op: str, shifted: str | None, sums: str, exponential: str) -> Node:
        total = self._reduced(sums, "sum", 1)
        if shifted is None or total is None or total.inputs[0] != exponential:
            return node
        shift = self._one(shifted, "sub", 1 if op == "softmax" else 2)
        if shift is None:
            return node
        x, largest = shift.inputs
        most, axes = self._reduced(largest, "max", 1), ints(total.attributes, "axes")
        same = (
            self._values[x].shape == self._values[node.outputs[0]].shape and self._values[x].format == self._values[node.outputs[0]].format
        )
        if most is None or most.inputs[0] != x or ints(most.attributes, "axes") != axes or not same:
            return node
        return replace(node, kind="softmax", inputs=(x,), attributes={"op": op, "axis": axes[0]})

    def _powers(self, name: str, readers: int) -> str | None:
        """d, where ``name`` is e^d."""
        made = self._one(name, "exp", readers)
        return None if made is None else made.inputs[0]

    def _one(self, name: str, op: str, readers: int) -> Node | None:
        made = self._known(name, readers)
        return made if made is not None and made.kind == "elementwise" and made.attributes["op"] == op else None

    def _reduced(self, name: str, op: str, readers: int) -> Node | None:
        """The reduction along one axis, which stays with an extent of 1, that makes ``name``."""
        made = self._known(name, readers)
        if made is None or made.kind != "reduce" or made.attributes["op"] != op or not made.attributes["keepdims"]:
            return None
        return made if len(ints(made.attributes, "axes")) == 1 else None

    def _known(self, name: str, readers: int) -> Node | None:
        return self._made.get(name) if name not in self._outputs and len(self._readers.get(name, ())) == readers else None

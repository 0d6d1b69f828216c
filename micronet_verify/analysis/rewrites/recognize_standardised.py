"""Sees that x·inv + (shift − mean·inv) is (x − mean)·inv + shift (rule O4): a norm as TensorFlow's converters write it.

The first takes a product with every mean more than the second, whose x − mean the variance has already. Written by constants, as a
batch norm is, it has been folded before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.facts.graph import Node, Value


def recognize_standardised(graph: EditableGraph) -> None:
    """Every such sum becomes the shorter one."""
    graph.sweep(_Finder(graph).read)


class _Finder:
    """Looks behind additions."""

    def __init__(self, graph: EditableGraph) -> None:
        self._graph, self._values, self._constants, self._made = graph, graph.values, graph.constants, graph.producers

    def read(self, node: Node) -> Iterator[Node]:
        found = self._found(node) if node.kind == "elementwise" and node.attributes["op"] in ("add", "sub") else None
        if found is None:
            yield node
            return
        x, mean, inverse, shift = found
        result = self._values[node.outputs[0]]
        centred = self._new(f"{result.id}.centred", self._values[x])
        scaled = self._new(f"{result.id}.scaled", result) if shift else result.id
        yield Node("elementwise", (x, mean), (centred,), {"op": "sub"}, node.source, node.scope)
        yield Node("elementwise", (centred, inverse), (scaled,), {"op": "mul"}, node.source, node.scope)
        if shift:
            yield replace(node, inputs=(scaled, shift), attributes={"op": "add"})

    def _new(self, name: str, like: Value) -> str:
        self._values[name] = replace(like, id=name, constant=None)
        return name

    def _found(self, node: Node) -> tuple[str, str, str, str] | None:
        """x, mean, inverse, and the shift or nothing."""
        first, second = node.inputs
        if node.attributes["op"] == "sub":  # x·inv − mean·inv
            return self._pair(node, first, second, "")
        for scaled, rest in ((first, second), (second, first)):
            for taken, shift, negative in (*self._offsets(rest, node), (rest, "", True)):
                if (found := self._pair(node, scaled, taken, shift, negative)) is not None:
                    return found
        return None

    def _offsets(self, name: str, node: Node) -> Iterator[tuple[str, str, bool]]:
        """shift − taken, and shift + taken where the mean's sign is turned."""
        if (minus := self._alone(name, "sub", node)) is not None:
            yield minus.inputs[1], minus.inputs[0], False
        if (plus := self._alone(name, "add", node)) is not None:
            yield plus.inputs[0], plus.inputs[1], True
            yield plus.inputs[1], plus.inputs[0], True

    def _pair(self, node: Node, scaled: str, taken: str, shift: str, negative: bool = False) -> tuple[str, str, str, str] | None:
        """What x·inv and mean·inv have in common, where the second is as large as the first: otherwise it is no dearer.

        ``negative``: the mean of ``taken`` has its sign turned.
        """
        one, two = self._alone(scaled, "mul", node), self._alone(taken, "mul", node)
        if one is None or two is None or self._values[taken].numel < self._values[node.outputs[0]].numel:
            return None
        for x, inverse in (one.inputs, one.inputs[::-1]):
            for mean, other in (two.inputs, two.inputs[::-1]):
                own = self._positive(mean) if negative else mean
                if inverse == other and inverse not in self._constants and own and self._is_mean(own, x, node):
                    return x, own, inverse, shift
        return None

    def _positive(self, name: str) -> str:
        """What a sign is turned of, or nothing."""
        made = self._made.get(name)
        return made.inputs[0] if made is not None and made.kind == "elementwise" and made.attributes["op"] == "neg" else ""

    def _is_mean(self, mean: str, x: str, node: Node) -> bool:
        """Whether ``mean`` broadcasts against ``x``, which is as large as the result; neither is a constant."""
        if mean in self._constants or x in self._constants or x not in self._values or mean not in self._values:
            return False
        own, shape = self._values[mean].shape, self._values[x].shape
        lined = (1,) * (len(shape) - len(own)) + own
        fits = len(lined) == len(shape) and all(size in (1, extent) for size, extent in zip(lined, shape, strict=True))
        return fits and shape == self._values[node.outputs[0]].shape and self._values[mean].numel < self._values[x].numel

    def _alone(self, name: str, op: str, node: Node) -> Node | None:
        """The node of this function that makes ``name``, if nothing else reads it."""
        made = self._made.get(name)
        if made is None or made.kind != "elementwise" or made.attributes["op"] != op or not self._graph.is_read_once(name):
            return None
        same = self._values[name].format == self._values[node.outputs[0]].format
        return made if same else None

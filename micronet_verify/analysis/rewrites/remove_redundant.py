"""Takes out what changes nothing: moves that undo each other, biases of zeros, and operations that were already done.

Exporters write a transpose and its inverse around every operator of another layout, give each convolution a bias
whether it has one or not, and compute x − mean twice where a layer norm needs it twice. None of it is work that an
implementation of the same function would do, and other exporters leave it out (rules O1, O4, O9).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.facts.graph import Attribute, Node
from micronet_verify.facts.shapes import integer, ints, number

_HANDING_ON = frozenset({"sum", "mean", "max", "min", "prod", "logsumexp"})
# A bias is a vector; anything longer is not looked at, because reading it could take long.
_LONGEST = 1 << 20
_Key = tuple[str, tuple[str, ...], tuple[tuple[str, Attribute], ...], tuple[tuple[tuple[int, ...], str], ...]]


def remove_redundant(graph: EditableGraph) -> None:
    """Moves that undo each other, biases of zeros and repeated operations go (``recognize_functions`` has x + 0 and x·1)."""
    graph.sweep(_Remover(graph).read)


class _Remover:
    """Reads nodes in order; what equals an earlier value is called by its name from there on."""

    def __init__(self, graph: EditableGraph) -> None:
        self._graph, self._values, self._constants = graph, graph.values, graph.constants
        self._made: dict[str, Node] = {}
        self._done: dict[_Key, tuple[str, ...]] = {}

    def read(self, node: Node) -> Iterator[Node]:
        """The node as it stays, nothing where its results are there already."""
        if node.bodies:
            yield node
            return
        node = self._composed(self._of_one_value(self._without_zeros(node)))
        equal = self._handed_on(node) or self._done.setdefault(self._key(node), node.outputs)
        if equal != node.outputs:
            for name, other in zip(node.outputs, equal, strict=True):
                self._graph.rename(name, other)
            return
        self._made.update(dict.fromkeys(node.outputs, node))
        yield node

    def _key(self, node: Node) -> _Key:
        results = tuple((self._values[name].shape, self._values[name].format.name) for name in node.outputs)
        return node.kind, node.inputs, tuple(sorted(node.attributes.items())), results

    def _zeros(self, name: str) -> bool:
        constant = self._constants.get(name)
        return constant is not None and constant.numel <= _LONGEST and not np.any(constant.load())

    def _without_zeros(self, node: Node) -> Node:
        if node.kind in ("conv", "matmul") and len(node.inputs) > 2 and self._zeros(node.inputs[2]):
            return replace(node, inputs=node.inputs[:2])
        return node

    def _of_one_value(self, node: Node) -> Node:
        """Pooling, a sum, a mean, the greatest of one value each are that value: a reshape, or a slice where steps leave some out."""
        if node.kind == "cumulative" and not node.attributes.get("exclusive"):
            one = self._values[node.outputs[0]].shape[integer(node.attributes, "axis")] == 1
            return replace(node, kind="move", attributes={"op": "identity"}) if one else node
        if node.kind not in ("pool", "reduce") or node.inputs[0] in self._constants:
            return node
        x, result = self._values.get(node.inputs[0]), self._values[node.outputs[0]]
        if x is None or x.format != result.format:
            return node
        if node.kind == "reduce":
            one = node.attributes["op"] in _HANDING_ON and all(x.shape[axis] == 1 for axis in ints(node.attributes, "axes"))
            return replace(node, kind="move", attributes={"op": "reshape", "shape": result.shape}) if one else node
        if "adaptive" in node.attributes:
            return replace(node, kind="move", attributes={"op": "identity"}) if x.shape == result.shape else node
        kernel, stride, rank = ints(node.attributes, "kernel"), ints(node.attributes, "stride"), len(x.shape)
        if any(size != 1 for size in kernel) or any(ints(node.attributes, "padding")) or number(node.attributes, "divisor", 1) != 1:
            return node
        space = tuple(range(1, rank - 1) if node.attributes.get("channels_last") else range(2, rank))
        ends, steps = tuple(x.shape[axis] for axis in space), stride or (1,) * len(space)
        if any(result.shape[axis] != -(-x.shape[axis] // step) for axis, step in zip(space, steps, strict=True)):
            return node
        cut: dict[str, Attribute] = {"op": "slice", "axes": space, "starts": (0,) * len(space), "ends": ends, "steps": steps}
        return replace(node, kind="move", attributes={"op": "identity"} if x.shape == result.shape else cut)

    def _composed(self, node: Node) -> Node:
        """A transpose of a transpose, a reshape of a reshape: one of each."""
        before = self._made.get(node.inputs[0]) if node.kind == "move" and node.inputs else None
        if before is None or before.kind != "move" or before.attributes["op"] != node.attributes["op"]:
            return node
        if node.attributes["op"] == "transpose":
            first, second = ints(before.attributes, "perm"), ints(node.attributes, "perm")
            return replace(node, inputs=before.inputs, attributes={"op": "transpose", "perm": tuple(first[axis] for axis in second)})
        return replace(node, inputs=before.inputs) if node.attributes["op"] == "reshape" else node

    def _handed_on(self, node: Node) -> tuple[str, ...]:
        """The operand that the node hands on as it is, or nothing."""
        if len(node.outputs) != 1 or not node.inputs or node.inputs[0] in self._constants:
            return ()
        x, result = self._values.get(node.inputs[0]), self._values[node.outputs[0]]
        if x is None or (x.shape, x.format) != (result.shape, result.format):
            return ()
        op, order = node.attributes.get("op"), list(range(len(x.shape)))
        turned = op == "transpose" and list(ints(node.attributes, "perm")) != order
        still = node.kind == "move" and op in ("reshape", "identity", "cast", "transpose") and not turned
        return node.inputs if still else ()

"""What a sweep through functions has seen so far: who made a value, whether anybody else reads it, and what a constant says all over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.tensors.constants import values_of
from micronet_verify.facts.graph import Node

_MOST_LOOKED_AT = 1 << 16


class Written:
    """Nodes as the sweep leaves them, by their results (``made``); ``equate`` says that a value is another one."""

    def __init__(self, graph: EditableGraph) -> None:
        self.values, self.constants, self._graph = graph.values, graph.constants, graph
        self._outputs = set(graph.outputs)
        self._reads = {name: len(nodes) for name, nodes in graph.readers.items()}
        self.made: dict[str, Node] = {}

    def equate(self, name: str, equal: str) -> None:
        """Whoever reads ``name`` reads ``equal`` from here on."""
        self._graph.rename(name, equal)
        self._reads[equal] = self._reads.get(equal, 0) - 1 + self._reads.get(name, 0)
        if name in self._outputs:
            self._outputs.add(equal)

    def number(self, name: str) -> float | None:
        constant = self.constants.get(name)
        return constant.number if constant is not None and constant.numel == 1 and constant.row_scale is None else None

    def all(self, names: Sequence[str], number: float) -> bool:
        """Whether there is such an operand, and it is ``number`` all over."""
        constant = self.constants.get(names[0]) if names else None
        if constant is None or constant.numel > _MOST_LOOKED_AT or constant.row_scale is not None:
            return False
        return constant.number == number and bool((values_of(constant) == number).all())

    def only(self, name: str, *functions: str) -> Node | None:
        """The node of one of these functions that makes ``name``, if ``name`` is read once."""
        made = self.made.get(name)
        alone = self._reads.get(name, 0) == 1 and name not in self._outputs
        return made if alone and made is not None and made.kind == "elementwise" and made.attributes["op"] in functions else None

    def factor(self, node: Node, number: float) -> str | None:
        """The other operand, where one is this number (the second, of a quotient)."""
        x, y = node.inputs
        if self.number(y) == number and self.fits(node, x):
            return x
        return y if node.attributes["op"] == "mul" and self.number(x) == number and self.fits(node, y) else None

    def fits(self, node: Node, name: str) -> bool:
        value, result = self.values.get(name), self.values[node.outputs[0]]
        return value is not None and name not in self.constants and (value.shape, value.format) == (result.shape, result.format)

    def function(self, node: Node, op: str, x: str) -> Node:
        return replace(node, inputs=(x,), attributes={"op": op})

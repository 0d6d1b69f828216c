"""Writes the nodes that stand in place of one, each result named after its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.facts.graph import Attribute, Node, Shape


class NodeWriter:
    """Nodes written in place of ``node``, in their order in ``nodes``; results are like its own, in another shape."""

    def __init__(self, graph: EditableGraph, node: Node, mark: str = "") -> None:
        self.graph, self.node, self.nodes = graph, node, list[Node]()
        self._mark = mark

    @property
    def result(self) -> str:
        return self.node.outputs[0]

    def shape(self, name: str) -> Shape:
        constant = self.graph.constants.get(name)
        return self.graph.values[name].shape if constant is None else constant.shape

    def emit(self, kind: str, inputs: tuple[str, ...], shape: Shape, attributes: Mapping[str, Attribute]) -> str:
        """A node of one result; its name."""
        name = f"{self.result}.{self._mark}{len(self.nodes)}"
        self.graph.values[name] = replace(self.graph.values[self.result], id=name, shape=shape)
        self.write(kind, inputs, (name,), attributes)
        return name

    def write(self, kind: str, inputs: tuple[str, ...], outputs: tuple[str, ...], attributes: Mapping[str, Attribute]) -> None:
        """A node with these results."""
        self.nodes.append(Node(kind, inputs, outputs, dict(attributes), self.node.source, self.node.scope))

    def reshape(self, name: str, shape: Shape) -> str:
        """``name`` in another shape, itself where it has it."""
        return name if self.shape(name) == shape else self.emit("move", (name,), shape, {"op": "reshape", "shape": shape})

    def constant(self, part: str, constant: Constant) -> str:
        """A constant of the nodes, named after their result; its name."""
        return self.graph.add_constant(f"{self.result}.{part}", constant)

    def end(self, name: str) -> list[Node]:
        """All that was written, and at its end the node's own result, which is ``name`` in its shape."""
        shape = self.graph.values[self.result].shape
        self.write("move", (name,), self.node.outputs, {"op": "reshape", "shape": shape})
        return self.nodes

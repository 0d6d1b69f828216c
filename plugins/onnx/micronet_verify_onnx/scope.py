"""Names that are visible at one place of an ONNX graph: a graph's own, and around a subgraph those outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import FLOAT32
from micronet_verify.facts.graph import Shape
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_onnx.operands import Operand
from micronet_verify_onnx.tensors import TensorReader

# What the formal input of a function stands for where the call leaves it out.
ABSENT = Operand((), FLOAT32, None, known=None)


class Scope:
    """``names`` maps to ``None`` where the node that should have made the value was at fault: that is reported once.

    ``attributes`` are those given to the function whose body this is; ``opsets`` the version of each domain; ``path``
    the calls around it, for places; ``branches`` what the names of branches begin with here, ``None`` where a node may run
    more than once and no record can tell the runs apart.
    """

    def __init__(
        self,
        builder: GraphBuilder,
        reader: TensorReader,
        opsets: Mapping[str, int],
        nodes: tuple[onnx.NodeProto, ...] = (),
        outputs: tuple[str, ...] = (),
        *,
        parent: Scope | None = None,
        attributes: Mapping[str, onnx.AttributeProto] | None = None,
        path: str = "",
        branches: str | None = None,
    ) -> None:
        self.builder, self.reader, self.opsets, self.parent, self.path, self.branches = builder, reader, opsets, parent, path, branches
        self.attributes: Mapping[str, onnx.AttributeProto] = attributes or {}
        self._names: dict[str, Operand | None] = {}
        self._nodes, self._outputs = nodes, outputs
        self._readers: dict[str, list[onnx.NodeProto]] | None = None
        self._producers: dict[str, onnx.NodeProto] | None = None
        # Results of nodes that an earlier node has already done (a Clip behind a QuantizeLinear), and whose result they are.
        self.absorbed: dict[str, str] = {}

    def branch_name(self, node: onnx.NodeProto) -> str | None:
        """The name under which the predictor records which body of an If was taken."""
        return None if self.branches is None else f"{self.branches}{node.output[0]}"

    def inside(self, builder: GraphBuilder, graph: onnx.GraphProto, branches: str | None = None) -> Scope:
        """The scope of a subgraph."""
        outputs = tuple(output.name for output in graph.output)
        return Scope(
            builder,
            self.reader,
            self.opsets,
            tuple(graph.node),
            outputs,
            parent=self,
            attributes=self.attributes,
            path=self.path,
            branches=branches,
        )

    def find(self, name: str) -> Operand | None:
        """What ``name`` stands for. Raises ``LookupError`` if nothing of that name is computed before."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._names:
                return scope._names[name]
            scope = scope.parent
        raise LookupError(name)

    def has(self, name: str) -> bool:
        """Whether ``name`` stands for anything here, were it only a fault."""
        return name in self._names or (self.parent is not None and self.parent.has(name))

    def shapes(self) -> dict[str, Shape]:
        """The shape of every name of this graph, but of packed elements and of those whose node was at fault."""
        found = {name: operand for name, operand in self._names.items() if operand is not None}
        return {name: operand.shape for name, operand in found.items() if operand.format.family == "bool" or operand.format.bits >= 8}

    def define(self, name: str, operand: Operand | None, where: str) -> None:
        """Give ``name`` its one meaning. Raises ``SubmissionFault`` if it has one already, here or outside."""
        if not isinstance(name, str):  # protobuf hands out bytes where text is no UTF-8
            raise SubmissionFault(Problem(f"a name {name!r} that is no text", "be UTF-8", where))
        if self.has(name):
            raise SubmissionFault(Problem(f"a second value called {name!r}", "be defined once", where))
        self._names[name] = operand

    def readers(self, name: str) -> list[onnx.NodeProto]:
        """The nodes of this graph that read ``name``; an output of the graph and subgraphs count as readers too.

        A reader that is no plain node stands for itself as an empty ``NodeProto``.
        """
        if self._readers is None:
            self._readers = {}
            for node in self._nodes:
                for read in dict.fromkeys(_reads(node)):
                    self._readers.setdefault(read, []).append(node)
            for output in self._outputs:
                self._readers.setdefault(output, []).append(onnx.NodeProto())
        return self._readers.get(name, [])

    def producer(self, name: str) -> onnx.NodeProto | None:
        """The node of this graph that makes ``name``."""
        if self._producers is None:
            self._producers = {output: node for node in self._nodes for output in node.output}
        return self._producers.get(name)


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)
            for output in graph.output:
                yield output.name

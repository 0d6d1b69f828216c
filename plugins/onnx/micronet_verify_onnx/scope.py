"""Names that are visible at one place of an ONNX graph: a graph's own, and around a subgraph those outside."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import onnx

from micronet_verify.plugin import (
    GraphBuilder,
    Item,
    Line,
    NoTensor,
    Operand,
    Problem,
    Refusal,
    Results,
    Shape,
    Step,
    Stored,
    SubmissionFault,
    Unknown,
    Walk,
    stored,
)
from micronet_verify.plugin import scope as core
from micronet_verify_onnx.checks import plain
from micronet_verify_onnx.places import place
from micronet_verify_onnx.schema import check_opset
from micronet_verify_onnx.tensors import TensorReader

Table = Mapping[tuple[str, str], Line[Any] | Refusal]
_FOREIGN = "a custom operator needs an ONNX function of standard operators"


class _Absent(NoTensor):
    got = "no operand"
    should = "have one"
    static = True


ABSENT = _Absent()
"""What the formal input of a function stands for where the call leaves it out."""


@dataclass
class Model:
    """What is the same for every scope of one file. ``functions`` by domain, name and overload; ``advice`` by domain."""

    walk: Walk
    reader: TensorReader
    table: Table
    advice: Mapping[str, str]
    opsets: Mapping[str, int]
    functions: dict[tuple[str, str, str], onnx.FunctionProto] = field(default_factory=dict)
    # Messages are kept with their operands: an id is only unique while its object lives.
    messages: list[object] = field(default_factory=list)


class Scope(core.Scope):
    """``attributes`` are those given to the function whose body this is; ``opsets`` the version of each domain."""

    def __init__(
        self,
        model: Model,
        builder: GraphBuilder,
        nodes: Sequence[onnx.NodeProto],
        outputs: Sequence[str],
        *,
        opsets: Mapping[str, int] | None = None,
        parent: Scope | None = None,
        attributes: Mapping[str, onnx.AttributeProto] | None = None,
        path: str = "",
        branches: str | None = None,
    ) -> None:
        super().__init__(builder, parent=parent, path=path, branches=branches)
        self.model, self.reader, self.opsets = model, model.reader, model.opsets if opsets is None else opsets
        self.attributes: Mapping[str, onnx.AttributeProto] = attributes or {}
        self._nodes, self._outputs = nodes, outputs
        self._readers: dict[str, list[onnx.NodeProto]] | None = None
        self._producers: dict[str, onnx.NodeProto] | None = None

    # Steps

    def steps(self) -> Iterator[Step]:
        """The nodes, in order."""
        return map(self.step, self._nodes)

    def step(self, node: onnx.NodeProto) -> Step:
        domain = plain(node.domain)
        line: Line[Any] | Refusal | Unknown
        if (domain, node.op_type, node.overload) in self.model.functions:
            line = Line(_call, "moves")
        elif domain not in self.opsets and (domain, node.op_type) in self.model.table:
            advice = "name the domain and its version in opset_import"
            line = Unknown(f"the operator {node.op_type} of the domain {domain!r}, which the model does not import,", advice)
        else:
            unknown = Unknown(f"the operator {node.op_type} of domain {domain or 'ai.onnx'}", self.model.advice.get(domain, _FOREIGN))
            line = self.model.table.get((domain, node.op_type), unknown)
        source = f"{domain}.{node.op_type}" if domain else node.op_type
        operands, results = (tuple(name or None for name in names) for names in (node.input, node.output))
        return Step(node.op_type, place(node, self.path), line, operands, results, node, node.output[0] if results else "", source)

    def constants(self, graph: onnx.GraphProto) -> None:
        """The initializers of a graph."""
        for tensor in graph.initializer:
            where = f"initializer {tensor.name!r}"
            self._constant(tensor, tensor.name, where, partial(self.reader.read, tensor, where))
        for sparse in graph.sparse_initializer:
            where = f"sparse initializer {sparse.values.name!r}"
            self._constant(sparse.values, sparse.values.name, where, partial(self.reader.sparse, sparse, where))

    def _constant(self, proto: onnx.TensorProto, name: str, where: str, read: Callable[[], Stored]) -> None:
        self.builder.at(where)
        with self.model.walk.faults.collecting(where):
            self.define(name, self.constant(proto, name, read))
        if isinstance(name, str):
            self.items.setdefault(name, None)

    def constant(self, proto: onnx.TensorProto | onnx.NodeProto, label: str, read: Callable[[], Stored]) -> Operand:
        """A tensor of the file, one and the same wherever a loop or a function that is called twice comes by again."""
        self.model.messages.append(proto)
        return self.model.walk.constant(id(proto), lambda: stored(self.model.walk.builder, read(), label))

    # Bodies

    def run(
        self, graph: onnx.GraphProto, builder: GraphBuilder, arguments: Sequence[Item | None], where: str, branches: str | None = None
    ) -> Results:
        """A body's results, its nodes emitted into ``builder``; ``branches`` begins the names of branches inside it."""
        if len(graph.input) != len(arguments):
            raise SubmissionFault(Problem(f"a body with {len(graph.input)} inputs", f"have {len(arguments)}", where))
        names = [output.name for output in graph.output]
        inner = Scope(
            self.model,
            builder,
            graph.node,
            names,
            opsets=self.opsets,
            parent=self,
            attributes=self.attributes,
            path=self.path,
            branches=branches,
        )
        for info, argument in zip(graph.input, arguments, strict=True):
            inner.define(info.name, argument)
        inner.constants(graph)
        return self.model.walk.call("body", object(), inner, inner.steps(), names, where)

    def call(self, function: onnx.FunctionProto, node: onnx.NodeProto, items: Results, where: str) -> Results:
        """The results of a function, its nodes emitted here."""
        if len(node.input) > len(function.input) or len(node.output) > len(function.output):
            got = f"{len(node.input)} operands and {len(node.output)} results of {function.name!r}"
            raise SubmissionFault(Problem(got, f"be at most {len(function.input)} and {len(function.output)}", where))
        attributes = {attribute.name: attribute for attribute in function.attribute_proto}
        attributes |= self.given(node)
        check_opset(function, self.model.opsets, where)
        opsets = {plain(entry.domain): entry.version for entry in function.opset_import} or self.opsets
        standing = place(node, self.path)
        inner = Scope(self.model, self.builder, function.node, function.output, opsets=opsets, attributes=attributes, path=standing)
        padded = [*items, *[None] * (len(function.input) - len(items))]
        for formal, item in zip(function.input, padded, strict=True):
            inner.define(formal, item or ABSENT)
        key = (plain(function.domain), function.name, function.overload)
        return self.model.walk.call(f"function {function.name!r}", key, inner, inner.steps(), function.output[: len(node.output)], where)

    def given(self, node: onnx.NodeProto) -> dict[str, onnx.AttributeProto]:
        """The attributes of a node; one that refers to the call's is the call's, if it has it."""
        found = {each.name: self.attributes.get(each.ref_attr_name) if each.ref_attr_name else each for each in node.attribute}
        return {name: attribute for name, attribute in found.items() if attribute is not None}

    # Names

    def present(self, refs: Sequence[Hashable | None]) -> Results | None:
        found = super().present(refs)
        return None if found is None else [None if item is ABSENT else item for item in found]

    def define(self, ref: Hashable, item: Item | None) -> None:
        if not isinstance(ref, str):  # protobuf hands out bytes where text is no UTF-8
            raise SubmissionFault(Problem(f"a name {ref!r} that is not text", "be UTF-8", self.builder.where))
        super().define(ref, item)

    def is_read(self, ref: Hashable) -> bool:
        return bool(self.readers(str(ref)))

    def shapes(self) -> dict[str, Shape]:
        """The shape of every name of this graph, but of packed elements and of those whose node was at fault."""
        found = {str(name): operand for name, operand in self.items.items() if isinstance(operand, Operand)}
        return {name: operand.shape for name, operand in found.items() if operand.format.family == "bool" or operand.format.bits >= 8}

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


def _call(op: Any) -> Results:
    """A call of the file's own function."""
    function = op.scope.model.functions[op.domain, op.kind, op.node.overload]
    return op.scope.call(function, op.node, op.items, op.where)  # type: ignore[no-any-return]


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)
            for output in graph.output:
                yield output.name

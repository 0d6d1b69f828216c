"""Walks an ONNX model node by node and emits the neutral graph; functions are inlined, faults are collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import onnx

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Graph, Shape, Value
from micronet_verify.facts.shapes import ShapeError
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.table import Line, Refusal
from micronet_verify_onnx.checks import check_model, forged, input_shape, plain, state_shape
from micronet_verify_onnx.fold import fold, is_shape
from micronet_verify_onnx.formats import element_type
from micronet_verify_onnx.op import Op, Result, Rule
from micronet_verify_onnx.op_table import CONSTANT, MS, TABLE
from micronet_verify_onnx.operands import Operand, computed, folded, stored
from micronet_verify_onnx.places import place
from micronet_verify_onnx.schema import check_node, check_opset
from micronet_verify_onnx.scope import ABSENT, Scope
from micronet_verify_onnx.skeleton import Skeleton
from micronet_verify_onnx.tensors import Stored, TensorReader

# Functions that call functions, and unrolled loops, can make a small file as long as one likes.
_FOREIGN = "a custom operator needs an ONNX function of standard operators"
_ADVICE = {
    "": "see the plugin's README for the list",
    MS: "see the plugin's README for the list; save the model without onnxruntime's fusions, or quantize to QDQ",
}
MOST_NODES = 100_000
DEEPEST = 40


class Translator:
    """Translates one model. ``problems`` collects every fault; nodes behind a fault are passed over in silence."""

    def __init__(self, skeleton: Skeleton, builder: GraphBuilder) -> None:
        self._model, self._builder, self._name = skeleton.model, builder, skeleton.path.name
        self._reader = TensorReader(skeleton)
        self._functions: dict[tuple[str, str, str], onnx.FunctionProto] = {}
        self._constants: dict[int, tuple[onnx.TensorProto | onnx.NodeProto, Operand]] = {}
        self._active: list[tuple[str, str, str]] = []
        self.problems: list[Problem] = []
        self.translated = 0
        self._opsets: Mapping[str, int] = {}
        # Of every name of the main graph, once it is translated.
        self.shapes: Mapping[str, Shape] = {}

    def graph(self) -> Graph:
        """The whole model. Raises ``SubmissionFault`` with all problems together."""
        opsets = self._opsets = check_model(self._model, self._name)
        graph = self._model.graph
        self._collect_functions()
        names = tuple(output.name for output in graph.output)
        scope = Scope(self._builder, self._reader, opsets, tuple(graph.node), names, branches="")
        self._inputs(graph, scope)
        self.run(graph, scope)
        outputs = self._outputs(graph, scope)
        self.shapes = scope.shapes()
        for sentence in forged(graph, self.shapes):
            self._builder.note(sentence)
        if self.problems:
            raise SubmissionFault(dict.fromkeys(self.problems))
        return self._builder.finish(outputs)

    def run(self, graph: onnx.GraphProto, scope: Scope) -> None:
        """The tensors and nodes of a graph whose inputs are already defined in ``scope``."""
        self.constants(graph, scope)
        self.nodes(graph.node, scope)

    def constants(self, graph: onnx.GraphProto, scope: Scope) -> None:
        """The initializers of a graph."""
        for tensor in graph.initializer:
            where = f"initializer {tensor.name!r}"
            with self.collecting(scope, (tensor.name,), where):
                scope.define(tensor.name, self.constant(tensor, tensor.name, partial(self._reader.read, tensor, where)), where)
        for sparse in graph.sparse_initializer:
            name, where = sparse.values.name, f"sparse initializer {sparse.values.name!r}"
            with self.collecting(scope, (name,), where):
                scope.define(name, self.constant(sparse.values, name, partial(self._reader.sparse, sparse, where)), where)

    def nodes(self, nodes: Iterable[onnx.NodeProto], scope: Scope) -> None:
        for node in nodes:
            self._node(node, scope)

    @contextmanager
    def collecting(self, scope: Scope, names: Sequence[str], where: str) -> Iterator[None]:
        """Keeps a fault for the end and marks ``names``, which it should have defined, as faulty."""
        try:
            yield
            return
        except SubmissionFault as fault:
            if self.translated > MOST_NODES:
                raise
            self.problems.extend(fault.problems)
        except ShapeError as error:
            self.problems.append(error.at(where))
        except (ValueError, IndexError, ArithmeticError) as error:
            detail = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.problems.append(Problem(f"operands that do not fit ({detail})", "follow the operator's specification", where))
        for name in names:
            if isinstance(name, str) and not scope.has(name):
                scope.define(name, None, where)

    def ahead(self, name: str, scope: Scope) -> Operand | None:
        """What ``name`` stands for, also where a Constant of this graph defines it only later."""
        if scope.has(name):
            return scope.find(name)
        node = scope.producer(name)
        if node is None or node.op_type != "Constant" or plain(node.domain):
            return None
        return _results(Op(self, scope, node, scope.opsets[""], "Constant", place(node, scope.path)), CONSTANT)[0]

    def constant(self, proto: onnx.TensorProto | onnx.NodeProto, label: str, read: Callable[[], Stored]) -> Operand:
        """A tensor of the file, one and the same wherever a loop or a function that is called twice comes by again."""
        if id(proto) not in self._constants:
            # The message is kept with it: an id is only unique while its object lives.
            self._constants[id(proto)] = (proto, stored(self._builder, read(), label))
        return self._constants[id(proto)][1]

    def _collect_functions(self) -> None:
        for function in self._model.functions:
            key = (plain(function.domain), function.name, function.overload)
            where = f"function {function.name!r}"
            if key in self._functions:
                self.problems.append(Problem(f"a second function {function.name!r}", "be defined once", where))
            if key[:2] in TABLE:
                self.problems.append(Problem(f"a function that redefines the operator {function.name}", "have another name", where))
            self._functions[key] = function

    def _inputs(self, graph: onnx.GraphProto, scope: Scope) -> None:
        constants = {tensor.name for tensor in graph.initializer} | {tensor.values.name for tensor in graph.sparse_initializer}
        first: tuple[onnx.ValueInfoProto, Shape] | None = None
        for info in graph.input:
            # Before IR version 4 every constant was listed as an input, too.
            if info.name in constants:
                continue
            where = f"input {info.name!r}"
            with self.collecting(scope, (info.name,), where):
                shape = state_shape(info, first[0], first[1][0]) if first else input_shape(info, self._builder.batch, self._builder.chunk)
                first = first or (info, shape)
                fmt = element_type(info.type.tensor_type.elem_type, where).format
                scope.define(info.name, computed(self._builder.input(shape, fmt, info.name), static=False), where)
        if all(info.name in constants for info in graph.input):
            self.problems.append(Problem("a model without inputs", "have one", self._name))

    def _outputs(self, graph: onnx.GraphProto, scope: Scope) -> list[Value]:
        found: list[Value] = []
        for output in graph.output:
            if not scope.has(output.name):
                self.problems.append(Problem(f"an output {output.name!r} that no node computes", "be computed", self._name))
                continue
            operand = scope.find(output.name)
            if operand is not None and not self.problems:
                found.append(operand.value)
        if not graph.output:
            self.problems.append(Problem("a model without outputs", "have one", self._name))
        return found

    def _node(self, node: onnx.NodeProto, scope: Scope) -> None:
        self.translated += 1
        if self.translated > MOST_NODES:
            raise SubmissionFault(
                [
                    *self.problems,
                    Problem(f"more than {MOST_NODES:,} nodes once functions and loops are written out", "be fewer", self._name),
                ]
            )
        domain = plain(node.domain)
        source, standing = f"{domain}.{node.op_type}" if domain else node.op_type, place(node, scope.path)
        scope.builder.at(source, standing)
        where, outputs = scope.builder.where, [name for name in node.output if name]
        with self.collecting(scope, outputs, where):
            function = self._functions.get((domain, node.op_type, node.overload))
            line = None if function is not None else self._line(node, domain, scope)
            results: Sequence[Operand | None]
            if any(_found(scope, name, where) is None for name in node.input if name):
                # What it needs was refused, and that is reported already.
                results = [None] * len(node.output)
            elif line is None:
                results = self._call(function, node, scope)
            else:
                results = _results(Op(self, scope, node, scope.opsets[domain], source, standing), line)
            self._define(node, results, scope, where)

    def _define(self, node: onnx.NodeProto, results: Sequence[Operand | None], scope: Scope, where: str) -> None:
        for index, name in enumerate(node.output):
            if not name:
                continue
            if index < len(results):
                scope.define(name, results[index], where)
            elif scope.readers(name):
                raise SubmissionFault(Problem(f"a use of result {index + 1} ({name!r})", f"use the first {len(results)} only", where))

    def _line(self, node: onnx.NodeProto, domain: str, scope: Scope) -> Line[Rule]:
        where = scope.builder.where
        line = TABLE.get((domain, node.op_type))
        if line is None:
            got = f"the operator {node.op_type} of domain {domain or 'ai.onnx'}"
            raise SubmissionFault(Problem(got, "be an operator that this counter can price", where, _ADVICE.get(domain, _FOREIGN)))
        if isinstance(line, Refusal):
            raise SubmissionFault(
                Problem(f"{node.op_type}: {line.reason}", "be an operator that this counter can price", where, line.advice)
            )
        if domain not in scope.opsets:
            raise SubmissionFault(Problem(f"an operator of the domain {domain!r}", "be of a domain that the model imports", where))
        return line

    def _call(self, function: onnx.FunctionProto, node: onnx.NodeProto, scope: Scope) -> Sequence[Operand | None]:
        where, key = scope.builder.where, (plain(function.domain), function.name, function.overload)
        if key in self._active or len(self._active) >= DEEPEST:
            raise SubmissionFault(Problem(f"a function {function.name!r} that calls itself", "end", where))
        if len(node.input) > len(function.input) or len(node.output) > len(function.output):
            got = f"{len(node.input)} operands and {len(node.output)} results of {function.name!r}"
            raise SubmissionFault(Problem(got, f"be at most {len(function.input)} and {len(function.output)}", where))
        attributes = {attribute.name: attribute for attribute in function.attribute_proto}
        for attribute in node.attribute:
            given = scope.attributes.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
            if given is not None:
                attributes[attribute.name] = given
        check_opset(function, self._opsets, where)
        opsets = {plain(entry.domain): entry.version for entry in function.opset_import} or dict(scope.opsets)
        inner = Scope(
            scope.builder,
            self._reader,
            opsets,
            tuple(function.node),
            tuple(function.output),
            attributes=attributes,
            path=place(node, scope.path),
        )
        actual = [*node.input, *[""] * (len(function.input) - len(node.input))]
        for formal, name in zip(function.input, actual, strict=True):
            inner.define(formal, _found(scope, name, where) if name else ABSENT, where)
        self._active.append(key)
        try:
            self.nodes(function.node, inner)
        finally:
            self._active.pop()
        return [_found(inner, name, where) for name in function.output[: len(node.output)]]


def _found(scope: Scope, name: str, where: str) -> Operand | None:
    if not scope.has(name):
        raise SubmissionFault(Problem(f"an operand {name!r} that nothing computes before", "be computed before", where))
    return scope.find(name)


def _results(op: Op, line: Line[Rule]) -> list[Operand | None]:
    """Shape arithmetic is folded; everything else is emitted, and small results of constants keep their numbers."""
    check_node(op)
    if op.node.output[0] in op.scope.absorbed:
        return [op.scope.find(op.scope.absorbed[op.node.output[0]])]
    known = fold(op)
    if known is not None and all(is_shape(array) for array in known):
        return [folded(op.builder, array, op.node.output[0]) for array in known]
    answer: Result | Sequence[Result | None] = line.rule(op)
    results = [answer] if isinstance(answer, Value | Operand) else list(answer)
    static = op.is_static()
    made: list[Operand | None] = []
    for index, result in enumerate(results):
        numbers = known[index] if known is not None and index < len(known) else None
        made.append(computed(result, static, numbers) if isinstance(result, Value) else result)
    return made

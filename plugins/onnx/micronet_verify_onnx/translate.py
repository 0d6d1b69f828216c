"""An ONNX model as a neutral graph: the walk over its main graph, functions inlined."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import onnx

from micronet_verify.plugin import Graph, GraphBuilder, Operand, Problem, Shape, Walk, computed
from micronet_verify_onnx.checks import check_model, forged, input_shape, plain, state_shape
from micronet_verify_onnx.fold import FOLDS
from micronet_verify_onnx.formats import element_type
from micronet_verify_onnx.op import Op
from micronet_verify_onnx.op_table import MS, TABLE
from micronet_verify_onnx.scope import Model, Scope
from micronet_verify_onnx.skeleton import Skeleton
from micronet_verify_onnx.tensors import TensorReader

_LIST = "see the plugin's README for the operators that can be counted"
_ADVICE = {"": _LIST, MS: f"{_LIST}; save the model without onnxruntime's fusions, or quantize to QDQ"}


def translate(skeleton: Skeleton, builder: GraphBuilder) -> tuple[Graph, Mapping[str, Shape]]:
    """The whole model, and the shape of every name of its main graph. Raises ``SubmissionFault`` with all problems together."""
    file, graph = skeleton.path.name, skeleton.model.graph
    opsets = check_model(skeleton.model, file)
    walk = Walk(file, builder, Op, FOLDS)
    model = Model(walk, TensorReader(skeleton), TABLE, _ADVICE, opsets)
    _functions(model, skeleton.model)
    outputs = [output.name for output in graph.output]
    scope = Scope(model, builder, graph.node, outputs, branches="")
    # Before IR version 4 every constant was listed as an input, too.
    constants = {tensor.name for tensor in graph.initializer} | {tensor.values.name for tensor in graph.sparse_initializer}
    inputs = [info for info in graph.input if info.name not in constants]
    for info in inputs:
        walk.input(scope, info.name, info.name, partial(_input, builder, info, None if info is inputs[0] else inputs[0]))
    scope.constants(graph)
    walk.main("main", scope, scope.steps())
    results = [walk.output(scope, name, name, lambda item: item.value) for name in outputs]  # type: ignore[union-attr]
    shapes = scope.shapes()
    for sentence in forged(graph, shapes):
        builder.note(sentence)
    return walk.graph(len(inputs), results), shapes


def _functions(model: Model, proto: onnx.ModelProto) -> None:
    for function in proto.functions:
        key = (plain(function.domain), function.name, function.overload)
        where = f"function {function.name!r}"
        if key in model.functions:
            model.walk.faults.problems.append(Problem(f"a second function {function.name!r}", "be defined once", where))
        if key[:2] in TABLE:
            got = f"a function that redefines the operator {function.name}"
            model.walk.faults.problems.append(Problem(got, "have another name", where))
        model.functions[key] = function


def _input(builder: GraphBuilder, info: onnx.ValueInfoProto, first: onnx.ValueInfoProto | None) -> Operand:
    """An input; ``first`` is the one in front of a language model's states."""
    if first is None:
        shape = input_shape(info, builder.batch, builder.chunk)
    else:
        shape = state_shape(info, first, input_shape(first, builder.batch, builder.chunk)[0])
    fmt = element_type(info.type.tensor_type.elem_type, f"input {info.name!r}").format
    return computed(builder, builder.input(shape, fmt, info.name))

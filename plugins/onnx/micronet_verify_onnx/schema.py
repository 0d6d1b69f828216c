"""Compares a node with the operator's own specification: operands, results and attributes that it may have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import onnx
from onnx import AttributeProto

from micronet_verify.plugin import Problem, SubmissionFault

# onnxruntime's own operators that its exporters put into ONNX's domain.
UNSPECIFIED = frozenset({"SimplifiedLayerNormalization"})


def check_node(node: onnx.NodeProto, given: Mapping[str, AttributeProto], version: int, where: str) -> None:
    """Raise ``SubmissionFault`` with everything in which an ONNX node departs from its specification."""
    kind = node.op_type
    if kind in UNSPECIFIED:
        return
    schema = _schema(kind, version)
    if schema is None:
        raise SubmissionFault(Problem(f"{kind}, which opset {version} does not have", "be an operator of the model's opset", where))
    problems = []
    operands, results = len(node.input), len(node.output)
    if not schema.min_input <= operands <= schema.max_input:
        problems.append(Problem(f"{operands} operands of {kind}", f"have {_between(schema.min_input, schema.max_input)}", where))
    if not 1 <= results <= schema.max_output:
        problems.append(Problem(f"{results} results of {kind}", f"have {_between(1, schema.max_output)}", where))
    names = [attribute.name for attribute in node.attribute]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem(f"the attribute {name!r} of {kind} twice", "be given once", where))
    for attribute in node.attribute:
        if attribute.name not in schema.attributes:
            problems.append(Problem(f"an attribute {attribute.name!r} of {kind}", f"be one of opset {version}'s", where))
    for name, attribute in schema.attributes.items():
        found, wanted = given.get(name), attribute.type.name
        if found is None and attribute.required:
            problems.append(Problem(f"{kind} without its attribute {name!r}", "have one", where))
        if found is not None and AttributeProto.AttributeType.Name(found.type) != wanted:
            kept = AttributeProto.AttributeType.Name(found.type).lower()
            problems.append(Problem(f"the attribute {name!r} of {kind} of type {kept}", f"be of type {wanted.lower()}", where))
    if problems:
        raise SubmissionFault(problems)


def check_opset(function: onnx.FunctionProto, opsets: Mapping[str, int], where: str) -> None:
    """Raise ``SubmissionFault`` where a function's operators mean something else in its own opset than in the model's, ``opsets``.

    The format's checker refuses that, too; onnxruntime runs the model's.
    """
    own = {entry.domain: entry.version for entry in function.opset_import}
    version = own.get("", own.get("ai.onnx", opsets.get("", 0)))
    if version == opsets.get("", version):
        return
    for node in _nodes(function.node):
        if node.domain in ("", "ai.onnx") and _since(node.op_type, version) != _since(node.op_type, opsets[""]):
            got = f"{node.op_type} of opset {version} in the function {function.name!r} of a model of opset {opsets['']}"
            raise SubmissionFault(Problem(got, "be of one opset", where, "export functions with the model's opset"))


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from _nodes(attribute.g.node)


def _since(kind: str, version: int) -> int | None:
    schema = _schema(kind, version)
    return None if schema is None else int(schema.since_version)


@cache
def _schema(kind: str, version: int) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(kind, version, "")
    except onnx.defs.SchemaError:
        return None


def _between(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"

"""Compares a node with the operator's own specification: operands, results and attributes that it may have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

import onnx
from onnx import AttributeProto

from micronet_verify.errors import Problem, SubmissionFault

if TYPE_CHECKING:
    from micronet_verify_onnx.op import Op

# onnxruntime's own operators that its exporters put into ONNX's domain.
UNSPECIFIED = frozenset({"SimplifiedLayerNormalization"})


def check_node(op: Op) -> None:
    """Raise ``SubmissionFault`` with everything in which an ONNX node departs from its specification."""
    if op.domain or op.kind in UNSPECIFIED:
        return
    schema = _schema(op.kind, op.version)
    if schema is None:
        raise SubmissionFault(
            Problem(f"{op.kind}, which opset {op.version} does not have", "be an operator of the model's opset", op.where)
        )
    problems = []
    given, results = len(op.node.input), len(op.node.output)
    if not schema.min_input <= given <= schema.max_input:
        problems.append(Problem(f"{given} operands of {op.kind}", f"have {schema.min_input} to {schema.max_input}", op.where))
    if not 1 <= results <= schema.max_output:
        problems.append(Problem(f"{results} results of {op.kind}", f"have 1 to {schema.max_output}", op.where))
    names = [attribute.name for attribute in op.node.attribute]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem(f"the attribute {name!r} of {op.kind} twice", "be given once", op.where))
    for attribute in op.node.attribute:
        if attribute.name not in schema.attributes:
            problems.append(Problem(f"an attribute {attribute.name!r} of {op.kind}", f"be one of opset {op.version}'s", op.where))
    for name, attribute in schema.attributes.items():
        given_one, wanted = op.attribute(name), attribute.type.name
        if given_one is None and attribute.required:
            problems.append(Problem(f"{op.kind} without its attribute {name!r}", "have one", op.where))
        if given_one is not None and AttributeProto.AttributeType.Name(given_one.type) != wanted:
            found = AttributeProto.AttributeType.Name(given_one.type).lower()
            problems.append(Problem(f"the attribute {name!r} of {op.kind} of type {found}", f"be of type {wanted.lower()}", op.where))
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

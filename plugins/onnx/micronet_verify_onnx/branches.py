"""Makes a model tell which body of each If it took: one more output per branch, the same computation (rule O13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from micronet_verify.plugin import NOT_REACHED, SIDES, GraphBuilder, TranslateRequest, branch_names
from micronet_verify_onnx.counter import OnnxCounter


@dataclass(frozen=True, slots=True)
class Record:
    """The branch called ``name`` (as in the counted graph) writes the number of its body to the output ``output``."""

    name: str
    output: str


def names_of(artifact: Path, model: onnx.ModelProto) -> frozenset[str]:
    """Names of the branches that the data decides; those on shapes and constants are none."""
    if not any(node.op_type == "If" for node in model.graph.node):
        return frozenset()
    return branch_names(lambda: OnnxCounter().translate(TranslateRequest(artifact), GraphBuilder(None)))


def record_branches(artifact: Path, names: frozenset[str]) -> tuple[onnx.ModelProto, tuple[Record, ...]]:
    """The model with its records as further outputs. External data stays where it is."""
    model = onnx.load(str(artifact), load_external_data=False)
    records = tuple(_recorded(model.graph, "", names))
    model.graph.output.extend(_info(record.output) for record in records)
    return model, records


def _recorded(graph: onnx.GraphProto, prefix: str, names: frozenset[str]) -> list[Record]:
    """Give every If of ``graph`` an output for itself and for each branch inside its bodies."""
    found: list[Record] = []
    for node in graph.node:
        if node.op_type != "If":
            continue
        name = f"{prefix}{node.output[0]}"
        bodies = {attribute.name: attribute.g for attribute in node.attribute}
        then, other = bodies["then_branch"], bodies["else_branch"]
        inner = [_recorded(body, f"{name}/{side}/", names) for side, body in zip(SIDES, (then, other), strict=True)]
        if name in names:
            _answer(then, 0)
            _answer(other, 1)
            found.append(_output(node, name))
        for index, records in enumerate(inner):
            reached, missed = (then, other) if index == 0 else (other, then)
            for record in records:
                reached.output.append(_info(record.output))
                _answer(missed, NOT_REACHED)
                found.append(_output(node, record.name))
    return found


def _output(node: onnx.NodeProto, name: str) -> Record:
    record = Record(name, f"taken:{name}@{node.output[0]}")
    node.output.append(record.output)
    return record


def _answer(body: onnx.GraphProto, number: int) -> None:
    """One more output of a body: a constant."""
    output = f"taken:{number}:{len(body.output)}:{body.output[0].name}"
    body.node.append(helper.make_node("Constant", [], [output], value=numpy_helper.from_array(np.array([number], np.int64))))
    body.output.append(_info(output))


def _info(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, [1])


def taken(rows: Sequence[NDArray[Any]]) -> list[int]:
    """The body of one example at each branch, from what the records said."""
    return [int(row.reshape(-1)[0]) for row in rows]

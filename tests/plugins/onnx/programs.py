"""The contract's programs as ONNX files: in one file, or with their weights in files beside it."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto

from micronet_verify.testing import Program
from tests.plugins.onnx.program_control import Writer
from tests.plugins.onnx.support import graph, info, model, node, saved, unknown

_INT4_OPSET, _INT4_IR = 21, 10


def write(program: Program, folder: Path) -> Path:
    return saved(_model(program), folder)


def write_beside(program: Program, folder: Path) -> Path:
    """Every tensor in a file of its own."""
    path = folder / "model.onnx"
    onnx.save_model(_model(program), path, save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=0)
    return path


def write_unknown(folder: Path) -> tuple[Path, str]:
    return saved(model(graph([node("Unheard", "x")], [info("x", ["batch", 4])], [unknown("y")])), folder), "Unheard"


def _model(program: Program) -> onnx.ModelProto:
    writer = Writer()
    nodes = writer.nodes(program.steps)
    batch: list[int | str] = [1] if program.states or program.branches else ["batch"]
    given = [info("x", [*batch, *program.shape], TensorProto.INT64 if program.words else TensorProto.FLOAT)]
    given += [info(state.name, (1, *state.shape)) for state in program.states]
    outputs = [unknown(name) for name in ("y", *(state.after for state in program.states))]
    body = graph(nodes, given, outputs, writer.constants)
    if program.alike:
        for item in body.node:  # onnxruntime refuses two of one name, but takes any number without
            item.name = ""
    fine = any(step.options.get("bits") == 4 for step in program.steps)
    return model(body, _INT4_OPSET, _INT4_IR) if fine else model(body)

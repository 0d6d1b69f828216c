"""The contract that every plugin passes, for .tflite files as TensorFlow's converter writes them; codes are written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from micronet_verify.testing import Plugin, PluginContract, Program
from tests.plugins.tensorflow.programs import Programs

pytestmark = pytest.mark.xdist_group("tensorflow")


class TestTflite(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        pytest.importorskip("tensorflow")
        from tests.plugins.tflite import quantized_programs
        from tests.plugins.tflite.converted import tensorflow

        programs = Programs(tensorflow())

        def write(program: Program, folder: Path) -> Path:
            by_hand = program.operators & quantized_programs.QUANTIZED
            path = quantized_programs.write(program, folder) if by_hand else programs.converted(program, folder)
            return named_alike(path) if program.alike else path

        return Plugin("tflite", "micronet_verify_tflite", write, unknown, heavy=("tensorflow", "ai_edge_litert", "tflite"))


def named_alike(path: Path) -> Path:
    """Gives all tensors of all subgraphs one name."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = b"n"
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def unknown(folder: Path) -> tuple[Path, str]:
    from tests.plugins.tflite.writer import File

    file, sub = File.new()
    sub.outputs = sub.op("CUSTOM", [sub.input((1, 4))], [sub.tensor((1, 4), name="y")], custom="Unheard")
    return file.save(folder / "model.tflite"), "Unheard"

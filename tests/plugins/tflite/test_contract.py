"""The contract that every plugin passes, for .tflite files as TensorFlow's converter writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from micronet_verify.testing import Plugin, PluginContract
from tests.plugins.tensorflow.programs import Programs

pytestmark = pytest.mark.xdist_group("tensorflow")


class TestTflite(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        pytest.importorskip("tensorflow")
        from tests.plugins.tflite.converted import tensorflow

        programs = Programs(tensorflow())
        return Plugin("tflite", "micronet_verify_tflite", programs.converted, unknown, heavy=("tensorflow", "ai_edge_litert", "tflite"))


def unknown(folder: Path) -> tuple[Path, str]:
    from tests.plugins.tflite.writer import File

    file, sub = File.new()
    sub.outputs = sub.op("CUSTOM", [sub.input((1, 4))], [sub.tensor((1, 4), name="y")], custom="Unheard")
    return file.save(folder / "model.tflite"), "Unheard"

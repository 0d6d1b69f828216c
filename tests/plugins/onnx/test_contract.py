"""The contract that every plugin passes, for ONNX."""

from __future__ import annotations

import pytest

from micronet_verify.testing import Plugin, PluginContract
from tests.plugins.onnx.programs import write, write_beside, write_unknown


class TestOnnx(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        return Plugin("onnx", "micronet_verify_onnx", write, write_unknown, write_beside=write_beside)

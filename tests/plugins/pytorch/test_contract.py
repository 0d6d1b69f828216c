"""The contract that every plugin passes, for PyTorch."""

from __future__ import annotations

import pytest

from micronet_verify.testing import Plugin, PluginContract
from tests.plugins.pytorch.programs import write, write_unknown


class TestPyTorch(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        return Plugin("pytorch", "micronet_verify_pytorch", write, write_unknown)

"""The contract that every plugin passes, for TensorFlow's SavedModels."""

from __future__ import annotations

from typing import Any

import pytest

from micronet_verify.testing import Plugin, PluginContract
from tests.plugins.tensorflow.programs import Programs


class TestTensorFlow(PluginContract):
    @pytest.fixture
    def plugin(self, tf: Any) -> Plugin:
        programs = Programs(tf)
        return Plugin("tensorflow", "micronet_verify_tensorflow", programs.saved, programs.unknown, heavy=("tensorflow", "keras"))

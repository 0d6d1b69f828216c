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

    @pytest.fixture(autouse=True)
    def _not_yet(self, request: pytest.FixtureRequest) -> None:
        """A branch in the body of a branch has no name yet, so that its bodies are both charged."""
        if "branch-nested" in request.node.name:
            request.applymarker(pytest.mark.xfail(reason="an inner branch is not weighted by how often it is reached", strict=False))

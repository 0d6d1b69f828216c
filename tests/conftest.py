"""TensorFlow is imported once in a process, and only by tests that ask for it; without it they are skipped."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import pytest


@pytest.fixture(scope="session")
def tf() -> Any:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    from micronet_verify_tensorflow.environment import tensorflow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        return tensorflow()

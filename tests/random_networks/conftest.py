"""How many networks, and TensorFlow, which is imported once, in one worker, where it is installed."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
MANY = int(os.environ.get("MICRONET_RANDOM", "0"))
"""How many networks to draw anew for each framework; 0: the same ones as always."""
AS_ALWAYS = 100
SETTINGS = settings(
    max_examples=MANY or AS_ALWAYS,
    derandomize=not MANY,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@pytest.fixture(scope="session")
def tf() -> Any:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    from micronet_verify_tensorflow.environment import tensorflow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        return tensorflow()

"""Converted networks, each made once in a run and by one worker."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

# The files of these tests are written with the schema that comes with the interpreter.
collect_ignore_glob = [] if importlib.util.find_spec("ai_edge_litert") else ["test_*.py"]


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Converts a network of ``converted.NETWORKS``; the tests that ask for it are skipped where TensorFlow is absent."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    from tests.plugins.tflite.converted import convert

    folder = tmp_path_factory.mktemp("tflite")
    return lambda network, kind, batch=None: convert(network, kind, folder, batch)

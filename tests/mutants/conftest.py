"""The networks of the mutants: built once in a run, proved, and kept for all defects."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mutants.planting import Judged

HERE = Path(__file__).parent
NEEDS = {"pytorch": "torch", "onnx": "onnxruntime", "tensorflow": "tensorflow", "tflite": "tensorflow"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(next((name for name in NEEDS if f"[{name}" in item.name), "mutants")))


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Judged]:
    """A network of a framework, by names."""
    built: dict[tuple[str, str], Judged] = {}

    def build(framework: str, name: str) -> Judged:
        if importlib.util.find_spec(NEEDS[framework]) is None:
            pytest.skip(f"{NEEDS[framework]} is not installed")
        if (framework, name) not in built:
            module = importlib.import_module(f"tests.mutants.in_{framework}")
            built[framework, name] = module.build(name, tmp_path_factory.mktemp(f"{framework}-{name}"))
        return built[framework, name]

    return build

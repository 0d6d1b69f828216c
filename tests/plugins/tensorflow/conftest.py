"""Tests of TensorFlow run in one worker, so that it is imported once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.tensorflow.support import Builder

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("tensorflow"))


@pytest.fixture(scope="session")
def keras(tf: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras

        return keras


@pytest.fixture(scope="session")
def build(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tf, tmp_path_factory.mktemp("saved"))


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A file that no test may read or write: its time of access and its bytes are compared."""
    path = tmp_path / "canary"
    path.write_text("nobody reads this")
    before = path.stat()
    yield path
    after = path.stat()
    assert path.read_text() == "nobody reads this"
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
    assert after.st_atime_ns == before.st_atime_ns
    assert [item.name for item in tmp_path.iterdir() if item.name.startswith("written")] == []

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator of the machine that runs the tests may have data; the tests must not see it. The config folder."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.delenv("MICRONET_DATA", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    return folder / "micronet-verify"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder, empty."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"

from __future__ import annotations

from pathlib import Path

import pytest

from micronet_verify.errors import BenchFault
from micronet_verify.quality.datasets.folders import cache_folder, data_root
from tests.quality.published import written


def settings(folder: Path, text: str) -> None:
    written(folder / "config.yaml", text.encode())


def test_nothing_says_where_data_are() -> None:
    assert data_root() is None


def test_the_option_comes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, no_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(no_settings, "data: /from/file\n")
    assert data_root() == Path("/from/file")
    monkeypatch.setenv("MICRONET_DATA", "/from/environment")
    assert data_root() == Path("/from/environment")
    assert data_root(tmp_path) == tmp_path


def test_a_home_folder_is_written_as_a_tilde(no_settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    settings(no_settings, "data: ~/sets\ncache: ~/kept\n")
    assert (data_root(), cache_folder()) == (Path("/home/ada/sets"), Path("/home/ada/kept"))


def test_folders_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert cache_folder() == Path("/home/ada/.cache/micronet-verify")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/kept")
    assert cache_folder() == Path("/var/kept/micronet-verify")


def test_a_wrong_file_is_told_with_its_lines(no_settings: Path) -> None:
    settings(no_settings, "dat: /x\ncache: [a]\n")
    with pytest.raises(BenchFault) as caught:
        data_root()
    name = no_settings / "config.yaml"
    assert str(caught.value).splitlines() == [
        f"got the unknown key 'dat' but should be one of data, cache [{name}:1] (did you mean 'data'?)",
        f"got cache: a list of 1 but should be text [{name}:2]",
    ]

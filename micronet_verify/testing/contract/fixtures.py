"""What the tests of the contract start from: the plugin, what it made of the programs, and a simple file that they may damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from micronet_verify.errors import MicronetError
from micronet_verify.testing.cases import CASES, Case
from micronet_verify.testing.made import Made
from micronet_verify.testing.plugin import Plugin

LEAST_PROGRAMS = 5
"""A framework that can say fewer of the programs than this is not tested by them."""
_MADE = pytest.StashKey[dict[str, Made]]()
_BY_NAME = {case.program.name: case for case in CASES}


class Fixtures:
    """Fixtures of all parts of the contract; ``plugin`` comes from the author."""

    @pytest.fixture
    def plugin(self) -> Plugin:
        raise NotImplementedError("a subclass of PluginContract has a fixture `plugin`, which returns a micronet_verify.testing.Plugin")

    @pytest.fixture
    def made(self, plugin: Plugin, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Made:
        """Artifacts, graphs and answers, shared by all tests of a run, which only read them."""
        known = pytestconfig.stash.setdefault(_MADE, {})
        if plugin.name not in known:
            known[plugin.name] = Made(plugin, tmp_path_factory.mktemp("made"))
        return known[plugin.name]

    @pytest.fixture
    def simple(self, made: Made, tmp_path: Path) -> tuple[Case, Path]:
        """The first program that the framework can say, in a copy for this test alone."""
        for case in (_BY_NAME[name] for name in ("linear", "linear-without-bias", *_BY_NAME)):
            try:
                artifact = made.artifact(case)
            except pytest.skip.Exception:
                continue
            shutil.copytree(artifact.parent, tmp_path / "simple")
            return case, tmp_path / "simple" / artifact.name
        pytest.fail("got no program that the plugin can write but should be five at least")


def written(plugin: Plugin, case: Case, folder: Path) -> Path:
    """The program in the plugin's format, in ``folder``. Raises ``Unsupported``."""
    folder.mkdir(parents=True, exist_ok=True)
    return plugin.write(case.program, folder)


def is_told(fault: MicronetError) -> None:
    """A fault is sentences, each with what was got and what it should be."""
    assert fault.problems
    assert all(problem.got and problem.should for problem in fault.problems)

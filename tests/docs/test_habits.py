"""Files that a repository is expected to have, as far as they can be wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = (".", "plugins/onnx", "plugins/pytorch", "plugins/tensorflow", "examples/sklearn-mlp")


@pytest.mark.parametrize("folder", DISTRIBUTIONS)
def test_every_distribution_has_the_license_and_says_so(folder: str) -> None:
    """PEP 639: an SPDX expression and the file; the classifier that it replaces is gone."""
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])
    assert [entry for entry in project["classifiers"] if entry.startswith("License ::")] == []
    assert (ROOT / folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_pre_commit_runs_what_make_lint_runs() -> None:
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint: ")[2].partition("\n\n")[0]
    commands = re.findall(r"\t\$\(BIN\)/(.*)", lint)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    run = [hook["entry"].removeprefix(".venv/bin/").replace(" --force-exclude", "") for hook in hooks]
    assert run == [command.removesuffix(" .") for command in commands]

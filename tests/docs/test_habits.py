"""Files that a repository is expected to have, as far as they can be wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = (".", "plugins/onnx", "plugins/pytorch", "plugins/tensorflow", "examples/sklearn-mlp")


def project(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


@pytest.mark.parametrize("folder", DISTRIBUTIONS)
def test_every_distribution_has_the_license_and_says_so(folder: str) -> None:
    """PEP 639: an SPDX expression and the file; the classifier that it replaces is gone."""
    said = project(folder)
    assert (said["license"], said["license-files"]) == ("Apache-2.0", ["LICENSE"])
    assert [entry for entry in said["classifiers"] if entry.startswith("License ::")] == []
    assert (ROOT / folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_pre_commit_runs_what_make_lint_runs() -> None:
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint: ")[2].partition("\n\n")[0]
    commands = re.findall(r"\t\$\(BIN\)/(.*)", lint)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    run = [hook["entry"].removeprefix(".venv/bin/").replace(" --force-exclude", "") for hook in hooks]
    assert run == [command.removesuffix(" .") for command in commands]


def test_all_distributions_have_one_version() -> None:
    assert len({project(folder)["version"] for folder in DISTRIBUTIONS}) == 1


def test_the_matrix_and_the_classifiers_name_the_same_versions() -> None:
    matrix = tomllib.loads((ROOT / ".ci" / "matrix.toml").read_text(encoding="utf-8"))
    assert [row["version"] for row in matrix["python"] if row.get("whole")] == ["3.11"]
    prefix = "Programming Language :: Python :: "
    for folder in DISTRIBUTIONS:
        framework = folder.removeprefix("plugins/")
        rows = [row for row in matrix["python"] if folder == framework or framework in row["frameworks"]]
        named = [entry.removeprefix(prefix) for entry in project(folder)["classifiers"] if entry.startswith(prefix)]
        assert named == [row["version"] for row in rows], folder


def test_the_rooms_of_the_core_exist() -> None:
    matrix = tomllib.loads((ROOT / ".ci" / "matrix.toml").read_text(encoding="utf-8"))
    assert [room for room in matrix["core"]["rooms"] if not (ROOT / "tests" / room).is_dir()] == []


def test_tools_read_what_lies_in_github() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert ".ci/wheels.py --json" in workflow
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        template = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert path.name == "config.yml" or {"name", "description", "body"} <= template.keys()
        for page in re.findall(r"\b(?:docs/[\w-]+|[A-Z]+)\.md\b", path.read_text(encoding="utf-8")):
            assert (ROOT / page).exists(), page

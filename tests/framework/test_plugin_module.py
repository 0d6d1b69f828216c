"""``micronet_verify.plugin`` is all that plugins import, and brings neither prices nor labels with it."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from micronet_verify import plugin
from tests.framework.plugin_site import ROOT

# Rooms that a worker never holds.
JUDGES = "analysis checks counting evaluation proof quality reports sandbox stages submission suite track".split()
FOLDERS = ("plugins/onnx", "plugins/pytorch", "plugins/tensorflow", "examples/sklearn-mlp")
PACKAGES = sorted(path.parent for folder in FOLDERS for path in (ROOT / folder).glob("micronet_verify_*/__init__.py"))


def test_everything_that_is_named_is_there() -> None:
    assert sorted(plugin.__all__) == sorted(set(plugin.__all__))
    assert [name for name in plugin.__all__ if not hasattr(plugin, name)] == []
    assert "Framework" in plugin.__all__
    assert plugin.INTERFACE == (1, 0)


def test_it_brings_no_price_and_no_label() -> None:
    code = "import sys, micronet_verify.plugin; print(*[name for name in sys.modules if name.startswith('micronet_verify.')], sep='\\n')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "micronet_verify.framework.builder" in found
    assert [name for name in found if name.split(".")[1] in JUDGES] == []


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [each.name for each in node.names] if isinstance(node, ast.Import) else []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_plugins_import_it_and_nothing_else(package: Path) -> None:
    assert len(PACKAGES) == 5
    beside = {other.name for other in PACKAGES if other.parent == package.parent}
    found = [
        (path.name, module)
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for module in imported(node)
        if module.startswith("micronet_verify") and module != "micronet_verify.plugin" and module.partition(".")[0] not in beside
    ]
    assert found == []


@pytest.mark.parametrize("package", [ROOT / "micronet_verify", *PACKAGES], ids=lambda path: path.name)
def test_types_are_part_of_every_distribution_and_versions_are_bound(package: Path) -> None:
    assert (package / "py.typed").exists()
    if package.parent != ROOT:
        project = tomllib.loads((package.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert "micronet-verify>=0.1,<0.2" in project["dependencies"]


def test_extras_bind_the_plugins_to_this_release() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for name in ("pytorch", "onnx", "tensorflow", "tflite"):
        assert all(each.endswith(">=0.1,<0.2") for each in extras[name])

"""The tutorial plugin, installed from outside the tree into an environment of its own, passes its own tests."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "sklearn-mlp"


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of the example, and the Python of an environment in which it and what is installed here are importable."""
    folder = tmp_path_factory.mktemp("outside")
    copy = folder / "plugin"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*", "dist"))
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    install = [sys.executable, "-m", "pip", "-q", "--python", str(python), "install", "--no-build-isolation", "--no-deps", str(copy)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return copy, python


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run([str(python), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_it_is_a_framework_like_every_other(outside: tuple[Path, Path], tmp_path: Path) -> None:
    listed = run(outside[1], "-m", "micronet_verify.cli", "plugins", cwd=tmp_path)
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "sklearn" in listed.stdout


def test_it_passes_the_contract(outside: tuple[Path, Path]) -> None:
    done = run(outside[1], "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests", cwd=outside[0])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout


def test_the_walk_through_shows_the_code_as_it_is() -> None:
    """Every indented block of docs/plugin.md that names a file is a passage of that file."""
    page = (ROOT / "docs" / "plugin.md").read_text(encoding="utf-8")
    shown = 0
    for name in ("__init__.py", "counter.py", "loader.py", "reading.py"):
        code = (EXAMPLE / "micronet_verify_sklearn" / name).read_text(encoding="utf-8")
        for block in blocks(page, name):
            shown += 1
            assert block in code, f"{name}:\n{block}"
    assert shown >= 4


def blocks(page: str, name: str) -> list[str]:
    """The fenced blocks that follow a line which ends in ``name`` and a colon."""
    found, parts = [], page.split("```python\n")
    for before, after in itertools.pairwise(parts):
        if before.rstrip().endswith(f"`{name}`:"):
            found.append(after.split("```")[0])
    return found

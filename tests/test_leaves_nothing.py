"""A run of tests leaves nothing in the folder of temporary files; modules of each kind run with one of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    "graphs built by hand": "counting/test_equal_tensors.py",
    "ONNX files": "plugins/onnx/test_places.py",
    "PyTorch archives": "plugins/pytorch/test_formats.py",
    "processes": "sandbox/test_alone.py",
    "judging": "evaluation/test_places.py",
    "runs of the suite": "suite/test_judging.py",
    "commands": "cli/test_limits.py",
}
# torch's own cache of compiled kernels, one folder for all processes of a user.
THEIRS = ("torchinductor_",)


@pytest.mark.parametrize("kind", MODULES)
def test_a_module_leaves_nothing_behind(kind: str, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    arguments = ["-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}", str(ROOT / "tests" / MODULES[kind])]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT,
        env={**environment, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert [path.name for path in scratch.iterdir() if not path.name.startswith(THEIRS)] == []

"""The command run in this process (``cli``) and as people run it, in a process of its own (``shell``)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from micronet_verify.cli import main
from micronet_verify.framework.installed import WITHOUT, forget

SAMPLES = Path(__file__).resolve().parents[2] / "sample_submissions"


@pytest.fixture
def cli():
    """Calls the command; an exception other than an exit is the test's failure."""

    def call(*arguments: object, columns: int = 80) -> Result:
        result = CliRunner(env={"COLUMNS": str(columns)}).invoke(main, list(map(str, arguments)))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def shell(*arguments: object, columns: int = 80, **keys) -> subprocess.CompletedProcess[str]:
    """The installed command, without a terminal."""
    environment = {**os.environ, "COLUMNS": str(columns), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "micronet_verify.cli", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300, **keys)


@pytest.fixture
def without(monkeypatch):
    """Leaves out plugins, here and in the processes that are started."""

    def leave_out(*names: str) -> None:
        monkeypatch.setenv(WITHOUT, ",".join(names))
        forget()

    yield leave_out
    monkeypatch.undo()
    forget()


@pytest.fixture(scope="session")
def samples() -> Path:
    return SAMPLES


@pytest.fixture
def entry(tmp_path):
    """Copies a sample entry into a folder of the test's own, with parts of its manifest replaced."""

    def copy(sample: str, name: str | None = None, **replaced: str) -> Path:
        target = tmp_path / "entries" / (name or sample)
        shutil.copytree(SAMPLES / sample, target)
        manifest = target / "submission.yaml"
        lines = manifest.read_text(encoding="utf-8").splitlines()
        for key, value in replaced.items():
            assert any(line.startswith(f"{key}:") for line in lines)
            lines = [f"{key}: {value}" if line.startswith(f"{key}:") else line for line in lines]
        manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return target

    return copy

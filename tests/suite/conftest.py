"""Runs of pytest in child processes, as an organizer starts them, and small folders of entries to judge."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "sample_submissions"
SUITE = ["--pyargs", "micronet_verify.suite"]
# Notes every evaluation; lies in the organizer's own folder, where pytest is started.
NOTING = """
import os
import micronet_verify.suite.judging as judging

evaluate = judging.evaluate

def noting(entry, id, *rest):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(id + "\\n")
    return evaluate(entry, id, *rest)

judging.evaluate = noting
"""


@dataclass
class Run:
    """One finished run: pytest's exit code, what it printed, and (outcome, message) by test name."""

    code: int
    text: str
    tests: dict[str, tuple[str, str]]
    notes: list[str]
    folder: Path

    def named(self, outcome: str) -> set[str]:
        return {name for name, (found, _) in self.tests.items() if found == outcome}


def start(folder: Path, command: Sequence[str], **environment: str) -> Run:
    """Run ``command`` in ``folder``, with warnings as errors; it is to write ``junit-by-pytest.xml`` there."""
    written, notes = folder / "junit-by-pytest.xml", folder / "notes"
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    kept |= {"OMP_NUM_THREADS": "1", "NOTES": str(notes), **environment}
    written.unlink(missing_ok=True)
    notes.unlink(missing_ok=True)
    done = subprocess.run([sys.executable, "-W", "error", *command], cwd=folder, env=kept, capture_output=True, text=True, check=False)
    found = notes.read_text().split() if notes.exists() else []
    return Run(done.returncode, done.stdout + done.stderr, tests_in(written) if written.exists() else {}, found, folder)


def tests_in(path: Path) -> dict[str, tuple[str, str]]:
    found = {}
    for case in ET.parse(path).getroot().iter("testcase"):
        told = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        outcome = {"failure": "failed", None: "passed"}.get(told.tag if told is not None else None) or str(told.tag)
        found[case.get("name", "")] = (outcome, "" if told is None else told.get("message") or told.text or "")
    return found


@pytest.fixture
def judged(tmp_path) -> Callable[..., Run]:
    """Runs plain pytest over a folder of submissions, started in the organizer's folder ``desk``."""
    desk = tmp_path / "desk"
    desk.mkdir()
    (desk / "conftest.py").write_text(NOTING)
    (desk / "own.ini").write_text("[pytest]\n")

    def run(submissions: Path, *options: str, paths: Sequence[str] = SUITE) -> Run:
        junit = ["--junitxml", str(desk / "junit-by-pytest.xml")]
        return start(desk, ["-m", "pytest", *paths, "--submissions", str(submissions), *junit, *options])

    return run


def entry_like(sample: str, folder: Path) -> Path:
    """A copy of a sample entry."""
    shutil.copytree(SAMPLES / sample, folder)
    return folder


def refused(folder: Path, title: str = "No such track") -> Path:
    """An entry that is refused for its manifest, without any step in a child process."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"")
    (folder / "submission.yaml").write_text(
        f"""schema: 1
title: {title}
team: Nobody
members: [{{id: nobody, name: Nobody}}]
track: digit
framework: onnx
model: model.onnx
submitted: "2026-01-01T00:00:00Z"
"""
    )
    return folder


@pytest.fixture
def entries(tmp_path) -> Path:
    """Five entries: two that are refused at once, two honest ones, and one whose model is cut off."""
    root = tmp_path / "entries"
    refused(root / "a-refused")
    entry_like("digits/pruned-onnx", root / "honest" / "first")
    entry_like("digits/pruned-onnx", root / "honest" / "second")
    refused(root / "refused")
    entry_like("broken/truncated-onnx", root / "truncated")
    return root

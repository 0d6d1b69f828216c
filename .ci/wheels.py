"""Builds the wheels of every distribution, installs them in fresh environments outside the tree, and tries them there.

    python .ci/wheels.py              # the part of matrix.toml that this machine has interpreters for; says what is left out
    python .ci/wheels.py 3.13         # all that matrix.toml has for this version
    python .ci/wheels.py --json       # the versions, for a matrix of jobs

Without a version, plugins are tried on one version only, the one of `whole`, because a framework for each version takes gigabytes; and the
core's tests on the others. Wheels are built in the environment that `make` installs. The exit code is 1 where something failed.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MATRIX: dict[str, Any] = tomllib.loads((ROOT / ".ci" / "matrix.toml").read_text(encoding="utf-8"))
DISTRIBUTIONS = (".", "plugins/onnx", "plugins/pytorch", "plugins/tensorflow", "examples/sklearn-mlp")
CORE_NEEDS = ("hypothesis", "safetensors")
EXTRAS = {"onnx": "onnx", "pytorch": "pytorch", "tensorflow": "tensorflow[tensorflow]", "tflite": "tensorflow[tflite]"}
ENTRIES = {
    "onnx": ("digits/pruned-onnx", "model.onnx"),
    "pytorch": ("digits/pruned-pt2", "model.pt2"),
    "tensorflow": ("digits/deep-compression-savedmodel", "."),
    "tflite": ("digits/int8-tflite", "model.tflite"),
}


def run(argv: Sequence[str | Path], cwd: Path = ROOT) -> None:
    """What a command prints is shown only where it fails, and then this process ends with exit code 1."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "PYTEST_"))}
    words = [str(word) for word in argv]
    done = subprocess.run(words, cwd=cwd, env=environment | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}{done.stderr}\ngot exit code {done.returncode} but should be 0 [{' '.join(words[:12])}]")


def interpreter(version: str) -> str | None:
    """The path of an interpreter that starts, on PATH or among those of pyenv."""
    home = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    for path in filter(None, (shutil.which(f"python{version}"), *sorted(glob.glob(f"{home}/versions/{version}.*/bin/python{version}")))):
        if subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0:
            return path
    return None


def build(folder: Path) -> None:
    """A wheel of each distribution in `folder/wheels`, and the tests of this moment in `folder/tree`, with the pages that they read."""
    python = ROOT / ".venv" / "bin" / "python"
    for place in DISTRIBUTIONS:
        run([python, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder / "wheels", ROOT / place])
    names = ["git", "ls-files", "tests", "docs", "track_specs", "pyproject.toml"]
    tracked = subprocess.run(names, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.split():
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "tree" / name)


def install(python: str, wheels: Path, folder: Path, names: Sequence[str], extra: Sequence[str] = ()) -> Path:
    """A fresh environment with the built wheels of `names`, each with its extras, and with what they need from the index."""
    run([python, "-m", "venv", folder])
    found = []
    for name in names:
        distribution, bracket, extras = name.partition("[")
        wheel = next(wheels.glob(f"{distribution.replace('-', '_')}-[0-9]*.whl"))
        found.append(f"{wheel}{bracket}{extras}")
    run([folder / "bin" / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", *found, *extra])
    return folder / "bin"


def smoke(bin: Path, frameworks: Sequence[str], work: Path) -> None:
    """Commands and the contract of the example, far from the tree: what is installed is what runs."""
    work.mkdir()
    run([bin / "python", "-c", f"import micronet_verify as m; assert m.__file__.startswith({str(bin.parent)!r}), m.__file__"], work)
    run([bin / "micronet-verify", "plugins"], work)
    for entry, model in map(ENTRIES.__getitem__, frameworks):
        shutil.copytree(ROOT / "sample_submissions" / entry, work / "entries" / entry)
        run([bin / "micronet-verify", "count", work / "entries" / entry / model], work)
    run([bin / "micronet-verify", "run", "entries", "--report", "report"], work)
    shutil.copytree(ROOT / "examples" / "sklearn-mlp" / "tests", work / "contract")
    run([bin / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "contract"], work)


def core(bin: Path, tree: Path) -> None:
    """The core's tests on the installed wheel, without a framework."""
    rooms = [path for room in MATRIX["core"]["rooms"] for path in sorted((tree / "tests" / room).rglob("test_*.py"))]
    chosen = [path for path in rooms if not re.search(MATRIX["core"]["left_out"], path.read_text(encoding="utf-8"))]
    run([bin / "python", "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", *(path.relative_to(tree) for path in chosen)], tree)


def tried(row: dict[str, Any], python: str, place: Path, asked: bool) -> str:
    """Tries one version. What passed, in words."""
    version, said = row["version"], []
    if asked or not row.get("whole"):  # `make test` has run the core's tests on that version
        core(install(python, place / "wheels", place / f"core-{version}", ["micronet-verify"], CORE_NEEDS), place / "tree")
        said.append("the core's tests")
    if asked or row.get("whole"):
        names = ["micronet-verify", *(f"micronet-verify-{EXTRAS[name]}" for name in row["frameworks"]), "micronet-verify-sklearn[write]"]
        bin = install(python, place / "wheels", place / f"all-{version}", names)
        smoke(bin, row["frameworks"], place / f"smoke-{version}")
        shutil.rmtree(bin.parent)
        said.append(f"commands and plugins ({', '.join(row['frameworks'])})")
    return ", ".join(said)


def main(argv: list[str]) -> None:
    rows = {row["version"]: row for row in MATRIX["python"]}
    if argv == ["--json"]:
        print(json.dumps([*rows]))
        return
    if wrong := [version for version in argv if version not in rows]:
        sys.exit(f"got {', '.join(wrong)} but should be among {', '.join(rows)} [.ci/matrix.toml]")
    pythons = {version: interpreter(version) for version in argv or rows}
    missing = [f"Python {version}: no interpreter here" for version, python in pythons.items() if python is None]
    if argv and missing:
        sys.exit("\n".join(missing))
    with tempfile.TemporaryDirectory(prefix="micronet-wheels-") as folder:
        build(Path(folder))
        for version, python in pythons.items():
            if python is not None:
                start = time.monotonic()
                told = tried(rows[version], python, Path(folder), bool(argv))
                print(f"Python {version}: the built wheels pass {told}; {time.monotonic() - start:.0f} s", flush=True)
    for version, python in pythons.items():
        if python is not None and not argv and not rows[version].get("whole"):
            missing.append(f"Python {version}: plugins (python .ci/wheels.py {version} tries them)")
    print("\n".join(f"left out: {line}" for line in missing))


if __name__ == "__main__":
    main(sys.argv[1:])

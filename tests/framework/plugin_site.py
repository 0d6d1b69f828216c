"""Plugin distributions written into a folder that looks like site-packages, and a Python that has that folder installed.

Workers obey no PYTHONPATH, so the whole tool is tried in an environment of its own: a virtual environment that holds what this one
has, and the folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SOUND = """
import numpy as np

from micronet_verify.plugin import Answer, Framework, as_batches, hookimpl

MICRONET_INTERFACE = (1, 0)


class Loader:
    def predict(self, request):
        for batch in as_batches(request.inputs, request.batch_size):
            yield Answer(batch.reshape(len(batch), -1)[:, :2].astype(np.float32))


class Counter:
    def translate(self, request, builder):
        builder.at("sum", "whole")
        x = builder.input((builder.batch, 4))
        return builder.finish([builder.emit("move", x, op="slice", axes=(1,), starts=(0,), ends=(2,), steps=(1,))])


@hookimpl
def micronet_framework():
    return Framework(NAME, SUFFIXES, Loader, Counter, lambda: {"numpy": np.__version__})
"""
"""A plugin that works; ``sound()`` fills in the name and the endings."""


def sound(name: str, *suffixes: str) -> str:
    return SOUND.replace("NAME", repr(name)).replace("SUFFIXES", repr(suffixes or (f".{name}",)))


def install(site: Path, name: str, code: str, entry: str = "", version: str = "1.0") -> None:
    """The distribution ``micronet-NAME`` with the module ``micronet_NAME`` under the entry point NAME."""
    module = f"micronet_{name.replace('-', '_')}"
    site.mkdir(parents=True, exist_ok=True)
    (site / f"{module}.py").write_text(code, encoding="utf-8")
    info = site / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: micronet-{name}\nVersion: {version}\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[micronet_verify]\n{entry or name} = {module}\n", encoding="utf-8")


def python_with(folder: Path, site: Path) -> Path:
    """The interpreter of an environment that holds all that this one holds, and the packages in ``site``."""
    base, packages = (
        Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}"),
        folder / sysconfig.get_path("purelib", vars={"base": ""}).lstrip("/"),
    )
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n", encoding="utf-8")
    lines = [f"import site; site.addsitedir({each!r})" for each in (sysconfig.get_path("purelib"), str(site))]
    (packages / "here.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "bin" / "python"


def run(python: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """``micronet-verify`` as people run it."""
    environment = {"PATH": os.defpath, "HOME": str(python.parent), "COLUMNS": "1000", "OMP_NUM_THREADS": "1"}
    command = [str(python), "-m", "micronet_verify.cli", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300, cwd=python.parent)

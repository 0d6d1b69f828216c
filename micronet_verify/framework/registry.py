"""Finds installed framework plugins through pluggy and the entry-point group ``micronet_verify``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import pluggy

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.framework import hookspecs
from micronet_verify.framework.protocols import CPU, Framework

WITHOUT = "MICRONET_WITHOUT"


@cache
def plugins() -> pluggy.PluginManager:
    """Every installed plugin, loaded once, but those that the variable ``MICRONET_WITHOUT`` names (entry points, by commas)."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for name in filter(None, os.environ.get(WITHOUT, "").split(",")):
        manager.set_blocked(name.strip())
    manager.load_setuptools_entrypoints(hookspecs.ENTRY_POINTS)
    return manager


@cache
def frameworks() -> Mapping[str, Framework]:
    """Every installed framework by name. Raises ``BenchFault`` if two plugins claim one name."""
    found: dict[str, Framework] = {}
    for framework in plugins().hook.micronet_framework():
        if framework.name in found:
            raise BenchFault(Problem(f"two plugins for the framework {framework.name!r}", "be one: uninstall one of them"))
        found[framework.name] = framework
    return dict(sorted(found.items()))


def devices() -> tuple[str, ...]:
    """What models can be predicted on: the processor, and the devices of the installed frameworks."""
    return CPU, *sorted({device for framework in frameworks().values() for device in framework.devices} - {CPU})


def framework_named(name: str, where: str = "", model: str = "") -> Framework:
    """The framework ``name``, which stands at ``where``. Raises ``BenchFault`` with how to install it if a known plugin is missing.

    ``model``: the model file's name, whose ending tells which framework was meant where nothing is called ``name``.
    """
    found = frameworks()
    if name in found:
        return found[name]
    if name in KNOWN:
        raise BenchFault(Problem(f"framework {name!r} without its plugin", f"be installed: {install(name)}", where, _have(found)))
    near = difflib.get_close_matches(name, {*found, *KNOWN}, 1)
    reads = next((framework.name for framework in found.values() if model.endswith(framework.suffixes)), "")
    known = f"{model} is read by {reads!r}" if reads else _have(found)
    advice = f"did you mean {near[0]!r}?" if near else known
    raise SubmissionFault(Problem(f"the framework {name!r}", "be an installed one", where, advice))


def framework_of(file_name: str) -> Framework:
    """The framework whose artifacts end like ``file_name``. Raises ``SubmissionFault`` if there is none."""
    for framework in frameworks().values():
        if file_name.endswith(framework.suffixes):
            return framework
    endings = sorted(suffix for framework in frameworks().values() for suffix in framework.suffixes)
    raise SubmissionFault(Problem(f"the file {file_name!r}", f"end in one of {', '.join(endings)}"))


KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "onnx": "micronet-verify-onnx",
        "pytorch": "micronet-verify-pytorch",
        "tensorflow": "micronet-verify-tensorflow[tensorflow]",
        "tflite": "micronet-verify-tensorflow[tflite]",
    }
)
"""The frameworks of this project, and what to install for each."""


def incomplete(framework: Framework) -> Problem | None:
    """What to tell an operator who has the plugin but not all that it needs; ``None`` where nothing is missing."""
    missing = sorted(name for name, version in framework.version().items() if version is None)
    if not missing:
        return None
    return Problem(f"the framework {framework.name!r} without {', '.join(missing)}", f"be complete: {install(framework.name)}")


def install(name: str) -> str:
    """The command that installs a framework of this project with all that it needs; another's author knows better."""
    return f"pip install '{KNOWN[name]}'" if "[" in KNOWN.get(name, "") else f"pip install {KNOWN.get(name, f'the packages of {name}')}"


def _have(found: Mapping[str, Framework]) -> str:
    return f"installed: {', '.join(found)}" if found else "no framework plugin is installed"

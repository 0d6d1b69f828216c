"""Finds installed framework plugins through pluggy and the entry-point group ``micronet_verify``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache

import pluggy

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.framework import hookspecs
from micronet_verify.framework.protocols import Framework


@cache
def plugins() -> pluggy.PluginManager:
    """Every installed plugin, loaded once."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
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


def framework_named(name: str) -> Framework:
    """The framework ``name``. Raises ``BenchFault`` with how to install it if a known plugin is missing."""
    found = frameworks()
    if name in found:
        return found[name]
    if name in KNOWN:
        raise BenchFault(
            Problem(f"framework {name!r} without its plugin", f"be installed: pip install micronet-verify-{name}", advice=_have(found))
        )
    near = difflib.get_close_matches(name, {*found, *KNOWN}, 1)
    advice = f"did you mean {near[0]!r}?" if near else _have(found)
    raise SubmissionFault(Problem(f"the framework {name!r}", "be an installed one", advice=advice))


def framework_of(file_name: str) -> Framework:
    """The framework whose artifacts end like ``file_name``. Raises ``SubmissionFault`` if there is none."""
    for framework in frameworks().values():
        if file_name.endswith(framework.suffixes):
            return framework
    endings = sorted(suffix for framework in frameworks().values() for suffix in framework.suffixes)
    raise SubmissionFault(Problem(f"the file {file_name!r}", f"end in one of {', '.join(endings)}"))


KNOWN = ("onnx", "pytorch", "tensorflow")


def _have(found: Mapping[str, Framework]) -> str:
    return f"installed: {', '.join(found)}" if found else "no framework plugin is installed"

"""The installed frameworks by name, and what to tell where one is missing or broken.

A framework is missing for one of four reasons, and each has its person: nobody offers it (the entrant wrote a wrong name), its
plugin is not installed, not all that it needs is, or the plugin is broken (operators, and the plugin's authors).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.framework.guard import contained, sentence
from micronet_verify.framework.installed import WITHOUT as WITHOUT
from micronet_verify.framework.installed import remembered
from micronet_verify.framework.offers import Kind, Offers, collect, told
from micronet_verify.framework.origin import Origin
from micronet_verify.framework.protocols import CPU, Framework

_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
_SUFFIX = re.compile(r"\.[^\s/\\]+")


@remembered
def offers() -> Offers[Framework]:
    """Every framework that can be used, and every plugin that was to bring one and does not."""
    return collect(Kind("micronet_framework", "a Framework", _wrong, lambda framework: (framework.name, *framework.suffixes)))


def frameworks() -> Mapping[str, Framework]:
    """Every framework that can be used, by name."""
    return {name: offer.item for name, offer in offers().usable.items()}


def origin_of(framework: str) -> Origin | None:
    """The plugin that brings a framework; ``None`` for a framework that none brings."""
    found = offers().usable.get(framework)
    return found.origin if found else None


def devices() -> tuple[str, ...]:
    """What models can be predicted on: the processor, and the devices of the installed frameworks."""
    return CPU, *sorted({device for framework in frameworks().values() for device in framework.devices} - {CPU})


def framework_named(name: str, where: str = "", model: str = "") -> Framework:
    """The framework ``name``, which stands at ``where``.

    ``model``: the model file's name, whose ending tells which framework was meant where nothing is called ``name``. Raises
    ``BenchFault`` where a known plugin is missing, with how to install it, or where a broken one may be it, with its sentence;
    ``SubmissionFault`` for a name that nothing has.
    """
    found = frameworks()
    if name in found:
        return found[name]
    if broken := offers().lost(name):
        raise BenchFault(broken)
    if name in KNOWN:
        raise BenchFault(Problem(f"framework {name!r} without its plugin", f"be installed: {install(name)}", where, _have(found)))
    if broken := offers().unknown():
        raise BenchFault(broken)
    near = difflib.get_close_matches(name, {*found, *KNOWN}, 1)
    reads = next((framework.name for framework in found.values() if model.endswith(framework.suffixes)), "")
    known = f"{model} is read by {reads!r}" if reads else _have(found)
    advice = f"did you mean {near[0]!r}?" if near else known
    raise SubmissionFault(Problem(f"the framework {name!r}", "be an installed one", where, advice))


def framework_of(file_name: str) -> Framework:
    """The framework whose artifacts end like ``file_name``.

    Raises ``BenchFault`` where a broken plugin may be the one, with its sentence; ``SubmissionFault`` if there is none.
    """
    fitting = {suffix: framework for framework in frameworks().values() for suffix in framework.suffixes if file_name.endswith(suffix)}
    if fitting:
        return fitting[max(fitting, key=len)]
    lost = {name for each in offers().broken for name in each.names if name.startswith(".") and file_name.endswith(name)}
    if broken := offers().lost(*lost) or offers().unknown():
        raise BenchFault(broken)
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


def versions(framework: Framework) -> Mapping[str, str | None]:
    """The version of each package that a framework needs, ``None`` for a missing one.

    Raises ``BenchFault`` where its plugin fails to say.
    """
    known = _known_versions()
    if framework.name not in known:
        known[framework.name] = _stated_versions(framework)
    stated = known[framework.name]
    if isinstance(stated, Problem):
        raise BenchFault(stated)
    return stated


@remembered
def _known_versions() -> dict[str, Mapping[str, str | None] | Problem]:
    return {}


def _stated_versions(framework: Framework) -> Mapping[str, str | None] | Problem:
    origin = origin_of(framework.name) or Origin(framework.name, "", framework.name)
    should = "map each package to its version, or to None where it is missing"
    with contained() as attempt:
        found = framework.version()
        sound = all(isinstance(name, str) and isinstance(version, str | None) for name, version in found.items())
        stated = dict(found)
    if attempt.error is not None:
        return origin.problem(f"{sentence(attempt.error)} in version()", should)
    return stated if sound else origin.problem(f"{found!r} from version()", should)


def incomplete(framework: Framework) -> Problem | None:
    """What to tell an operator who has the plugin but not all that it needs; ``None`` where nothing is missing.

    Raises ``BenchFault`` where the plugin fails to say what it needs.
    """
    missing = sorted(name for name, version in versions(framework).items() if version is None)
    if not missing:
        return None
    return Problem(f"the framework {framework.name!r} without {', '.join(missing)}", f"be complete: {install(framework.name)}")


def install(name: str) -> str:
    """The command that installs a framework of this project with all that it needs; another's author knows better."""
    return f"pip install '{KNOWN[name]}'" if "[" in KNOWN.get(name, "") else f"pip install {KNOWN.get(name, f'the packages of {name}')}"


def _have(found: Mapping[str, Framework]) -> str:
    return f"installed: {', '.join(found)}" if found else "no framework plugin is installed"


def _wrong(framework: object) -> tuple[str, str] | None:
    """What is wrong with what a hook gave in place of a ``Framework``, and what it should be."""
    if not isinstance(framework, Framework):
        return told(framework), "be a Framework, or a tuple of them"
    if not isinstance(framework.name, str) or not _NAME.fullmatch(framework.name):
        return f"the name {framework.name!r}", "be a word of letters, digits, '_', '.', '+' and '-'"
    for field in ("suffixes", "export_suffixes"):
        endings = getattr(framework, field)
        if not isinstance(endings, tuple) or not all(isinstance(each, str) and _SUFFIX.fullmatch(each) for each in endings):
            return f"{field}={endings!r}", "be a tuple of file endings, such as ('.onnx',)"
    if not framework.suffixes:
        return "suffixes=()", "name one file ending at least"
    for field in ("loader", "counter", "version"):
        if not callable(getattr(framework, field)):
            return f"{field}={getattr(framework, field)!r}", "be a function"
    devices = framework.devices
    if not isinstance(devices, Mapping) or not all(isinstance(name, str) and callable(loader) for name, loader in devices.items()):
        return f"devices={devices!r}", "map the name of a device to a function that gives its loader"
    return None

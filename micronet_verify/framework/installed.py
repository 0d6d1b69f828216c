"""The installed plugins: the modules that the entry-point group ``micronet_verify`` names, loaded one by one.

A plugin that cannot be loaded costs nobody else anything: it becomes a ``Broken`` with one sentence, and the others go on. That
sentence is told where the plugin is needed, and by ``micronet-verify plugins``.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from importlib import metadata
from typing import Any, TypeVar

from micronet_verify.errors import Problem
from micronet_verify.framework import hookspecs
from micronet_verify.framework.guard import contained, sentence
from micronet_verify.framework.interface import STATED_AS, interface_problem
from micronet_verify.framework.origin import Origin

WITHOUT = "MICRONET_WITHOUT"
_MARK = f"{hookspecs.PROJECT}_impl"
_PREFIX = "micronet_"
_OWN = "micronet_verify"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A loaded plugin. ``hooks``: its marked functions, by the hook's name. ``printed``: what it printed while it was imported."""

    origin: Origin
    hooks: Mapping[str, Callable[..., object]]
    printed: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """What a plugin would have brought and does not, and why.

    ``hook``: the hook that failed, ``""`` for all of them. ``names``: what it would have been called by, where that is known.
    """

    origin: Origin
    problem: Problem
    hook: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Installed:
    """Every plugin of this installation, by distribution and entry point."""

    plugins: tuple[Plugin, ...]
    broken: tuple[Broken, ...]


_lock = threading.RLock()
_forgetful: list[Callable[[], None]] = []


def remembered(make: Callable[[], T]) -> Callable[[], T]:
    """Call ``make`` once, whichever thread comes first, and again after ``forget``."""
    kept = cache(make)
    _forgetful.append(kept.cache_clear)

    @wraps(make)
    def found() -> T:
        with _lock:
            return kept()

    return found


def forget() -> None:
    """Look at what is installed anew, as a new process would (tests)."""
    for each in _forgetful:
        each()


@remembered
def installed() -> Installed:
    """Every installed plugin, loaded once, but those that the variable ``MICRONET_WITHOUT`` names (entry points, by commas)."""
    plugins, broken = list[Plugin](), list[Broken]()
    without = {name.strip() for name in os.environ.get(WITHOUT, "").split(",")}
    for origin, point in sorted(_entry_points(broken), key=lambda found: (found[0].distribution.lower(), found[0].entry)):
        if origin.entry in without:
            continue
        found = load(origin, point.load)
        (plugins if isinstance(found, Plugin) else broken).append(found)  # type: ignore[arg-type]
    return Installed(tuple(plugins), tuple(broken))


def load(origin: Origin, imported: Callable[[], object]) -> Plugin | Broken:
    """The plugin that ``imported`` gives, with its hooks looked at and not called."""
    with contained() as attempt:
        module = imported()
    if attempt.error is not None:
        return Broken(origin, _import_problem(origin, attempt.error))
    with contained() as look:
        hooks, problem = _hooks(origin, module)
        problem = problem or interface_problem(origin, _stated(module))
    if look.error is not None:
        problem = origin.problem(f"{sentence(look.error)} where its names are listed", "be a module with hooks")
    return Broken(origin, problem) if problem else Plugin(origin, hooks, attempt.printed)


def _entry_points(broken: list[Broken]) -> Iterator[tuple[Origin, metadata.EntryPoint]]:
    seen: set[str] = set()
    for distribution in metadata.distributions():
        try:
            points = [point for point in distribution.entry_points if point.group == hookspecs.ENTRY_POINTS]
            if points or _OWN in (distribution.read_text("entry_points.txt") or ""):
                name, version = distribution.metadata["Name"] or "", distribution.version or "of no version"
            else:
                continue
        except Exception as error:  # what stands in files of a stranger: any of it may be wrong
            origin = Origin(str(getattr(distribution, "_path", "a distribution")).rpartition("/")[2], "", "?")
            broken.append(Broken(origin, origin.problem(f"{sentence(error)} in its metadata", "have entry_points.txt and METADATA")))
            continue
        if (key := re.sub(r"[-_.]+", "-", name).lower()) not in seen:  # the first on the path is the one that is imported
            seen.add(key)
            yield from ((Origin(name, version, point.name), point) for point in points)


def _import_problem(origin: Origin, error: BaseException) -> Problem:
    missing = getattr(error, "name", None) if isinstance(error, ImportError) else None
    if isinstance(missing, str) and missing.partition(".")[0] == _OWN:
        advice = f"it was written for another version of micronet-verify: pip install --upgrade {origin.distribution} micronet-verify"
        return origin.problem(f"{sentence(error)} at import", "import micronet_verify.plugin and nothing else of it", advice)
    if isinstance(error, ModuleNotFoundError) and isinstance(missing, str):
        advice = f"install {missing.partition('.')[0]}, or do without the plugin: pip uninstall {origin.distribution}"
        return origin.problem(f"an import of {missing!r}, which is not installed,", "have all that it imports", advice)
    return origin.problem(f"{sentence(error)} at import", "import without that")


def _hooks(origin: Origin, module: object) -> tuple[Mapping[str, Callable[..., object]], Problem | None]:
    """The marked functions by hook, and the first thing that is wrong with them."""
    found: dict[str, Callable[..., object]] = {}
    for name in dir(module):
        item = getattr(module, name)
        if not inspect.isroutine(item):
            continue
        options = getattr(item, _MARK, None)
        if options is None:
            if name.startswith(_PREFIX) and _nearest(name) and getattr(item, "__module__", "").partition(".")[0] != _OWN:
                got = f"the function {name!r} without @hookimpl"
                return {}, origin.problem(got, f"be marked, or have a name unlike a hook (the hook is {_nearest(name)!r})")
            continue
        hook = options.get("specname") or name
        if problem := _hook_problem(origin, hook, item, options):
            return {}, problem
        found[hook] = item
    if not found:
        return {}, origin.problem("a plugin without hooks", f"have one at least: {', '.join(hookspecs.NAMES)}")
    return {name: found[name] for name in hookspecs.NAMES if name in found}, None


def _stated(module: object) -> object:
    """The interface that a plugin was written for: an entry point may name an object of the module that states it."""
    stated = getattr(module, STATED_AS, None)
    return stated if stated is not None else getattr(sys.modules.get(getattr(module, "__module__", "")), STATED_AS, None)


def _hook_problem(origin: Origin, hook: str, item: Callable[..., Any], options: Mapping[str, Any]) -> Problem | None:
    if hook not in hookspecs.NAMES:
        near = _nearest(hook)
        advice = f"did you mean {near!r}? {origin.remedy}" if near else ""
        return origin.problem(f"the hook {hook!r}", f"be one of {', '.join(hookspecs.NAMES)}", advice)
    if options.get("hookwrapper") or options.get("wrapper") or inspect.isgeneratorfunction(item) or inspect.iscoroutinefunction(item):
        return origin.problem(f"the hook {hook!r} as a wrapper, generator or coroutine", "be a plain function that returns")
    try:
        inspect.signature(item).bind()
    except TypeError:
        return origin.problem(f"the hook {hook!r} with arguments: {inspect.signature(item)}", "take none")
    except ValueError:
        pass  # a function of C without a signature: it is called and seen
    return None


def _nearest(name: str) -> str:
    return next(iter(difflib.get_close_matches(name, hookspecs.NAMES, 1, 0.8)), "")

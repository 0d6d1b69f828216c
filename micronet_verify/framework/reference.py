"""The hook reference, made from the hookspecs and the protocols that they speak of: ``python -m micronet_verify.framework.reference``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from micronet_verify.framework import data, hookspecs, organizing, protocols, requests, stepping

TITLE = """\
# Hooks

What a plugin may implement, from the code's own words (`python -m micronet_verify.framework.reference > docs/hooks.md`).
[plugin.md](plugin.md) walks through a framework, [datasets.md](datasets.md) through data sets and metrics;
[graph.md](graph.md) has the node kinds and the builder.

A plugin is a module that the entry-point group `micronet_verify` names; a hook is a function of it, marked `@hookimpl`
(`from micronet_verify.plugin import hookimpl`).
"""


_MODULES = (protocols, requests, stepping, data, organizing)
PAGE_MODULES = frozenset(module.__name__ for module in _MODULES)
"""Modules whose types are on this page."""


def hook_names() -> list[str]:
    """Every hook of ``hookspecs``, in the order in which it stands there."""
    marked = [name for name, item in vars(hookspecs).items() if hasattr(item, f"{hookspecs.PROJECT}_spec")]
    return sorted(marked, key=lambda name: inspect.getsourcelines(getattr(hookspecs, name))[1])


def reference() -> str:
    """The page, as Markdown."""
    parts = [TITLE]
    for name in hook_names():
        hook = getattr(hookspecs, name)
        parts.append(f"## `{name}`\n\n    def {name}{signature(hook)}\n\n{prose(hook)}\n")
    for module in _MODULES:
        for name, item in _types(module):
            parts.append(f"## {name}\n\n{prose(item)}\n\n{members(item)}".rstrip() + "\n")
    return "\n".join(parts)


def _types(module: object) -> Iterator[tuple[str, type]]:
    for name, item in vars(module).items():
        if inspect.isclass(item) and item.__module__ == module.__name__ and item.__doc__:  # type: ignore[attr-defined]
            yield name, item


def members(item: type) -> str:
    """A dataclass's fields with their types; a protocol's attributes and methods."""
    lines = []
    if is_dataclass(item):
        lines = [f"    {field.name}: {field.type}" for field in fields(item)]
    else:
        lines = [f"    {name}: {kind}" for name, kind in inspect.get_annotations(item).items()]
    text = "\n".join(lines) + "\n\n" if lines else ""
    for name, method in vars(item).items():
        if inspect.isfunction(method) and method.__doc__ and not name.startswith("_"):
            text += f"`{name}{signature(method)}`\n\n{prose(method)}\n\n"
    return text


def signature(function: object) -> str:
    """Its parameters and result, annotations without the quotes that a postponed one has."""
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(function)))  # type: ignore[arg-type]


def prose(item: object) -> str:
    """The docstring, as Markdown."""
    return as_markdown(inspect.getdoc(item) or "")


def as_markdown(text: str) -> str:
    """reST's double backquotes as Markdown's."""
    return re.sub(r"``(.+?)``", r"`\1`", text, flags=re.S)


if __name__ == "__main__":
    print(reference(), end="")

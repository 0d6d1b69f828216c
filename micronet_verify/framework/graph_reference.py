"""The reference of graphs, made from the code: ``python -m micronet_verify.framework.graph_reference > docs/graph.md``.

Node kinds with all that they take, the builder, and the helpers that ``micronet_verify.plugin`` exports beside the hooks' types.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from textwrap import fill

from micronet_verify.facts import kinds
from micronet_verify.facts.functions import BINARY, COMPARE, DEFAULTS, OPS, OTHER, UNARY
from micronet_verify.facts.kinds import CHOICES, KINDS, Kind
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.reference import PAGE_MODULES, as_markdown, members, prose, signature

TITLE = """\
# The neutral graph: kinds, builder, helpers

What a counter emits, from the code's own words (`python -m micronet_verify.framework.graph_reference > docs/graph.md`).
Everything here is imported from `micronet_verify.plugin`. [plugin.md](plugin.md) walks through a framework, [hooks.md](hooks.md) has
the hooks and their types.
"""
_MEANING = {
    "ints": "a tuple of whole numbers",
    "floats": "a tuple of numbers",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
}
_WIDTH = 138


def reference() -> str:
    """The page, as Markdown."""
    about = (inspect.getdoc(kinds) or "").partition("\n\n")[2]
    parts = [TITLE, f"## Node kinds\n\n{as_markdown(about)}\n"]
    parts += [_of_kind(name, kind) for name, kind in KINDS.items()]
    parts.append(_functions())
    parts.append(f"## GraphBuilder\n\n{prose(GraphBuilder)}\n\n{members(GraphBuilder)}".rstrip() + "\n")
    for title, names in _groups():
        parts.append(f"## {title}\n")
        parts += names
    return "\n".join(parts)


def _of_kind(name: str, kind: Kind) -> str:
    least, most = kind.operands
    count = f"{least}" if least == most else f"{least} or more" if most > 8 else f"{least} to {most}"
    rows = [f"### {name}\n", f"Operands ({count}): {kind.named}.\n"]
    if kind.bodies[1]:
        rows.append(f"Bodies: {kind.bodies[0]}.\n")
    rows += ["| attribute | required | is |", "|---|---|---|"]
    for attribute, wanted in kind.attributes.items():
        words = CHOICES.get((name, attribute)) or (OPS.get(name) if attribute == "op" and name != "elementwise" else None)
        meaning = ", ".join(f"`{word}`" for word in sorted(words)) if words else _MEANING.get(wanted, "text")
        if name == "elementwise" and attribute == "op":
            meaning = "a function, below"
        rows.append(f"| `{attribute}` | {'yes' if attribute in kind.required else ''} | {meaning} |")
    return "\n".join(rows) + "\n" + (f"\n{fill(kind.says, _WIDTH)}\n" if kind.says else "")


def _functions() -> str:
    rows = ["## Functions of elementwise\n"]
    for title, names in (("one operand", UNARY), ("two operands", BINARY), ("two operands, a truth value", COMPARE), ("others", OTHER)):
        rows.append(f"- {title}: {', '.join(f'`{name}`' for name in sorted(names))}")
    defaults = ", ".join(f"{function} {name} {value:.6g}" for (function, name), value in DEFAULTS.items())
    rows.append(f"\nParameters that a node leaves out: {defaults}.\n")
    return "\n".join(rows)


def _groups() -> Iterator[tuple[str, list[str]]]:
    """What the module exports beside the hooks' types and the builder, by the module that it comes from."""
    public = importlib.import_module("micronet_verify.plugin")
    found: dict[str, list[str]] = {}
    for name in public.__all__:
        item = getattr(public, name)
        home = getattr(item, "__module__", "")
        if inspect.ismodule(item) or not (inspect.isclass(item) or inspect.isfunction(item)):
            continue
        if (home in PAGE_MODULES and inspect.isclass(item)) or item is GraphBuilder or not home.startswith("micronet_verify."):
            continue
        body = f"`{name}{signature(item)}`" if inspect.isfunction(item) else members(item)
        text = "\n\n".join(filter(None, (f"### {name}", prose(item), body)))
        found.setdefault(home, []).append(text.rstrip() + "\n")
    for home, names in found.items():
        yield (inspect.getdoc(importlib.import_module(home)) or home).splitlines()[0].replace("``", "`").rstrip("."), names


if __name__ == "__main__":
    print(reference(), end="")

"""docs/hooks.md and docs/graph.md say what the code says."""

from __future__ import annotations

import inspect
from pathlib import Path

from micronet_verify import plugin
from micronet_verify.facts.kinds import KINDS
from micronet_verify.framework import graph_reference, hookspecs
from micronet_verify.framework.reference import hook_names, reference

PAGE = Path(__file__).parents[2] / "docs" / "hooks.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: python -m micronet_verify.framework.reference > docs/hooks.md"


def test_every_hook_is_on_it() -> None:
    names = [name for name in vars(hookspecs) if name.startswith("micronet_")]
    assert hook_names() == names
    for name in names:
        assert f"## `{name}`" in PAGE.read_text(encoding="utf-8")


def test_every_hook_and_every_type_has_its_words() -> None:
    for section in reference().split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        assert len(body.strip()) > 40, title


GRAPH = PAGE.with_name("graph.md")


def test_the_page_of_graphs_is_what_the_code_says() -> None:
    wanted = graph_reference.reference()
    assert GRAPH.read_text(encoding="utf-8") == wanted, "run: python -m micronet_verify.framework.graph_reference > docs/graph.md"


def test_every_kind_and_attribute_and_every_exported_class_is_on_a_page() -> None:
    graph, hooks = GRAPH.read_text(encoding="utf-8"), PAGE.read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        section = graph.partition(f"### {name}\n")[2].partition("\n### ")[0]
        assert kind.named in section
        assert all(f"| `{attribute}` |" in section for attribute in kind.attributes)
    for name in plugin.__all__:
        if inspect.isclass(getattr(plugin, name)) or inspect.isfunction(getattr(plugin, name)):
            assert f"## {name}\n" in graph or f"## {name}\n" in hooks, name

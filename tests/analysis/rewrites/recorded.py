"""Which passes ran on which graph, told by the identity of its nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from micronet_verify.analysis.rewrites import editable, named, rewritten
from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.passes import Pass
from micronet_verify.facts.graph import Graph, Node

Run = tuple[str, tuple[Node, ...]]


def record(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Every run of a pass from here on: its name, and the nodes that it found. Nodes stay alive, so that no two have one identity."""
    runs: list[Run] = []

    def watched(one: Pass, of: object = "") -> Pass:
        def run(graph: EditableGraph) -> None:
            runs.append((f"{one.name}{of}", graph.nodes))
            one.run(graph)

        return replace(one, run=run)

    norm_passes, prune = rewritten.norm_passes, editable.prune

    def of_norms(fold: bool, kept: frozenset[str], *others: Any) -> tuple[Pass, ...]:
        return tuple(watched(one, f" {sorted(kept)}") for one in norm_passes(fold, kept, *others))

    def pruned(graph: Graph) -> tuple[Graph, tuple[Node, ...]]:
        runs.append(("prune", graph.nodes))
        return prune(graph)

    monkeypatch.setattr(named, "NAMING", tuple(map(watched, named.NAMING)))
    monkeypatch.setattr(rewritten, "norm_passes", of_norms)
    for room in (editable, named):
        monkeypatch.setattr(room, "prune", pruned)
    return runs


def run_again(runs: list[Run]) -> list[str]:
    """Names of the passes that ran twice on one graph that nothing had changed."""
    seen: set[tuple[str, tuple[int, ...]]] = set()
    found = []
    for name, nodes in runs:
        key = name, tuple(map(id, nodes))
        if key in seen and nodes:
            found.append(name)
        seen.add(key)
    return found


def calls_of(runs: list[Run], name: str) -> int:
    return sum(one.startswith(name) for one, _ in runs)

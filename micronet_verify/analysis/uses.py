"""What some output depends on (rules S6 and O16): the rest is listed and not charged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from micronet_verify.facts.graph import Graph, Node

Readers = Mapping[str, Sequence[Node]]
"""Nodes by the values that they read, in their order; a node with bodies reads what these need."""


def needed_values(graph: Graph) -> set[str]:
    """Ids of all values, here and in bodies, on which an output of ``graph`` depends."""
    needed = set(graph.outputs)
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(name for name in node.inputs if name)
            for body in node.bodies:
                needed |= needed_values(body)
    return needed


def prune(graph: Graph) -> tuple[Graph, tuple[Node, ...]]:
    """The graph without dead nodes, and the dead nodes. Values stay: whoever asks finds which are no longer used."""
    pruned, dead, _ = _pruned(graph)
    return pruned, dead


def _pruned(graph: Graph) -> tuple[Graph, tuple[Node, ...], set[str]]:
    """Also the values that are needed, so that every body is looked at once; the graph itself where nothing in it is dead."""
    needed = set(graph.outputs)
    live: list[Node] = []
    dead: list[Node] = []
    changed = False
    for node in reversed(graph.nodes):
        if needed.isdisjoint(node.outputs):
            dead.append(node)
            continue
        needed.update(node.inputs)
        needed.discard("")  # an operand that is absent
        if node.bodies:
            inside = [_pruned(body) for body in node.bodies]
            needed.update(*(names for _, _, names in inside))
            if any(body is not old for (body, _, _), old in zip(inside, node.bodies, strict=True)):
                node, changed = replace(node, bodies=tuple(body for body, _, _ in inside)), True
        live.append(node)
    return replace(graph, nodes=tuple(reversed(live))) if dead or changed else graph, tuple(reversed(dead)), needed


def consumers(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    """Nodes that read each value; outputs of the graph are no readers."""
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in dict.fromkeys(node.inputs):
            readers.setdefault(name, []).append(node)
        for body in node.bodies:
            for name in needed_values(body):
                readers.setdefault(name, []).append(node)
    return readers

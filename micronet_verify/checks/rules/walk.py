"""An own look at the graph: what outputs depend on, and which values no input can change.

Written again on purpose, and another way than ``analysis/uses.py`` (forward from consumers there, a search from the
outputs here): a law that asked the counter's own passes would agree with it whatever it did.
"""

from __future__ import annotations

from micronet_verify.facts.graph import Graph, Node


def live_nodes(graph: Graph) -> list[Node]:
    """Nodes on which an output depends, those in bodies included, in order."""
    return _live(graph, {})


def _live(graph: Graph, known: dict[int, list[Node]]) -> list[Node]:
    """``known`` are the live nodes of bodies that were looked at: each is, once."""
    if id(graph) in known:
        return known[id(graph)]
    producer = {name: node for node in graph.nodes for name in node.outputs}
    found: set[int] = set()
    pending = list(graph.outputs)
    while pending:
        node = producer.get(pending.pop())
        if node is None or id(node) in found:
            continue
        found.add(id(node))
        pending += [*node.inputs, *(name for body in node.bodies for name in _names_read(body, known))]
    live = [node for node in graph.nodes if id(node) in found]
    known[id(graph)] = [inner for node in live for inner in (node, *(n for body in node.bodies for n in _live(body, known)))]
    return known[id(graph)]


def _names_read(graph: Graph, known: dict[int, list[Node]]) -> set[str]:
    """Every value that a live node of ``graph`` reads, and its outputs."""
    return {*graph.outputs, *(name for node in _live(graph, known) for name in node.inputs if name)}

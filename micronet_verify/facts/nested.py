"""A graph with the bodies of its branches and loops, as one: their ids are unique over all of them."""

from __future__ import annotations

from collections.abc import Iterator

from micronet_verify.facts.graph import Graph, Node, Value


def all_nodes(graph: Graph) -> Iterator[Node]:
    """Every node, one before those in its bodies."""
    for node in graph.nodes:
        yield node
        for body in node.bodies:
            yield from all_nodes(body)


def all_values(graph: Graph) -> dict[str, Value]:
    """Every value by its id, live or not."""
    found = dict(graph.values)
    for node in graph.nodes:
        for body in node.bodies:
            found |= all_values(body)
    return found


def branch_ids(graph: Graph) -> tuple[str, ...]:
    """Ids of the branches that the data decides, outer ones before those in their bodies."""
    return tuple(str(node.attributes["id"]) for node in all_nodes(graph) if node.kind == "branch" and "id" in node.attributes)

"""A model whose operators have their names: everything done that no reading of the rules changes, once for a model.

Constants are folded, functions, products and masks get their names; bodies get the same passes. Ids are unique in a model, so one
set of constants serves all graphs in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.fold_constants import stored_constants
from micronet_verify.analysis.rewrites.passes import NAMING, Watch, run
from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.storing import StorageCost
from micronet_verify.analysis.uses import needed_values, prune
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.tensors import ConstantStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Named:
    """A graph whose operators have their names; ``bodies`` by the first result of their node.

    ``live``: the graph as the file has it, but for ``dead`` nodes; ``unused`` are its stored values on which no output depends.
    """

    graph: Graph
    live: Graph
    dead: tuple[Node, ...]
    unused: tuple[Value, ...]
    bodies: Mapping[str, tuple[Named, ...]]


def named(graph: Graph, store: ConstantStore, cost: StorageCost, watch: Watch | None = None) -> tuple[Named, dict[str, Constant]]:
    """The graph and its bodies with everything done that no reading of the rules changes, and their constants by value id."""
    constants: dict[str, Constant] = {}
    return _named(graph, store, cost, constants, {}, watch, ""), constants


def _named(
    graph: Graph, store: ConstantStore, cost: StorageCost, constants: dict[str, Constant], around: Mapping[str, Value],
    watch: Watch | None, title: str,
) -> Named:  # fmt: skip
    live, dead = prune(replace(graph, values={**around, **graph.values}))
    constants.update({name: constant for name, constant in stored_constants(live, store).items() if name not in constants})
    editable = EditableGraph(live, constants, cost, title)
    run(editable, NAMING, watch)
    needed = needed_values(live)
    bodies = {
        node.outputs[0]: tuple(
            _named(body, store, cost, constants, seen_by(body, editable.values), watch, body_title(node, at))
            for at, body in enumerate(node.bodies)
        )
        for node in editable.nodes
        if node.bodies
    }
    return Named(
        graph=with_bodies(editable.graph, {name: tuple(body.graph for body in inside) for name, inside in bodies.items()}),
        live=live,
        dead=dead,
        unused=tuple(value for value in graph.values.values() if value.constant is not None and value.id not in needed),
        bodies=bodies,
    )


def seen_by(body: Graph, around: Mapping[str, T]) -> dict[str, T]:
    """What is known of the values around a body that it reads."""
    return {name: around[name] for name in needed_values(body) if name in around}


def body_title(node: Node, at: int) -> str:
    """A body in words."""
    return f"body {at} of {node.outputs[0]}"


def with_bodies(graph: Graph, bodies: Mapping[str, tuple[Graph, ...]]) -> Graph:
    """The graph with these bodies, by the first result of their node."""
    if not bodies:
        return graph
    nodes = tuple(replace(node, bodies=bodies[node.outputs[0]]) if node.bodies else node for node in graph.nodes)
    return replace(graph, nodes=nodes)

"""Where two runs part: the first node of the priced graph whose value differs from the value of that name in the translated one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.proof import Compared
from micronet_verify.facts.validate import place
from micronet_verify.interpreter.node_call import Array
from micronet_verify.proof.decisions import Taken
from micronet_verify.proof.first import First
from micronet_verify.proof.runs import Given, Lane, Opened, depends_on_inputs
from micronet_verify.proof.second import Priced

# Of the size of a value: no rounding of float32 does so much, and what is hidden does more.
_PARTS = 1e-3


def look(compared: Compared, graph: Graph, constants: Opened, priced: Priced, given: Given, row: int, first: First) -> Compared:
    """``compared`` with the first ``place`` that differs on this ``row``, and the constant that it reads; as it was where none is found."""
    seen: dict[str, Array] = {}

    def keep(node: Node, results: tuple[Array, ...]) -> tuple[Array, ...]:
        seen.update((name, result) for name, result in zip(node.outputs, results, strict=False) if name)
        return results

    start = max((begin for begin in given.begins if begin <= row), default=row)
    lane = Lane(graph, constants)
    for at in range(start, row + 1):
        lane.run(lane.inputs(given, at), keep)
    found: list[Node] = []
    taken = Taken(first.ran.decisions[row], first.ran.ties[row], depends_on_inputs(priced.graph))

    def compare(node: Node, results: tuple[Array, ...]) -> tuple[Array, ...]:
        results = taken(node, results)
        if not found and any(_differs(seen.get(name), result) for name, result in zip(node.outputs, results, strict=False)):
            found.append(node)
        return results

    lane = Lane(priced.graph, priced.constants, initial=priced.initial)
    for at in range(start, row + 1):
        lane.run(lane.inputs(given, at), compare if at == row else None)
    if not found:
        return compared
    node = found[0]
    where = place(node) + (f" in {node.scope}" if node.scope and node.scope not in place(node) else "")
    reads = [priced.told(name) for name in node.inputs if name]
    return replace(compared, place=where, constant="; ".join(filter(None, reads)))


def _differs(one: Array | None, other: Array) -> bool:
    if one is None or one.shape != other.shape:
        return False
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.where(a == b, 0.0, np.abs(a - b))
        size = float(np.abs(a[np.isfinite(a)]).max(initial=0.0))
    return bool(np.isnan(apart).any() or apart.max(initial=0.0) > _PARTS * size)

"""How many examples an entry is proved on: as many as the track's seconds allow by the size of the graph, never by a clock.

The same graph is always proved on as many examples, so that a repeated run gives the same bytes.
"""

from __future__ import annotations

from math import prod

from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.shapes import integer

# Of one processor, for one run in float32: seconds a node, an element of a result, a multiply-add, a stored value that is read.
_NODE, _ELEMENT, _PRODUCT, _STORED = 3e-5, 3e-9, 1e-10, 1e-9
# Runs of an example, in those of one float32 run: float64 is two, then the priced graph and what rounding does to it.
_RUNS = 7


def seconds_of(graph: Graph) -> float:
    """About how long one run of a graph takes."""
    total = 0.0
    for node in graph.nodes:
        results = sum(graph.values[name].numel for name in node.outputs if name in graph.values)
        total += _NODE + _ELEMENT * results + _PRODUCT * results * _terms(node, graph)
        total += integer(node.attributes, "trips", 1) * sum(map(seconds_of, node.bodies))
    read = {name for node in graph.nodes if node.kind != "lookup" for name in node.inputs if name in graph.values}
    return total + _STORED * sum(graph.values[name].numel for name in read if graph.values[name].constant is not None)


def _terms(node: Node, graph: Graph) -> int:
    """Multiply-adds of one element of the result."""
    shapes = [graph.values[name].shape for name in node.inputs if name in graph.values]
    if node.kind == "conv" and len(shapes) > 1:
        transposed = bool(node.attributes.get("transposed"))
        return prod(shapes[1]) // max(1, shapes[1][1 if transposed else 0])
    if node.kind == "matmul" and len(shapes) > 1:
        left, right, out = (str(node.attributes[name]) for name in ("left", "right", "out"))
        extents = {**dict(zip(left, shapes[0], strict=False)), **dict(zip(right, shapes[1], strict=False))}
        return prod(size for index, size in extents.items() if index not in out)
    return 0


def how_many(graph: Graph, seconds: float, least: int, most: int) -> int:
    """Examples of a proof that takes about ``seconds``."""
    return max(least, min(most, int(seconds / (_RUNS * seconds_of(graph)))))

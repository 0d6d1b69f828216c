"""A graph whose multiplications see 16 bits (S5, O7): what they read, every constant and every literal is rounded to 11 bits of mantissa.

A mark stands in front of each operand of a multiplication; a watch rounds what passes it. A table is rounded by the rows that are
read. 64-bit numbers have no part in the freebie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from micronet_verify.analysis.tensors.mantissa import rounded
from micronet_verify.facts.graph import Attribute, Graph, Node, Value
from micronet_verify.interpreter.node_call import Array
from micronet_verify.proof.runs import Opened

MARK = "rounded to 11 bits"
# A constant of more values that is rounded already is not copied to round it again.
_LARGE = 1 << 22
_MULTIPLIES = frozenset({"mul", "div", "pow", "square", "cube", "prelu"})


def marked(
    graph: Graph, tables: frozenset[str], around: Mapping[str, Value] | None = None, computed: frozenset[str] | None = None
) -> Graph:
    """``graph`` with a mark in front of each operand of a multiplication that is ``computed``. ``tables``: constants, which are rounded
    where they are opened or, where a look-up reads them, behind it.
    """
    values, nodes = dict(graph.values), list[Node]()
    known = {**(around or {}), **graph.values}
    computed = frozenset(_computed(graph)) if computed is None else computed
    marks: dict[str, str] = {}

    def behind(name: str, node: Node) -> str:
        fmt = known[name].format if name in known else None
        if name not in computed or fmt is None or fmt.family != "float" or fmt.bits > 32:
            return name
        if name not in marks:
            marks[name] = f"{name}~11"
            values[marks[name]] = replace(known[name], id=marks[name], constant=None)
            nodes.append(Node("move", (name,), (marks[name],), {"op": "identity"}, MARK, node.scope))
        return marks[name]

    for node in graph.nodes:
        if node.bodies:
            node = replace(node, bodies=tuple(marked(body, tables, {**known, **values}, computed) for body in node.bodies))
        elif multiplies(node):
            node = replace(node, inputs=tuple(behind(name, node) for name in node.inputs))
        nodes.append(replace(node, attributes=_literals(node.attributes)))
        if node.kind == "lookup" and node.inputs[0] in tables:
            nodes[-1] = replace(nodes[-1], source=f"{node.source} {MARK}")
    return replace(graph, values=values, nodes=tuple(nodes))


def _computed(graph: Graph) -> Iterator[str]:
    """Ids of inputs and results, in bodies, too; others are constants."""
    yield from graph.inputs
    for node in graph.nodes:
        yield from node.outputs
        for body in node.bodies:
            yield from _computed(body)


def multiplies(node: Node) -> bool:
    return node.kind in ("conv", "matmul", "normalise") or (node.kind == "elementwise" and node.attributes["op"] in _MULTIPLIES)


def _literals(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    found = dict(attributes)
    for name, value in attributes.items():
        if isinstance(value, float) and np.isfinite(value) and value:
            found[name] = float(rounded(np.array([value], np.float32))[0])
    return found


@dataclass
class Rounding:
    """The watch of one run, and its constants; ``random``: stochastic rounding, new for every run. ``settled``: constants are rounded."""

    opened: Opened
    tables: frozenset[str]
    random: np.random.Generator | None = None
    settled: bool = False

    def __post_init__(self) -> None:
        self._kept: dict[str, Array] = {}

    def __call__(self, node: Node, results: tuple[Array, ...]) -> tuple[Array, ...]:
        if not node.source.endswith(MARK):
            return results
        return tuple(rounded(result, self.random) + result.dtype.type(0) for result in results)  # no sign of a zero

    def constants(self, value: Value) -> Array:
        if value.id in self.tables or value.format.bits > 32 or (self.settled and value.numel > _LARGE):
            return self.opened(value)
        if value.id not in self._kept:
            found = rounded(self.opened(value), self.random)  # a new array
            if found.dtype.kind == "f":
                found += found.dtype.type(0)  # no sign of a zero
            self._kept[value.id] = found
        return self._kept[value.id]

"""Numbers that pieces of one tensor are multiplied by, or that are added to them, one by one, are a constant tensor (rule O18).

Sixteen levels, a multiply for each element by one of them, and a concatenation: which element has which level is a weight, though
nothing but sixteen numbers is stored. Such multiplies become one by a tensor behind the concatenation. Where the pieces are only
summed, they are added one by one, and ``sums`` reads them.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np

from micronet_verify.analysis.rewrites.sum_parts import Parts
from micronet_verify.analysis.tensors.constants import Constant, derived
from micronet_verify.analysis.uses import consumers, prune
from micronet_verify.facts.graph import Attribute, Graph, Node, Shape, Value
from micronet_verify.facts.shapes import integer, ints

# Two pieces, as halves that are turned into each other, say nothing.
_LEAST = 3
_SAME = {"mul": 1.0, "div": 1.0, "add": 0.0, "sub": 0.0}
_FAMILIES = ({"mul", "neg"}, {"div"}, {"add", "sub"})


def hoist_numbers(graph: Graph, pool: dict[str, Constant]) -> Graph:
    """The graph whose concatenations join pieces as they are; tensors of numbers are added to ``pool``."""
    if not any(_joins(node) for node in graph.nodes):
        return graph
    hoister = _Hoister(graph, pool)
    nodes = tuple(new for node in graph.nodes for new in hoister.read(node))
    return prune(replace(graph, nodes=nodes, values=hoister.values))[0] if hoister.changed else graph


def _joins(node: Node) -> bool:
    return node.kind == "move" and node.attributes["op"] == "concat" and len(node.inputs) >= _LEAST


class _Hoister:
    def __init__(self, graph: Graph, pool: dict[str, Constant]) -> None:
        self.values, self._pool, self.changed = dict(graph.values), pool, False
        self._made = {name: node for node in graph.nodes for name in node.outputs}
        self._readers = consumers(graph)
        self._outputs = set(graph.outputs)
        self._parts = Parts(graph, pool)

    def read(self, node: Node) -> list[Node]:
        total = self._total(node)
        if total is not None:
            return total
        if _joins(node) and self._of_one(node.inputs) and not self._is_summed(node):
            return self._hoisted(node, 0)
        return [node]

    def _alone(self, name: str) -> bool:
        return len(self._readers.get(name, ())) == 1 and name not in self._outputs

    def _number(self, node: Node) -> tuple[str, str, float] | None:
        """(operand, function, number) of a function of one operand and a number."""
        if node.kind != "elementwise" or node.attributes["op"] not in (*_SAME, "neg"):
            return None
        op = str(node.attributes["op"])
        if op == "neg":
            return node.inputs[0], op, -1.0
        numbers = [at for at, name in enumerate(node.inputs) if name in self._pool]
        if len(numbers) != 1 or (op in ("sub", "div") and numbers[0] != 1):
            return None
        constant, x = self._pool[node.inputs[numbers[0]]], node.inputs[1 - numbers[0]]
        if constant.numel != 1 or constant.row_scale is not None or not np.isfinite(constant.number):
            return None
        if self.values[x].shape != self.values[node.outputs[0]].shape or self.values[x].format != self.values[node.outputs[0]].format:
            return None
        return x, op, constant.number

    def _ancestor(self, name: str) -> str:
        while name in self._made and (found := self._number(self._made[name])) is not None:
            name = found[0]
        return self._parts.source(name)

    def _of_one(self, names: tuple[str, ...]) -> bool:
        """Whether all are parts of one tensor, or functions of them by numbers."""
        if any(name in self._pool for name in names):
            return False
        ancestors = {self._ancestor(name) for name in names}
        return len(ancestors) == 1 and not ancestors & set(names)

    def _plain(self, name: str) -> tuple[str, str, float]:
        made = self._made.get(name)
        found = self._number(made) if made is not None else None
        return (name, "", 0.0) if found is None or not self._alone(name) else found

    def _is_summed(self, node: Node) -> bool:
        readers = self._readers.get(node.outputs[0], [])
        return len(readers) == 1 and self._total(readers[0]) is not None

    def _hoisted(self, node: Node, depth: int) -> list[Node]:
        """The concatenation of pieces as they are, and their numbers behind it, function by function."""
        found = [self._plain(name) for name in node.inputs]
        used = {op for _, op, _ in found if op}
        family = next((family for family in _FAMILIES if used and used <= family), None)
        numbers = {(op, number) for _, op, number in found}
        if family is None or used == {"neg"} or len(numbers) < 2 or sum(bool(op) for _, op, _ in found) < _LEAST:
            return [node]
        op = next(name for name in ("mul", "div", "add") if name in family)
        lined = [_SAME[op] if not own else -number if own == "sub" else number for _, own, number in found]
        axis, result = integer(node.attributes, "axis"), self.values[node.outputs[0]]
        sizes = [self.values[name].shape[axis] for name in node.inputs]
        step = gcd(*sizes)
        array = np.repeat(np.asarray(lined, np.float32), [size // step for size in sizes])
        cut: Shape = (*result.shape[:axis], result.shape[axis] // step, step, *result.shape[axis + 1 :])
        inner = replace(node, inputs=tuple(x for x, _, _ in found), outputs=(f"{result.id}.joined{depth}",))
        self.values[inner.outputs[0]] = replace(result, id=inner.outputs[0])
        self._made[inner.outputs[0]] = inner
        again = self._hoisted(inner, depth + 1) if self._of_one(inner.inputs) else [inner]
        self.changed = True
        x = inner.outputs[0]
        number = f"{result.id}.numbers{depth}"
        shape = (len(array), *(1,) * (len(cut) - axis - 1))
        self._pool[number] = derived(number, f"numbers of the parts of {result.label or 'a tensor'}", array.reshape(shape), result.format)
        self.values[number] = Value(number, shape, result.format)
        names = [f"{result.id}.{what}{depth}" for what in ("cut", "with")]
        nodes = [
            *again,
            Node("move", (x,), (names[0],), {"op": "reshape", "shape": cut}, node.source, node.scope),
            Node("elementwise", (names[0], number), (names[1],), {"op": op}, node.source, node.scope),
            Node("move", (names[1],), node.outputs, {"op": "reshape", "shape": result.shape}, node.source, node.scope),
        ]
        for name in names:
            self.values[name] = replace(result, id=name, shape=cut)
        return nodes

    def _total(self, node: Node) -> list[Node] | None:
        """The sum of joined pieces, as additions of the pieces; ``None`` where it is none, or of pieces that have no numbers."""
        axes = self._summed_axes(node)
        if axes is None or node.inputs[0] not in self._made or not self._alone(node.inputs[0]):
            return None
        join = self._made[node.inputs[0]]
        if not _joins(join) or axes != (integer(join.attributes, "axis"),) or not self._of_one(join.inputs):
            return None
        result, axis = self.values[node.outputs[0]], axes[0]
        if any(self.values[name].shape[axis] != 1 for name in join.inputs):
            return None
        self.changed = True
        nodes, total, shape = list[Node](), join.inputs[0], self.values[join.inputs[0]].shape
        for at, name in enumerate(join.inputs[1:]):
            added = f"{result.id}.sum{at}"
            self.values[added] = replace(result, id=added, shape=shape)
            nodes.append(Node("elementwise", (total, name), (added,), {"op": "add"}, node.source, node.scope))
            total = added
        last: dict[str, Attribute] = {"op": "reshape", "shape": result.shape}
        return [*nodes, Node("move", (total,), node.outputs, last, node.source, node.scope)]

    def _summed_axes(self, node: Node) -> tuple[int, ...] | None:
        """The axes that a node sums, as a reduction or as a product with ones."""
        if node.kind == "reduce":
            return ints(node.attributes, "axes") if node.attributes["op"] == "sum" else None
        if node.kind != "matmul" or len(node.inputs) != 2 or node.inputs[1] not in self._pool:
            return None
        ones, (left, right, out) = self._pool[node.inputs[1]], (str(node.attributes[name]) for name in ("left", "right", "out"))
        summed = [label for label in left if label in right and label not in out]
        if len(summed) != 1 or ones.shape[right.index(summed[0])] != ones.numel or ones.row_scale is not None:
            return None
        kept = [label for label in out if label in left]
        if kept != [label for label in left if label != summed[0]] or not bool((np.asarray(ones.load()) == 1).all()):
            return None
        return (left.index(summed[0]),)

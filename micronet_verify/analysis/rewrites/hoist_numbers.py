"""Numbers that pieces of one tensor are multiplied by, or that are added to them, one by one, are a constant tensor (rule O18).

Sixteen levels, a multiply for each element by one of them, and a concatenation: which element has which level is a weight, though
nothing but sixteen numbers is stored. Such multiplies become one by a tensor behind the concatenation. Where the pieces are only
summed, they are added one by one, and ``sums`` reads them.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.node_writer import NodeWriter
from micronet_verify.analysis.rewrites.sum_parts import Parts
from micronet_verify.analysis.tensors.constants import derived
from micronet_verify.facts.graph import Node, Shape
from micronet_verify.facts.shapes import integer, ints

# Two pieces, as halves that are turned into each other, say nothing.
_LEAST = 3
_SAME = {"mul": 1.0, "div": 1.0, "add": 0.0, "sub": 0.0}
_FAMILIES = ({"mul", "neg"}, {"div"}, {"add", "sub"})


def hoist_numbers(graph: EditableGraph) -> None:
    """Concatenations join pieces as they are; tensors of their numbers are added to the constants."""
    if any(_joins(node) for node in graph.nodes):
        graph.sweep(_Hoister(graph).read)


def _joins(node: Node) -> bool:
    return node.kind == "move" and node.attributes["op"] == "concat" and len(node.inputs) >= _LEAST


class _Hoister:
    def __init__(self, graph: EditableGraph) -> None:
        self._graph, self._values, self._constants = graph, graph.values, graph.constants
        self._made = dict(graph.producers)
        self._parts = Parts(graph)

    def read(self, node: Node) -> list[Node]:
        total = self._total(node)
        if total is not None:
            return total
        if _joins(node) and self._of_one(node.inputs) and not self._is_summed(node):
            return self._hoisted(node, 0)
        return [node]

    def _number(self, node: Node) -> tuple[str, str, float] | None:
        """(operand, function, number) of a function of one operand and a number."""
        if node.kind != "elementwise" or node.attributes["op"] not in (*_SAME, "neg"):
            return None
        op = str(node.attributes["op"])
        if op == "neg":
            return node.inputs[0], op, -1.0
        numbers = [at for at, name in enumerate(node.inputs) if name in self._constants]
        if len(numbers) != 1 or (op in ("sub", "div") and numbers[0] != 1):
            return None
        constant, x = self._constants[node.inputs[numbers[0]]], node.inputs[1 - numbers[0]]
        if constant.numel != 1 or constant.row_scale is not None or not np.isfinite(constant.number):
            return None
        if self._values[x].shape != self._values[node.outputs[0]].shape or self._values[x].format != self._values[node.outputs[0]].format:
            return None
        return x, op, constant.number

    def _ancestor(self, name: str) -> str:
        while name in self._made and (found := self._number(self._made[name])) is not None:
            name = found[0]
        return self._parts.source(name)

    def _of_one(self, names: tuple[str, ...]) -> bool:
        """Whether all are parts of one tensor, or functions of them by numbers."""
        if any(name in self._constants for name in names):
            return False
        ancestors = {self._ancestor(name) for name in names}
        return len(ancestors) == 1 and not ancestors & set(names)

    def _plain(self, name: str) -> tuple[str, str, float]:
        made = self._made.get(name)
        found = self._number(made) if made is not None else None
        return (name, "", 0.0) if found is None or not self._graph.is_read_once(name) else found

    def _is_summed(self, node: Node) -> bool:
        readers = self._graph.readers.get(node.outputs[0], [])
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
        axis, result = integer(node.attributes, "axis"), self._values[node.outputs[0]]
        sizes = [self._values[name].shape[axis] for name in node.inputs]
        step = gcd(*sizes)
        array = np.repeat(np.asarray(lined, np.float32), [size // step for size in sizes])
        cut: Shape = (*result.shape[:axis], result.shape[axis] // step, step, *result.shape[axis + 1 :])
        inner = replace(node, inputs=tuple(x for x, _, _ in found), outputs=(f"{result.id}.joined{depth}",))
        self._values[inner.outputs[0]] = replace(result, id=inner.outputs[0])
        self._made[inner.outputs[0]] = inner
        again = self._hoisted(inner, depth + 1) if self._of_one(inner.inputs) else [inner]
        x, label = inner.outputs[0], f"numbers of the parts of {result.label or 'a tensor'}"
        shape = (len(array), *(1,) * (len(cut) - axis - 1))
        number = f"{result.id}.numbers{depth}"
        self._graph.add_constant(number, derived(number, label, array.reshape(shape), result.format))
        writer = NodeWriter(self._graph, node, f"hoisted{depth}.")
        x = writer.emit("move", (x,), cut, {"op": "reshape", "shape": cut})
        return [*again, *writer.end(writer.emit("elementwise", (x, number), cut, {"op": op}))]

    def _total(self, node: Node) -> list[Node] | None:
        """The sum of joined pieces, as additions of the pieces; ``None`` where it is none, or of pieces that have no numbers."""
        axes = self._summed_axes(node)
        if axes is None or node.inputs[0] not in self._made or not self._graph.is_read_once(node.inputs[0]):
            return None
        join = self._made[node.inputs[0]]
        if not _joins(join) or axes != (integer(join.attributes, "axis"),) or not self._of_one(join.inputs):
            return None
        if any(self._values[name].shape[axes[0]] != 1 for name in join.inputs):
            return None
        writer, total, shape = NodeWriter(self._graph, node, "sum"), join.inputs[0], self._values[join.inputs[0]].shape
        for name in join.inputs[1:]:
            total = writer.emit("elementwise", (total, name), shape, {"op": "add"})
        return writer.end(total)

    def _summed_axes(self, node: Node) -> tuple[int, ...] | None:
        """The axes that a node sums, as a reduction or as a product with ones."""
        if node.kind == "reduce":
            return ints(node.attributes, "axes") if node.attributes["op"] == "sum" else None
        if node.kind != "matmul" or len(node.inputs) != 2 or node.inputs[1] not in self._constants:
            return None
        ones, (left, right, out) = self._constants[node.inputs[1]], (str(node.attributes[name]) for name in ("left", "right", "out"))
        summed = [label for label in left if label in right and label not in out]
        if len(summed) != 1 or ones.shape[right.index(summed[0])] != ones.numel or ones.row_scale is not None:
            return None
        kept = [label for label in out if label in left]
        if kept != [label for label in left if label != summed[0]] or not bool((np.asarray(ones.load()) == 1).all()):
            return None
        return (left.index(summed[0]),)

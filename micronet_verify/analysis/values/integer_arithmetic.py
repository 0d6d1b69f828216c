"""Finds integer arithmetic on data, which forfeits the freebie (rules S5, O7): it quantizes without a quantizer.

Bits of activations packed into words, weights unpacked from wide integers, and truth values that stand for weights compute
with less than 16 bits a value. Tokens, positions, shapes, the places of the greatest values and masks compared from them are
integers, too, and no data: arithmetic on them forfeits nothing, nor does arithmetic that only says where to look up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.facts.graph import Graph, Node, Value

_BITWISE = frozenset({"and", "or", "xor", "not"})
_COMPARING = frozenset({"equal", "not_equal"})
_SUMMING = frozenset({"reduce", "cumulative", "scatter", "matmul"})
# So few values say nothing about weights: divisors, sizes, bounds.
_FEW = 8
_MOST_LOOKED_AT = 1 << 24


def integer_arithmetic(graph: Graph, constants: Mapping[str, Constant]) -> Node | None:
    """The first node of a graph, or of its bodies, that computes with integers or truth values that hold data."""
    return next(_Reader(constants).found(graph, set(graph.outputs)), None)


class _Reader:
    """``_data``: values that depend on floats that were given, or on stored tensors; of constants it is asked when they are met."""

    def __init__(self, constants: Mapping[str, Constant]) -> None:
        self._constants = constants
        self._data: set[str] = set()
        self._known: dict[str, bool] = {}

    def found(self, graph: Graph, wanted: set[str]) -> Iterator[Node]:
        values, numbers = graph.values, _numbers(graph, wanted)
        self._data.update(name for name in graph.inputs if values[name].format.family == "float")
        for node in graph.nodes:
            if self._forfeits(node, values, numbers):
                yield node
            for body in node.bodies:
                yield from self.found(body, set(body.outputs))
            if node.bodies or (node.kind != "select" and any(self._is_data(name) for name in node.inputs if name)):
                self._data.update(node.outputs)

    def _forfeits(self, node: Node, values: Mapping[str, Value], numbers: set[str]) -> bool:
        op, result = node.attributes.get("op"), values[node.outputs[0]] if node.outputs else None
        if result is None or node.kind not in ("elementwise", *_SUMMING):
            return False
        whole = [name for name in node.inputs if name and self._format(name, values) != "float" and self._is_data(name)]
        if not whole:
            return False
        stored = [name for name in whole if name in self._constants]
        if result.format.is_integer:
            if node.kind == "elementwise" and op in _BITWISE:
                return True
            arithmetic = op != "where" if node.kind == "elementwise" else op not in ("replace", "max", "min")
            return arithmetic and result.id in numbers
        truths = [name for name in stored if self._format(name, values) == "bool"]
        if op == "where":
            return bool(truths) and node.inputs[0] in truths and self._weighs(node, values, result)
        return bool(truths) and (op in _BITWISE or op in _COMPARING) and any(name in self._data for name in node.inputs)

    def _weighs(self, node: Node, values: Mapping[str, Value], result: Value) -> bool:
        """Whether stored truth values choose between computed numbers, or say it anew for each of several results: weights, no mask."""
        computed = [name for name in node.inputs[1:] if name not in self._constants]
        return result.id in values and (len(set(computed)) > 1 or any(values[name].numel < result.numel for name in computed))

    def _format(self, name: str, values: Mapping[str, Value]) -> str:
        return (self._constants[name].format if name in self._constants else values[name].format).family

    def _is_data(self, name: str) -> bool:
        if name in self._data or name not in self._constants:
            return name in self._data
        if name not in self._known:
            self._known[name] = self._constants[name].format.family == "float" or _holds_data(self._constants[name])
        return self._known[name]


def _holds_data(constant: Constant) -> bool:
    """Whether whole numbers are more than a few, and no positions, which rise in steady steps along one axis and repeat along others."""
    if constant.numel <= _FEW:
        return False
    if constant.numel > _MOST_LOOKED_AT or constant.format.family == "bool":
        return True
    array = np.asarray(constant.load(), np.int64)
    for axis in range(array.ndim):
        array = array.take([0], axis) if (array == array.take([0], axis)).all() else array
    line = array.reshape(-1)
    return len(line) > 2 and bool((np.diff(line) != line[1] - line[0]).any())


def _numbers(graph: Graph, wanted: set[str]) -> set[str]:
    """Values that a result depends on as numbers, and not only as places where something is looked up."""
    found = set(wanted)
    for node in reversed(graph.nodes):
        if not node.bodies and not found.intersection(node.outputs):
            continue
        places = 1 if node.kind in ("lookup", "permute", "scatter") else -1
        found.update(name for at, name in enumerate(node.inputs) if at != places)
        for body in node.bodies:
            found.update(name for inner in body.nodes for name in inner.inputs)
            found.update(body.outputs)
    return found

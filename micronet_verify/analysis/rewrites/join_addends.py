"""Constants that are only ever added together are one (rules O1, S2): two biases of a gate, a bias and what is added behind it.

A tree of additions may add several constants: its own, and the biases of linear operators that nothing else reads. Their sum is
known before any input is: it is stored and added once. Constants that something else needs, too, stay what they are, and so do
those whose sum would take more bits than they do (two narrow grids have a wide sum), and those so large that adding them rounds.
Where convolutions meet, each keeps its bias: the challenge's baselines have them so (WRN-28-10: 36,529,028 values), and so have
networks whose biases come from batch norms that fold later.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.tensors.constants import Array, Constant, derived, values_of
from micronet_verify.analysis.tensors.exact_grids import MANTISSA
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.facts.formats import numpy_dtype
from micronet_verify.facts.graph import Graph, Node, Shape

# More values than this are no bias.
_LONGEST = 1 << 20


class _Addend(NamedTuple):
    """A constant that ``node`` adds: its bias, or operand ``at`` of an addition; ``aligned`` to the shape of the sum."""

    node: Node
    at: int
    name: str
    sign: int
    aligned: Array


class _Sum(NamedTuple):
    root: Node
    addends: tuple[_Addend, ...]

    @property
    def digests(self) -> tuple[bytes, ...]:
        """What is added, whatever its names: an exporter may write one bias as several constants."""
        return tuple(sorted(hashlib.blake2b((each.aligned * each.sign).tobytes()).digest() for each in self.addends))


def join_addends(graph: EditableGraph) -> None:
    """Every such sum adds one constant, which is added to the others."""
    sums, constants = list(_Finder(graph).sums()), graph.constants
    if not sums:
        return
    uses, alike = _uses(graph, constants), Counter[tuple[bytes, ...]]()
    inside: dict[tuple[bytes, ...], Counter[str]] = {}
    for found in sums:
        alike[found.digests] += 1
        inside.setdefault(found.digests, Counter()).update(constants[each.name].key for each in found.addends)
    changed: dict[int, Node] = {}
    for found in sums:
        own = inside[found.digests]
        added = [constants[each.name] for each in found.addends]
        if all(constant.numel == 1 or own[constant.key] == uses[constant.key] for constant in added):
            _join(found, graph, changed)
    graph.replace({at: (node,) for at, node in changed.items()})


def _uses(graph: Graph | EditableGraph, constants: Mapping[str, Constant]) -> Counter[str]:
    """How often nodes of the graph and of its bodies read what is stored under a key."""
    found = Counter(constants[name].key for node in graph.nodes for name in node.inputs if name in constants)
    found.update(constants[name].key for name in graph.outputs if name in constants)
    for node in graph.nodes:
        for body in node.bodies:
            found.update(_uses(body, constants))
    return found


class _Finder:
    """Goes through trees of additions of one shape and format."""

    def __init__(self, graph: EditableGraph) -> None:
        self._graph, self._constants, self._made = graph, graph.constants, graph.producers

    def sums(self) -> Iterator[_Sum]:
        for node in self._graph.nodes:
            if not self._adds(node) or self._is_inner(node):
                continue
            found = tuple(self._addends(node))
            if sum(each.node.kind == "conv" for each in found) > 1:
                found = tuple(each for each in found if each.node.kind != "conv")
            if len(found) > 1 and _fit([each.aligned for each in found]) and not any(map(self._rounds, found)):
                yield _Sum(node, found)

    def _rounds(self, addend: _Addend) -> bool:
        """Whether it is so large that what it is added to loses bits: (x + 2^23) − 2^23 is a rounding, and no sum of constants."""
        kept = MANTISSA.get(self._graph.values[addend.node.outputs[0]].format.name, 0) // 2
        return bool((np.abs(addend.aligned) >= 2.0**kept).any())

    def _adds(self, node: Node) -> bool:
        value = self._graph.values[node.outputs[0]]
        return node.kind == "elementwise" and node.attributes["op"] in ("add", "sub") and value.format.family == "float"

    def _is_alone(self, name: str) -> bool:
        if not self._graph.is_read_once(name):
            return False
        (reader,) = self._graph.readers[name]
        return reader.inputs.count(name) == 1 and not reader.bodies

    def _is_inner(self, node: Node) -> bool:
        name = node.outputs[0]
        return self._is_alone(name) and self._adds(reader := self._graph.readers[name][0]) and self._like(name, reader.outputs[0])

    def _like(self, name: str, other: str) -> bool:
        one, two = self._graph.values[name], self._graph.values[other]
        return (one.shape, one.format) == (two.shape, two.format)

    def _addends(self, root: Node) -> Iterator[_Addend]:
        result = self._graph.values[root.outputs[0]]
        waiting = [(root, 1)]
        while waiting:
            node, sign = waiting.pop()
            minus = -sign if node.attributes["op"] == "sub" else sign
            for at, (name, own) in enumerate(zip(node.inputs, (sign, minus), strict=True)):
                if name in self._constants:
                    other = node.inputs[1 - at]
                    if (at == 1 or minus == sign) and other not in self._constants and self._like(other, root.outputs[0]):
                        yield from self._addend(node, at, own, result.shape, -1)
                    continue
                made = self._made.get(name)
                if made is None or not self._is_alone(name) or not self._like(name, root.outputs[0]):
                    continue
                if self._adds(made):
                    waiting.append((made, own))
                elif made.kind in ("conv", "matmul") and len(made.inputs) > 2 and made.inputs[2]:
                    last = made.kind == "matmul" or bool(made.attributes.get("channels_last"))
                    yield from self._addend(made, 2, own, result.shape, -1 if last else 1)

    def _addend(self, node: Node, at: int, sign: int, shape: Shape, axis: int) -> Iterator[_Addend]:
        name = node.inputs[at]
        constant = self._constants.get(name)
        if constant is None or constant.codes is not None or constant.parts or constant.numel > _LONGEST:
            return
        if constant.numel == 1:
            return  # a plain number belongs to its function: the 3 of a hard sigmoid that is written out
        if constant.format != self._graph.values[node.outputs[0]].format:
            return
        values, behind = values_of(constant), 0 if axis < 0 else len(shape) - 1 - axis
        values = values.reshape((*values.shape, *(1,) * behind))
        yield _Addend(node, at, name, sign, values.reshape((1,) * (len(shape) - values.ndim) + values.shape))


def _fit(arrays: list[Array]) -> bool:
    """Whether the sum has no more values than the largest of them."""
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    return int(np.prod(shape, dtype=np.int64)) == max(array.size for array in arrays) <= _LONGEST


def _join(found: _Sum, graph: EditableGraph, changed: dict[int, Node]) -> None:
    constants, cost = graph.constants, graph.cost
    total = sum((each.aligned * each.sign for each in found.addends[1:]), found.addends[0].aligned * found.addends[0].sign)
    keeper = next(
        (each for each in found.addends if each.at == 2 and each.sign > 0 and _as_bias(each, np.asarray(total)) is not None), None
    )
    result = graph.values[found.root.outputs[0]]
    array = None if keeper is None else _as_bias(keeper, np.asarray(total))
    keeper = keeper or next((each for each in found.addends if each.at != 2), None)
    if keeper is None:
        return
    array = (np.asarray(total) if array is None else array).astype(numpy_dtype(result.format))
    name = f"{found.root.outputs[0]}.addend"
    digest = hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()
    made = derived(f"sum {array.shape} {digest}", constants[keeper.name].label, array, result.format)
    parts = {constants[each.name].key: constants[each.name] for each in found.addends if constants[each.name].numel > 1}
    if array.size > 1 and cost.bits(Measured(made)) > sum(cost.bits(Measured(part)) for part in parts.values()):
        return
    constants[name] = made
    for each in found.addends:
        now = changed.get(id(each.node), each.node)
        if each is keeper:
            changed[id(each.node)] = _adding(now, each, name)
        elif each.at == 2:
            changed[id(each.node)] = replace(now, inputs=now.inputs[:2])
        else:
            other = now.inputs[1 - each.at]
            changed[id(each.node)] = replace(now, kind="move", inputs=(other,), attributes={"op": "identity"})


def _adding(node: Node, keeper: _Addend, name: str) -> Node:
    if keeper.at == 2:
        return replace(node, inputs=(*node.inputs[:2], name))
    return replace(node, inputs=(node.inputs[1 - keeper.at], name), attributes={"op": "add"})


def _as_bias(keeper: _Addend, total: Array) -> Array | None:
    """The sum as a bias of the linear operator, where it has one value for each channel (or what broadcasts, of a product)."""
    if keeper.node.kind == "matmul":
        lead = next((axis for axis, size in enumerate(total.shape) if size > 1), max(total.ndim - 1, 0))
        return total.reshape(total.shape[lead:])
    return total.reshape(-1) if total.shape == keeper.aligned.shape else None

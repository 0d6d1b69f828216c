"""Which elements nobody has to compute because a constant mask hides them (rule O15).

Forward: what a mask hides is −∞ before a softmax and 0 behind it, whatever the input. Backward: a score of which
nothing is read need not be computed, nor what only it is computed from. Patterns are truth values that broadcast against
the tensor they belong to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.facts.graph import Graph, Node, Shape
from micronet_verify.facts.shapes import integer, ints, text

Kept = NDArray[np.bool_]
# No score comes near: e to the power of anything smaller than another by 104 is 0 in fp32. Frameworks write −∞ or the least number.
HIDING = -1e30
# A mask for more scores than this is not looked through.
MOST_SCORES = 1 << 26


@dataclass(frozen=True, slots=True)
class Hidden:
    """``computed``: by value, the elements that are needed and not known. ``zeros``: the elements that are not 0 in any case.

    ``masks`` are the results of masks: what such a node does to an element is known before any input is.
    """

    computed: Mapping[str, Kept]
    zeros: Mapping[str, Kept]
    masks: frozenset[str]


NOTHING_HIDDEN = Hidden(MappingProxyType({}), MappingProxyType({}), frozenset())
Known = tuple[Kept, float]


def hidden_elements(graph: Graph, constants: Mapping[str, Constant]) -> Hidden:
    """What constant masks hide in a graph whose masks have been named (``analysis/rewrites/recognize_masks.py``)."""
    masks = frozenset(node.outputs[0] for node in graph.nodes if _is_mask(node, constants))
    if not masks:
        return NOTHING_HIDDEN
    known: dict[str, Known] = {}
    for node in graph.nodes:
        found = _forward(node, graph, constants, known)
        if found is not None:
            known[node.outputs[0]] = found
    needed = _needed(graph, constants, known)
    computed: dict[str, Kept] = {}
    for node in graph.nodes:
        for name in node.outputs:
            pattern = _both(needed.get(name), known[name][0] if name in known else None)
            if pattern is not None:
                computed[name] = pattern
    zeros = {name: kept for name, (kept, number) in known.items() if number == 0}
    return Hidden(computed, zeros, masks)


def _is_mask(node: Node, constants: Mapping[str, Constant]) -> bool:
    if node.kind != "elementwise" or node.attributes["op"] != "where" or node.inputs[0] not in constants:
        return False
    fill = constants.get(node.inputs[2])
    return fill is not None and fill.numel == 1 and (fill.number == 0 or fill.number <= HIDING) and fill.key.startswith("fill ")


def _both(one: Kept | None, other: Kept | None) -> Kept | None:
    return other if one is None else one if other is None else one & other


def _forward(node: Node, graph: Graph, constants: Mapping[str, Constant], known: Mapping[str, Known]) -> Known | None:
    """What is known of a node's result: where it is not, and the number that stands elsewhere."""
    shape = graph.values[node.outputs[0]].shape
    if _is_mask(node, constants):
        kept, number = np.asarray(constants[node.inputs[0]].load(), np.bool_), constants[node.inputs[2]].number
        before = known.get(node.inputs[1])
        return (kept if before is None or before[1] != number else kept & before[0]), number
    name = next((name for name in node.inputs if name in known), None)
    if name is None:
        return None
    kept, number = known[name]
    if node.kind == "move":
        moved = _moved(node, kept, graph.values[name].shape, shape)
        return None if moved is None else (moved, number)
    if node.kind == "softmax":
        if node.attributes["op"] != "softmax" or number > HIDING:
            return None
        # Of a finite number alone the softmax is equal shares.
        return (kept if math.isinf(number) else kept | _of_nothing(kept, integer(node.attributes, "axis"), len(shape))), 0.0
    if node.kind != "elementwise" or graph.values[name].shape != shape:
        return None
    result = _function(
        str(node.attributes["op"]), number, node.inputs.index(name), [constants.get(other) for other in node.inputs if other != name]
    )
    return None if result is None else (kept, result)


def _of_nothing(kept: Kept, axis: int, rank: int) -> Kept:
    """The rows along an axis of which a pattern keeps nothing."""
    lined = kept.reshape((1,) * (rank - kept.ndim) + kept.shape)
    return np.asarray(~lined.any(axis=axis, keepdims=True))


def _function(op: str, number: float, at: int, others: list[Constant | None]) -> float | None:
    """What a function makes of a known number, whatever its other operand."""
    if op == "exp":
        return math.exp(number)
    if op in ("relu", "abs") and number == 0:
        return 0.0
    if op == "mul" or (op == "div" and at == 0):
        positive = all(other is not None and other.numel == 1 and 0 < other.number < math.inf for other in others)
        return number if number == 0 or (positive and math.isinf(number)) else None
    if op == "add" or (op == "sub" and at == 0):
        return number if number == -math.inf else None
    return None


def _moved(node: Node, kept: Kept, before: Shape, after: Shape, back: bool = False) -> Kept | None:
    """What a move from ``before`` to ``after`` makes of a pattern; ``back``: the node moves from ``after`` to ``before``."""
    op = text(node.attributes, "op")
    if op in ("identity", "cast"):
        return kept
    lined = kept.reshape((1,) * (len(before) - kept.ndim) + kept.shape)
    if op == "transpose":
        perm = ints(node.attributes, "perm")
        return lined.transpose(np.argsort(perm).tolist() if back else perm)
    return _regrouped(lined, before, after) if op == "reshape" else None


def _regrouped(kept: Kept, before: Shape, after: Shape) -> Kept | None:
    """The pattern of a reshaped tensor; axes of which it says nothing may be cut in any way."""
    same = 0
    while same < min(len(before), len(after)) and before[-1 - same] == after[-1 - same]:
        same += 1
    if all(size == 1 for size in kept.shape[: len(before) - same]):
        return kept.reshape(kept.shape[len(before) - same :])
    return np.broadcast_to(kept, before).reshape(after) if prod(before) <= MOST_SCORES else None


def _needed(graph: Graph, constants: Mapping[str, Constant], known: Mapping[str, Known]) -> dict[str, Kept]:
    """The elements of each value that somebody reads; a value that is not listed is read whole."""
    needed: dict[str, Kept] = {}
    whole = set(graph.outputs)
    for node in reversed(graph.nodes):
        result = None if node.outputs[0] in whole or len(node.outputs) > 1 else needed.get(node.outputs[0])
        if node.outputs[0] in known:
            result = _both(result, known[node.outputs[0]][0])
        for name in dict.fromkeys(node.inputs):
            read = _read(node, name, result, graph, constants, known)
            if read is None:
                whole.add(name)
            elif name not in whole:
                needed[name] = read if name not in needed else needed[name] | read
        for body in node.bodies:
            whole.update(name for inner in body.nodes for name in inner.inputs)
            whole.update(body.outputs)
    return {name: pattern for name, pattern in needed.items() if name not in whole}


def _read(
    node: Node, name: str, result: Kept | None, graph: Graph, constants: Mapping[str, Constant], known: Mapping[str, Known]
) -> Kept | None:
    """The elements of ``name`` that a node reads so that ``result`` of its elements can be computed; ``None`` for all."""
    if name not in graph.values or name in constants or node.inputs.count(name) > 1:
        return None
    before, after = graph.values[name].shape, graph.values[node.outputs[0]].shape
    if node.kind == "elementwise":
        return result if before == after else None
    if node.kind == "move":
        return None if result is None else _moved(node, result, after, before, back=True)
    if name not in known:
        return None
    kept, number = known[name]
    sums = node.kind == "matmul" or (node.kind == "reduce" and node.attributes["op"] == "sum")
    least = node.kind == "softmax" or (node.kind == "reduce" and node.attributes["op"] == "max")
    return kept if (sums and number == 0) or (least and number <= HIDING) else None


def rows_kept(kept: Kept, shape: Shape, axes: tuple[int, ...]) -> int:
    """Rows along ``axes`` of a tensor of ``shape`` of which a pattern keeps anything."""
    lined = kept.reshape((1,) * (len(shape) - kept.ndim) + kept.shape)
    rows = np.asarray(lined.any(axis=axes, keepdims=True))
    return count_kept(rows, tuple(1 if at in axes else size for at, size in enumerate(shape)))


def count_kept(kept: NDArray[Any], shape: Shape) -> int:
    """Elements of a tensor of ``shape`` that a pattern keeps."""
    return int(np.count_nonzero(kept)) * (prod(shape) // max(kept.size, 1))

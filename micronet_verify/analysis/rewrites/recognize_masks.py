"""Sees that a constant hides scores (rule O15): one mask, whether it selects, is added as −∞, or is multiplied as 0 and 1.

A mask before a softmax, or on what a softmax gives, becomes ``where(kept, x, −∞ or 0)`` with one truth value for each
score of which it says something, whatever the file has instead: then it has one price in every spelling, and one bit
for each score is stored. Where a finite number hides all scores of one softmax, it stays: that softmax gives them equal shares,
and not NaN. Anything that an input can change is no mask.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.fold_constants import fold_node
from micronet_verify.analysis.rewrites.node_writer import NodeWriter
from micronet_verify.analysis.tensors.constants import Constant, derived
from micronet_verify.analysis.values.masked_elements import HIDING, MOST_SCORES, Kept
from micronet_verify.facts.formats import BOOL
from micronet_verify.facts.graph import Node, Shape, Value
from micronet_verify.facts.shapes import integer


@dataclass(frozen=True, slots=True)
class Mask:
    """``fill`` stands wherever ``kept`` is false; where it is true ``x``, plus ``rest`` if that is given."""

    x: str
    kept: NDArray[np.bool_]
    fill: float
    label: str
    rest: NDArray[Any] | None = None


def recognize_masks(graph: EditableGraph) -> None:
    """Every constant mask on scores is written alike; the masks are added to the constants."""
    before, after = _near_softmax(graph)
    if not before and not after:
        return
    known = _known(graph)

    def read(node: Node) -> Sequence[Node]:
        at = node.outputs[0]
        mask = _mask(node, graph.values, known) if node.kind == "elementwise" and (at in before or at in after) else None
        if mask is not None and mask.fill:
            mask = _filled(mask, before.get(at), len(graph.values[at].shape))
        return (node,) if mask is None or mask.kept.all() else _written(graph, node, mask)

    graph.sweep(read)


def _known(graph: EditableGraph) -> Mapping[str, Constant]:
    """The constants, and what a graph computes from nothing else (a mask compared from two rows of positions)."""
    known = dict(graph.constants)
    for node in graph.nodes:
        if node.inputs and not node.bodies and all(name in known for name in node.inputs):
            known.update(fold_node(graph.values, node, known, MOST_SCORES) or {})
    return known


def _near_softmax(graph: EditableGraph) -> tuple[dict[str, set[int]], set[str]]:
    """Values that only functions and moves separate from the softmax (or exponential) that reads them, and that made them.

    The first with the axes along which they are read (−1: it may be any).
    """
    before: dict[str, set[int]] = {}
    after: set[str] = set()
    for node in reversed(graph.nodes):
        axes = set().union(*(before.get(name, ()) for name in node.outputs)) if _passes(node) else set[int]()
        if axes and node.kind == "move" and node.attributes["op"] not in ("identity", "cast"):
            axes = {-1}
        if _normalises(node):
            axes.add(integer(node.attributes, "axis", -1))
        for name in filter(None, node.inputs if axes else ()):
            same = name in graph.values and graph.values[name].shape == graph.values[node.outputs[0]].shape
            before.setdefault(name, set()).update(axes if same else {-1})
    for node in graph.nodes:
        if _normalises(node) or (_passes(node) and after.intersection(node.inputs)):
            after.update(node.outputs)
    return before, {name for name in after if name in graph.readers}


def _normalises(node: Node) -> bool:
    return node.kind == "softmax" or (node.kind == "elementwise" and node.attributes["op"] == "exp")


def _passes(node: Node) -> bool:
    return node.kind in ("elementwise", "move")


def _filled(mask: Mask, axes: set[int] | None, rank: int) -> Mask | None:
    """−∞ in place of a number that hides, except where a softmax sees nothing else: equal numbers are equal shares there."""
    if axes is None:
        return None
    lined = mask.kept.reshape((1,) * (rank - mask.kept.ndim) + mask.kept.shape)
    alone = any(not lined.any(axis=axis).all() for axis in (range(rank) if -1 in axes else axes))
    if math.isinf(mask.fill) or not alone:
        return replace(mask, fill=-math.inf)
    return None if math.isnan(mask.fill) else mask


def _mask(node: Node, values: Mapping[str, Value], constants: Mapping[str, Constant]) -> Mask | None:
    """What the node hides, if it masks."""
    op, result = node.attributes["op"], values[node.outputs[0]]
    if result.format.family != "float" or result.numel > MOST_SCORES:
        return None
    if op == "where":
        condition, then, other = node.inputs
        if condition not in constants:
            return None
        for x, fill, keep in ((then, other, True), (other, then, False)):
            number = _hiding(constants.get(fill))
            if number is not None and _fits(x, values, constants, result.shape):
                return Mask(x, np.asarray(constants[condition].load(), np.bool_) == keep, number, constants[condition].label)
        return None
    if op not in ("add", "sub", "mul"):
        return None
    for x, name in (node.inputs, node.inputs[::-1])[: 1 if op == "sub" else 2]:
        constant = constants.get(name)
        if constant is not None and constant.numel > 1 and constant.row_scale is None and _fits(x, values, constants, result.shape):
            return _multiplied(x, constant) if op == "mul" else _added(x, constant, 1 if op == "add" else -1)
    return None


def _fits(name: str, values: Mapping[str, Value], constants: Mapping[str, Constant], shape: Shape) -> bool:
    return name not in constants and name in values and values[name].shape == shape


def _hiding(constant: Constant | None) -> float | None:
    """The number, where it hides a score from a softmax, or is 0."""
    if constant is None or constant.numel != 1:
        return None
    return constant.number if constant.number <= HIDING else 0.0 if constant.number == 0 else None


def _added(x: str, constant: Constant, sign: int) -> Mask | None:
    data = np.asarray(constant.load()) * sign
    kept = data > HIDING
    if kept.all() or np.isnan(data).any():
        return None
    rest = np.where(kept, data, np.zeros((), data.dtype))
    hiding = np.unique(data[~kept].astype(np.float64))
    fill = float(hiding[0]) if len(hiding) == 1 else math.nan  # of several, the largest would win where there is nothing else
    return Mask(x, kept, fill, constant.label, rest if rest.any() else None)


def _multiplied(x: str, constant: Constant) -> Mask | None:
    data = np.asarray(constant.load())
    first = data.reshape(-1)[:64]
    return Mask(x, data != 0, 0.0, constant.label) if ((first == 0) | (first == 1)).all() and ((data == 0) | (data == 1)).all() else None


def _written(graph: EditableGraph, node: Node, mask: Mask) -> list[Node]:
    name, result, x = node.outputs[0], graph.values[node.outputs[0]], mask.x
    writer, array = NodeWriter(graph, node, "masked"), _shortest(mask.kept)
    if mask.rest is not None:
        rest = f"{name}.bias"
        graph.constants[rest] = derived(f"{rest} of {name}", mask.label, mask.rest, result.format)
        x = writer.emit("elementwise", (mask.x, rest), result.shape, {"op": "add"})
    # Masks that say the same are one, wherever they stand (S4).
    key = f"mask {array.shape} {hashlib.sha256(np.packbits(array).tobytes()).hexdigest()}"
    kept = writer.constant("kept", derived(key, mask.label or "mask", array, BOOL))
    fill = writer.constant("fill", derived(f"fill {mask.fill}", str(mask.fill), np.array(mask.fill, np.float32), result.format))
    writer.write("elementwise", (kept, x, fill), node.outputs, {"op": "where"})
    return writer.nodes


def _shortest(kept: Kept) -> Kept:
    """The mask with an extent of 1 wherever it says the same of all; leading ones are left out."""
    for axis in range(kept.ndim):
        first = kept.take([0], axis)
        if kept.shape[axis] > 1 and (kept == first).all():
            kept = first
    lead = next((axis for axis, size in enumerate(kept.shape) if size > 1), kept.ndim)
    return np.ascontiguousarray(kept.reshape(kept.shape[lead:]))

"""Folds batch normalisation into the linear operator before it (rule S7): scale into the weights, shift into the bias.

y = a·(W x + b) + c is (a·W) x + (a·b + c): C biases and one add per output remain. Needs that nothing else reads what
lies between, and that the weights are constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from micronet_verify.analysis.affine import Affine, affine_step
from micronet_verify.analysis.constants import Array, Constant, derived, values_of
from micronet_verify.analysis.evaluate import mean_variance_scale
from micronet_verify.analysis.live import consumers
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.shapes import number, text

FOLDED = " (batch norm folded)"


@dataclass(frozen=True, slots=True)
class Folded:
    """A batch normalisation that costs nothing of its own, and the node into which it went."""

    node: Node
    into: Node


def channel_scale_and_shift(node: Node, pool: Mapping[str, Constant]) -> tuple[Array, Array] | None:
    """(a, c) per channel of a batch normalisation whose statistics are constants, else ``None``."""
    statistics = [pool.get(name) for name in node.inputs[1:]]
    if any(found is None for name, found in zip(node.inputs[1:], statistics, strict=True) if name) or len(node.inputs) < 3:
        return None
    mean, variance, scale, shift = ([None if c is None else values_of(c).reshape(-1) for c in statistics] + [None, None])[:4]
    if mean is None or variance is None:
        return None
    a, c = mean_variance_scale(mean, variance, scale, shift, number(node.attributes, "eps"))
    return np.broadcast_to(a, mean.shape), np.broadcast_to(c, mean.shape)


def fold_batch_norms(graph: Graph, pool: dict[str, Constant]) -> tuple[Graph, tuple[Folded, ...]]:
    """The graph with every foldable batch normalisation gone; new weights and biases are added to ``pool``.

    A multiply by one constant per channel is a batch normalisation without a shift, and folds likewise.
    """
    readers = consumers(graph)
    producer = {name: node for node in graph.nodes for name in node.outputs}
    norms = {node.outputs[0]: norm for node in graph.nodes if (norm := _norm(graph, node, pool)) is not None}
    shared = _shared_weights(graph, pool, readers)
    changed: dict[int, Node | None] = {}
    folded: list[Folded] = []
    for node in graph.nodes:
        norm = norms.get(node.outputs[0])
        original = None if norm is None else producer.get(norm.x)
        if norm is None or original is None or len(readers[norm.x]) != 1 or norm.x in graph.outputs:
            continue
        merged = _merge(graph, changed.get(id(original)) or original, norm, pool, shared)
        if merged is not None:
            changed[id(original)], changed[id(node)] = merged, None
            producer[node.outputs[0]] = original
            folded.append(Folded(node, merged))
    nodes = [changed.get(id(node), node) for node in graph.nodes]
    return replace(graph, nodes=tuple(node for node in nodes if node is not None)), tuple(folded)


def _norm(graph: Graph, node: Node, pool: Mapping[str, Constant]) -> Affine | None:
    """What a batch normalisation, or a multiply per channel, does to its operand."""
    if node.kind == "elementwise":
        step = affine_step(graph, node, pool)
        return step if step is not None and step.shift is None else None
    if node.kind != "normalise" or node.attributes["op"] != "batch_norm":
        return None
    found = channel_scale_and_shift(node, pool)
    axis = len(graph.values[node.outputs[0]].shape) - 1 if node.attributes.get("channels_last") else 1
    return None if found is None else Affine(node.inputs[0], axis, *found, (node,))


def _shared_weights(graph: Graph, pool: Mapping[str, Constant], readers: Mapping[str, list[Node]]) -> frozenset[str]:
    """Keys of tied weights whose users are not all followed by the same normalisation: folding would undo the tie (S4)."""
    following: dict[str, set[object]] = {}
    for node in graph.nodes:
        if node.kind in ("conv", "matmul"):
            after = readers.get(node.outputs[0], [])
            what = tuple(pool[name].key for name in after[0].inputs if name in pool) if len(after) == 1 else id(node)
            for name in node.inputs[:2]:
                if name in pool:
                    following.setdefault(pool[name].key, set()).add(what)
    return frozenset(key for key, what in following.items() if len(what) > 1)


def _merge(graph: Graph, linear: Node, norm: Affine, pool: dict[str, Constant], shared: frozenset[str]) -> Node | None:
    axis = _weight_axis(graph, linear, norm)
    weight_at = 1 if linear.kind == "conv" or (len(linear.inputs) > 1 and linear.inputs[1] in pool) else 0
    weight = pool.get(linear.inputs[weight_at]) if axis is not None else None
    if axis is None or weight is None or weight.key in shared:
        return None
    a, c = norm.scale, norm.shift
    if weight.shape[axis] != a.size:
        return None
    bias = pool.get(linear.inputs[2]) if len(linear.inputs) > 2 and linear.inputs[2] else None
    if len(linear.inputs) > 2 and linear.inputs[2] and bias is None:
        return None
    if bias is not None and bias.numel not in (1, a.size):
        return None
    name = norm.nodes[-1].outputs[0]
    weight_id, bias_id = f"{name}.weight", f"{name}.bias"
    scale = a if weight.row_scale is None else a * weight.row_scale
    # The values stay where they are; folding is remembered as one factor per channel.
    pool[weight_id] = replace(weight, row_scale=np.asarray(scale), row_axis=axis, key=f"{weight.key}*{name}")
    operands = [*linear.inputs[:2]]
    operands[weight_at] = weight_id
    if bias is not None or c is not None:
        shift = (0 if bias is None else values_of(bias).reshape(-1) * a) + (0 if c is None else c)
        label = bias.label if bias is not None else f"{weight.label.removesuffix('.weight')}.bias"
        label = label if label.endswith(FOLDED) else label + FOLDED
        shape = (a.size,) if linear.kind == "conv" else _bias_shape(graph, name, norm.axis, a.size)
        pool[bias_id] = derived(bias_id, label, np.asarray(shift).astype(np.float32).reshape(shape), graph.values[name].format)
        operands.append(bias_id)
    return replace(linear, inputs=tuple(operands), outputs=(name,))


def _weight_axis(graph: Graph, linear: Node, norm: Affine) -> int | None:
    """The axis of the weight that becomes the channels of the batch normalisation."""
    rank = len(graph.values[norm.nodes[-1].outputs[0]].shape)
    if linear.kind == "conv":
        if norm.axis != (rank - 1 if linear.attributes.get("channels_last") else 1):
            return None
        transposed = bool(linear.attributes.get("transposed"))
        return (1 if linear.attributes["groups"] == 1 else None) if transposed else 0
    if linear.kind != "matmul":
        return None
    channel = text(linear.attributes, "out")[norm.axis]
    for side in ("right", "left"):
        labels = text(linear.attributes, side)
        if channel in labels:
            return labels.index(channel)
    return None


def _bias_shape(graph: Graph, name: str, axis: int, channels: int) -> tuple[int, ...]:
    return (channels, *(1,) * (len(graph.values[name].shape) - 1 - axis))

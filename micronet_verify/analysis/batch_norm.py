"""Folds batch normalisation into the linear operator before it (rule S7): scale into the weights, shift into the bias.

y = a·(W x + b) + c is (a·W) x + (a·b + c): C biases and one add per output remain. Needs that nothing else reads what
lies between, and that the weights are constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from micronet_verify.analysis.constants import Array, Constant, derived, values_of
from micronet_verify.analysis.evaluate import mean_variance_scale
from micronet_verify.analysis.live import consumers
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.shapes import number, text


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
    """The graph with every foldable batch normalisation gone; new weights and biases are added to ``pool``."""
    readers = consumers(graph)
    producer = {name: node for node in graph.nodes for name in node.outputs}
    changed: dict[int, Node | None] = {}
    folded: list[Folded] = []
    for node in graph.nodes:
        if node.kind != "normalise" or node.attributes["op"] != "batch_norm":
            continue
        linear = producer.get(node.inputs[0])
        if linear is None or len(readers[node.inputs[0]]) != 1 or node.inputs[0] in graph.outputs:
            continue
        linear = changed.get(id(linear)) or linear
        merged = _merge(graph, linear, node, pool)
        if merged is not None:
            original = producer[node.inputs[0]]
            changed[id(original)], changed[id(node)] = merged, None
            producer[node.outputs[0]] = original
            folded.append(Folded(node, merged))
    nodes = [changed.get(id(node), node) for node in graph.nodes]
    return replace(graph, nodes=tuple(node for node in nodes if node is not None)), tuple(folded)


def _merge(graph: Graph, linear: Node, norm: Node, pool: dict[str, Constant]) -> Node | None:
    axis = _weight_axis(graph, linear, norm)
    weight_at = 1 if linear.kind == "conv" or (len(linear.inputs) > 1 and linear.inputs[1] in pool) else 0
    weight = pool.get(linear.inputs[weight_at]) if axis is not None else None
    found = channel_scale_and_shift(norm, pool)
    if axis is None or weight is None or found is None:
        return None
    a, c = found
    if weight.shape[axis] != a.size:
        return None
    bias = pool.get(linear.inputs[2]) if len(linear.inputs) > 2 and linear.inputs[2] else None
    if len(linear.inputs) > 2 and linear.inputs[2] and bias is None:
        return None
    if bias is not None and bias.numel not in (1, a.size):
        return None
    shift = c if bias is None else values_of(bias).reshape(-1) * a + c
    scale = a if weight.row_scale is None else a * weight.row_scale
    weight_id, bias_id = f"{norm.outputs[0]}.weight", f"{norm.outputs[0]}.bias"
    # The values stay where they are; folding is remembered as one factor per channel.
    pool[weight_id] = replace(weight, row_scale=np.asarray(scale), row_axis=axis, key=f"{weight.key}*{norm.outputs[0]}")
    label = bias.label if bias is not None else f"{weight.label.removesuffix('.weight')}.bias"
    shape = (a.size,) if linear.kind == "conv" else _bias_shape(graph, linear, norm, a.size)
    pool[bias_id] = derived(
        bias_id, f"{label} (batch norm folded)", shift.astype(np.float32).reshape(shape), graph.values[norm.outputs[0]].format
    )
    operands = [*linear.inputs[:2], bias_id]
    operands[weight_at] = weight_id
    return replace(linear, inputs=tuple(operands), outputs=norm.outputs)


def _weight_axis(graph: Graph, linear: Node, norm: Node) -> int | None:
    """The axis of the weight that becomes the channels of the batch normalisation."""
    if linear.kind == "conv":
        if bool(linear.attributes.get("channels_last")) != bool(norm.attributes.get("channels_last")):
            return None
        transposed = bool(linear.attributes.get("transposed"))
        return (1 if linear.attributes["groups"] == 1 else None) if transposed else 0
    if linear.kind != "matmul":
        return None
    out = text(linear.attributes, "out")
    rank = len(graph.values[norm.outputs[0]].shape)
    channel = out[rank - 1 if norm.attributes.get("channels_last") else min(1, rank - 1)]
    for side in ("right", "left"):
        labels = text(linear.attributes, side)
        if channel in labels:
            return labels.index(channel)
    return None


def _bias_shape(graph: Graph, linear: Node, norm: Node, channels: int) -> tuple[int, ...]:
    rank = len(graph.values[norm.outputs[0]].shape)
    if rank <= 2 or norm.attributes.get("channels_last"):
        return (channels,)
    return (channels, *(1,) * (rank - 2))

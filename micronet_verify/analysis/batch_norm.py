"""Folds batch normalisation into the linear operator before it (rule S7): scale into the weights, shift into the bias.

y = a·(W x + b) + c is (a·W) x + (a·b + c): C biases and one add per output remain. Needs that nothing else reads what
lies between, and that the weights are constants. Behind a concatenation of linear operators each takes its own slice.
What is left may fold into the operators that read it (``analysis/norm_ahead.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from micronet_verify.analysis.affine import Affine, affine_step
from micronet_verify.analysis.constants import Array, Constant, derived, values_of
from micronet_verify.analysis.evaluate import mean_variance_scale
from micronet_verify.analysis.live import consumers
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.shapes import integer, number, text

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
    """The graph with every batch normalisation gone that folds into what is before it; new weights and biases are added to ``pool``.

    A multiply by one constant per channel is a batch normalisation without a shift, and folds likewise.
    """
    folder = _Folder(graph, pool)
    return folder.fold()


def name_norms(graph: Graph, pool: dict[str, Constant]) -> Graph:
    """The graph with every batch normalisation that is left as y = scale·x + shift: of mean 0 and variance 1, with two constants."""
    return replace(graph, nodes=tuple(_as_scale_and_shift(node, pool) for node in graph.nodes))


def _as_scale_and_shift(node: Node, pool: dict[str, Constant]) -> Node:
    found = channel_scale_and_shift(node, pool) if node.kind == "normalise" and node.attributes["op"] == "batch_norm" else None
    if found is None:
        return node
    scale, shift = (array.astype(np.float32) for array in found)
    label = pool[node.inputs[1]].label.rpartition(".")[0]
    names = []
    for part, array in (("mean", np.zeros_like(scale)), ("variance", np.ones_like(scale)), ("scale", scale), ("shift", shift)):
        names.append(f"{node.outputs[0]}.{part}")
        pool[names[-1]] = derived(names[-1], f"{label}.{part}".lstrip("."), array)
    return replace(node, inputs=(node.inputs[0], *names), attributes={**node.attributes, "eps": 0.0})


def norm_of(graph: Graph, node: Node, pool: Mapping[str, Constant]) -> Affine | None:
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


@dataclass(frozen=True, slots=True)
class _Target:
    """A linear operator that can take a normalisation: its weight, the weight's output-channel axis, its bias."""

    linear: Node
    at: int
    axis: int
    weight: Constant
    bias: Constant | None


class _Folder:
    """Goes through the nodes in order; ``changed`` says what became of them."""

    def __init__(self, graph: Graph, pool: dict[str, Constant]) -> None:
        self._graph, self._pool, self._readers = graph, pool, consumers(graph)
        self._producer = {name: node for node in graph.nodes for name in node.outputs}
        self._shared = _shared_weights(graph, pool, self._readers)
        self._values: dict[str, Value] = dict(graph.values)
        self._changed: dict[int, Node | None] = {}

    def fold(self) -> tuple[Graph, tuple[Folded, ...]]:
        norms = {node.outputs[0]: norm for node in self._graph.nodes if (norm := norm_of(self._graph, node, self._pool)) is not None}
        folded: list[Folded] = []
        for node in self._graph.nodes:
            norm = norms.get(node.outputs[0])
            original = None if norm is None else self._producer.get(norm.x)
            if norm is None or original is None or not self._is_read_once(norm.x):
                continue
            into = self._into_pieces(original, norm) if _joins(original, norm.axis) else self._into_one(original, norm)
            if into is not None:
                self._changed[id(node)] = None
                self._producer[node.outputs[0]] = original
                folded.append(Folded(node, into))
        nodes = tuple(now for node in self._graph.nodes if (now := self._changed.get(id(node), node)) is not None)
        return replace(self._graph, nodes=nodes, values=self._values), tuple(folded)

    def _is_read_once(self, name: str) -> bool:
        return len(self._readers.get(name, [])) == 1 and name not in self._graph.outputs

    def _now(self, node: Node) -> Node:
        return self._changed.get(id(node)) or node

    def _into_one(self, original: Node, norm: Affine) -> Node | None:
        target = self._target(self._now(original), norm)
        if target is None:
            return None
        merged = self._merged(target, norm, norm.nodes[-1].outputs[0])
        self._changed[id(original)] = merged
        return merged

    def _into_pieces(self, join: Node, norm: Affine) -> Node | None:
        """A concatenation of linear operators that nothing else reads: each takes the channels that it made."""
        now, targets, start = self._now(join), [], 0
        for name in now.inputs:
            size = self._values[name].shape[norm.axis]
            piece = replace(
                norm, scale=norm.scale[start : start + size], shift=None if norm.shift is None else norm.shift[start : start + size]
            )
            maker = self._producer.get(name)
            target = None if maker is None or not self._is_read_once(name) else self._target(self._now(maker), piece)
            if maker is None or target is None or now.inputs.count(name) > 1:
                return None
            targets.append((name, maker, target, piece))
            start += size
        names = []
        for at, (name, maker, target, piece) in enumerate(targets):
            names.append(f"{norm.nodes[-1].outputs[0]}.{at}")
            self._values[names[-1]] = replace(self._values[name], id=names[-1])
            self._changed[id(maker)] = self._merged(target, piece, names[-1])
            self._producer[names[-1]], self._readers[names[-1]] = maker, [join]
        merged = replace(now, inputs=tuple(names), outputs=norm.nodes[-1].outputs)
        self._changed[id(join)] = merged
        return merged

    def _target(self, linear: Node, norm: Affine) -> _Target | None:
        axis = _weight_axis(len(self._graph.values[norm.nodes[-1].outputs[0]].shape), linear, norm.axis)
        at = 1 if linear.kind == "conv" or (len(linear.inputs) > 1 and linear.inputs[1] in self._pool) else 0
        weight = self._pool.get(linear.inputs[at]) if axis is not None else None
        if axis is None or weight is None or weight.key in self._shared or weight.shape[axis] != norm.scale.size:
            return None
        bias = self._pool.get(linear.inputs[2]) if len(linear.inputs) > 2 and linear.inputs[2] else None
        if len(linear.inputs) > 2 and linear.inputs[2] and (bias is None or bias.numel not in (1, norm.scale.size)):
            return None
        return _Target(linear, at, axis, weight, bias)

    def _merged(self, target: _Target, norm: Affine, name: str) -> Node:
        a, c, weight, bias = norm.scale, norm.shift, target.weight, target.bias
        weight_id, bias_id = f"{name}.weight", f"{name}.bias"
        scale = a if weight.row_scale is None else a * weight.row_scale
        # The values stay where they are; folding is remembered as one factor per channel.
        self._pool[weight_id] = replace(weight, row_scale=np.asarray(scale), row_axis=target.axis, key=f"{weight.key}*{name}")
        operands = [*target.linear.inputs[:2]]
        operands[target.at] = weight_id
        if bias is not None or c is not None:
            shift = (0 if bias is None else values_of(bias).reshape(-1) * a) + (0 if c is None else c)
            label = bias.label if bias is not None else f"{weight.label.removesuffix('.weight')}.bias"
            label = label if label.endswith(FOLDED) else label + FOLDED
            result = self._values[name]
            behind = len(result.shape) - 1 - norm.axis
            shape = (a.size,) if target.linear.kind == "conv" else (a.size, *(1,) * behind)
            self._pool[bias_id] = derived(bias_id, label, np.asarray(shift).astype(np.float32).reshape(shape), result.format)
            operands.append(bias_id)
        return replace(target.linear, inputs=tuple(operands), outputs=(name,))


def _joins(node: Node, axis: int) -> bool:
    return node.kind == "move" and node.attributes["op"] == "concat" and integer(node.attributes, "axis") == axis


def _weight_axis(rank: int, linear: Node, channels: int) -> int | None:
    """The axis of the weight that becomes the channels of the batch normalisation."""
    if linear.kind == "conv":
        if channels != (rank - 1 if linear.attributes.get("channels_last") else 1):
            return None
        transposed = bool(linear.attributes.get("transposed"))
        return (1 if linear.attributes["groups"] == 1 else None) if transposed else 0
    if linear.kind != "matmul":
        return None
    channel = text(linear.attributes, "out")[channels]
    for side in ("right", "left"):
        labels = text(linear.attributes, side)
        if channel in labels:
            return labels.index(channel)
    return None

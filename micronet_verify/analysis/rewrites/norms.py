"""What a batch normalisation does at inference: y = scale·x + shift, one number of each per channel (rule S7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.evaluate import mean_variance_scale
from micronet_verify.analysis.rewrites.recognize_batch_norms import Affine, affine_step
from micronet_verify.analysis.tensors.constants import Array, Constant, derived, values_of
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import number


def channel_scale_and_shift(node: Node, constants: Mapping[str, Constant]) -> tuple[Array, Array] | None:
    """(a, c) per channel of a batch normalisation whose statistics are constants, else ``None``."""
    statistics = [constants.get(name) for name in node.inputs[1:]]
    if any(found is None for name, found in zip(node.inputs[1:], statistics, strict=True) if name) or len(node.inputs) < 3:
        return None
    mean, variance, scale, shift = ([None if c is None else values_of(c).reshape(-1) for c in statistics] + [None, None])[:4]
    if mean is None or variance is None:
        return None
    a, c = mean_variance_scale(mean, variance, scale, shift, number(node.attributes, "eps"))
    return np.broadcast_to(a, mean.shape), np.broadcast_to(c, mean.shape)


def norm_of(graph: EditableGraph, node: Node) -> Affine | None:
    """What a batch normalisation, or a multiply per channel, does to its operand."""
    if node.kind == "elementwise":
        step = affine_step(graph, node)
        return step if step is not None and step.shift is None else None
    if node.kind != "normalise" or node.attributes["op"] != "batch_norm":
        return None
    found = channel_scale_and_shift(node, graph.constants)
    axis = len(graph.values[node.outputs[0]].shape) - 1 if node.attributes.get("channels_last") else 1
    return None if found is None else Affine(node.inputs[0], axis, *found, (node,))


def name_norms(graph: EditableGraph) -> None:
    """Every batch normalisation that is left becomes y = scale·x + shift: of mean 0 and variance 1, with two constants."""

    def read(node: Node) -> tuple[Node, ...]:
        is_norm = node.kind == "normalise" and node.attributes["op"] == "batch_norm"
        found = channel_scale_and_shift(node, graph.constants) if is_norm else None
        return (node,) if found is None else (scale_and_shift(node, *found, graph.constants),)

    graph.sweep(read)


def scale_and_shift(node: Node, scale: Array, shift: Array, constants: dict[str, Constant]) -> Node:
    """The normalisation as y = scale·x + shift: of mean 0 and variance 1."""
    label = constants[node.inputs[1]].label.rpartition(".")[0]
    names = []
    for part, array in (("mean", np.zeros_like(scale)), ("variance", np.ones_like(scale)), ("scale", scale), ("shift", shift)):
        names.append(f"{node.outputs[0]}.{part}")
        constants[names[-1]] = derived(names[-1], f"{label}.{part}".lstrip("."), array.astype(np.float32))
    return replace(node, inputs=(node.inputs[0], *names), attributes={**node.attributes, "eps": 0.0})

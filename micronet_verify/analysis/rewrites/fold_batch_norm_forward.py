"""Folds batch normalisation into the linear operators that read it (rule S7), where that is exact.

y = W (a·x + c) + b is (W·a) x + (W c + b), if every sum of the product takes all of c: a convolution that pads with zeros
does not at its borders. There y = (W·a) (x + c/a) + b still holds, which spares the scale alone. Weights that are stored
on a grid or as codes stay as they are: a factor for each input channel would take them off it (O2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.fold_batch_norm_back import FOLDED, Folded
from micronet_verify.analysis.rewrites.norms import norm_of
from micronet_verify.analysis.rewrites.recognize_batch_norms import Affine
from micronet_verify.analysis.tensors.constants import Array, Constant, derived, values_of
from micronet_verify.analysis.tensors.measurements import Measurements
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import integer, ints, text


@dataclass(frozen=True, slots=True)
class _Reader:
    """A linear operator behind a batch normalisation: where its weight is, the weight with the channels' ``factor`` in place.

    ``outputs`` are the axes of the weight that stay; ``padded``: zeros are added at the borders.
    """

    linear: Node
    at: int
    weight: Constant
    factor: Array
    shift: Array
    outputs: tuple[int, ...]
    padded: bool


def fold_batch_norms_forward(graph: EditableGraph, measured: Measurements) -> tuple[Folded, ...]:
    """The batch normalisations go, or their scales do, that the operators behind them can take."""
    if not any(node.kind == "normalise" for node in graph.nodes):
        return ()
    uses = _uses(graph)
    changed: dict[int, tuple[Node, ...]] = {}
    folded: list[Folded] = []
    for node in graph.nodes:
        norm = norm_of(graph, node) if node.kind == "normalise" else None
        behind = graph.readers.get(node.outputs[0], [])
        if norm is None or not behind or node.outputs[0] in graph.outputs or any(id(reader) in changed for reader in behind):
            continue
        found = [_reader(graph, reader, norm, node.outputs[0], uses) for reader in behind]
        taken = [reader for reader in found if reader is not None]
        if len(taken) < len(behind) or not all(graph.cost.is_plain(measured.of(reader.weight, reader.outputs)) for reader in taken):
            continue
        written = _whole(graph, taken, norm) or _scale_only(graph, taken, norm)
        if written is not None:
            changed |= written
            folded.append(Folded(node, changed[id(behind[0])][0]))
    graph.replace(changed)
    return tuple(folded)


def _uses(graph: EditableGraph) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in graph.nodes:
        for name in node.inputs:
            if name in graph.constants:
                found[graph.constants[name].key] = found.get(graph.constants[name].key, 0) + 1
    return found


def _reader(graph: EditableGraph, linear: Node, norm: Affine, x: str, uses: dict[str, int]) -> _Reader | None:
    """The operator with a and c lined up with its weight, if it is one that can take them."""
    at = 1 if linear.kind == "conv" or linear.inputs[:1] == (x,) else 0
    weight = graph.constants.get(linear.inputs[at]) if linear.kind in ("conv", "matmul") and linear.inputs.count(x) == 1 else None
    bias = linear.inputs[2] if len(linear.inputs) > 2 else ""
    if (
        weight is None
        or weight.codes is not None
        or weight.parts
        or uses[weight.key] > 1
        or linear.inputs[1 - at] != x
        or (bias and bias not in graph.constants)
    ):
        return None
    shift = np.zeros_like(norm.scale) if norm.shift is None else norm.shift
    rank = len(graph.values[x].shape)
    if linear.kind == "conv":
        if linear.attributes.get("transposed") or norm.axis != (rank - 1 if linear.attributes.get("channels_last") else 1):
            return None
        groups, made, taken = integer(linear.attributes, "groups", 1), weight.shape[0], weight.shape[1]
        channels = (np.arange(made) // (made // groups))[:, None] * taken + np.arange(taken)
        shape = (made, taken) + (1,) * (rank - 2)
        padded = any(ints(linear.attributes, "padding"))
        return _Reader(linear, at, weight, norm.scale[channels].reshape(shape), shift[channels].reshape(shape), (0,), padded)
    own, others, out = (
        text(linear.attributes, "right" if at else "left"),
        text(linear.attributes, "left" if at else "right"),
        text(linear.attributes, "out"),
    )
    channel = others[norm.axis]
    summed = [label for label in others if label not in out]
    outputs = tuple(own.index(label) for label in own if label in out)
    if channel not in summed or any(label not in own for label in summed) or len(outputs) != 1 or own[outputs[0]] in others:
        return None
    if len(own) != len(summed) + 1 or any(weight.shape[own.index(label)] != graph.values[x].shape[others.index(label)] for label in summed):
        return None
    shape = tuple(norm.scale.size if label == channel else 1 for label in own)
    return _Reader(linear, at, weight, norm.scale.reshape(shape), shift.reshape(shape), outputs, False)


def _whole(graph: EditableGraph, readers: Sequence[_Reader], norm: Affine) -> dict[int, tuple[Node, ...]] | None:
    """Scale and shift into every reader; ``None`` where that is not exact, or where the biases would be dearer than the norm."""
    shifts = bool(norm.shift is not None and norm.shift.any())
    elements = graph.values[norm.nodes[-1].outputs[0]].numel
    new = [reader for reader in readers if shifts and len(reader.linear.inputs) < 3]
    biases = sum(prod(reader.weight.shape[axis] for axis in reader.outputs) for reader in new)
    adds = sum(graph.values[reader.linear.outputs[0]].numel for reader in new)
    # A multiply at 16 bits and an add at 32 for each element, at least.
    if (shifts and any(reader.padded for reader in readers)) or biases > 2 * norm.scale.size or 2 * adds > 3 * elements:
        return None
    written: dict[int, tuple[Node, ...]] = {id(norm.nodes[-1]): ()}
    for reader in readers:
        scaled = _scaled(graph, reader, norm, norm.x)
        if shifts:
            scaled = _with_bias(graph, scaled, reader)
        written[id(reader.linear)] = (scaled,)
    return written


def _scale_only(graph: EditableGraph, readers: Sequence[_Reader], norm: Affine) -> dict[int, tuple[Node, ...]] | None:
    """The scale into every reader, and c/a added before; ``None`` where a scale is 0."""
    node = norm.nodes[-1]
    if norm.shift is None or not np.all(norm.scale):
        return None
    name, result = f"{node.outputs[0]}.shift", graph.values[node.outputs[0]]
    shape = tuple(norm.scale.size if axis == norm.axis else 1 for axis in range(norm.axis, len(result.shape)))
    label = f"{graph.constants[node.inputs[1]].label.rpartition('.')[0]}.shift".lstrip(".")
    graph.constants[name] = derived(name, label, (norm.shift / norm.scale).astype(np.float32).reshape(shape), result.format)
    added = Node("elementwise", (norm.x, name), node.outputs, {"op": "add"}, node.source, node.scope)
    written: dict[int, tuple[Node, ...]] = {id(node): (added,)}
    for reader in readers:
        written[id(reader.linear)] = (_scaled(graph, reader, norm, node.outputs[0]),)
    return written


def _scaled(graph: EditableGraph, reader: _Reader, norm: Affine, x: str) -> Node:
    """The operator on ``x`` with a in its weight."""
    name, weight, factor = f"{reader.linear.outputs[0]}.scaled", reader.weight, reader.factor.astype(np.float32)
    load = weight.load
    graph.constants[name] = replace(weight, key=f"{weight.key}*{norm.nodes[-1].outputs[0]}", load=lambda: load() * factor, whole=None)
    operands = [x, name] if reader.at else [name, x]
    return replace(reader.linear, inputs=(*operands, *reader.linear.inputs[2:]))


def _with_bias(graph: EditableGraph, scaled: Node, reader: _Reader) -> Node:
    """W c in the bias."""
    weight, result = reader.weight, graph.values[scaled.outputs[0]]
    summed = tuple(axis for axis in range(len(weight.shape)) if axis not in reader.outputs)
    shift = (values_of(weight) * reader.shift).sum(axis=summed)
    if scaled.kind == "matmul":
        own = text(scaled.attributes, "right" if reader.at else "left")
        out = text(scaled.attributes, "out")
        shift = shift.reshape([-1 if label == own[reader.outputs[0]] else 1 for label in out])
    before = graph.constants[scaled.inputs[2]] if len(scaled.inputs) > 2 and scaled.inputs[2] else None
    label = before.label if before is not None else f"{weight.label.removesuffix('.weight')}.bias"
    name = f"{scaled.outputs[0]}.bias"
    total = shift if before is None else shift + values_of(before)
    graph.constants[name] = derived(name, label if label.endswith(FOLDED) else label + FOLDED, total.astype(np.float32), result.format)
    return replace(scaled, inputs=(*scaled.inputs[:2], name))

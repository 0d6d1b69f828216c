"""Folds batch normalisation into the linear operator before it (rule S7): scale into the weights, shift into the bias.

y = a·(W x + b) + c is (a·W) x + (a·b + c): C biases and one add per output remain. Needs that nothing else reads what
lies between, and that the weights are constants. Behind a concatenation of linear operators each takes its own slice.
What is left may fold into the operators that read it (``analysis/rewrites/fold_batch_norm_forward.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.norms import channel_scale_and_shift, norm_of, scale_and_shift
from micronet_verify.analysis.rewrites.recognize_batch_norms import Affine
from micronet_verify.analysis.tensors.constants import Array, Constant, derived, values_of
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import integer, text

FOLDED = " (batch norm folded)"


class Scaled(NamedTuple):
    """A weight before and after a scale went into it, with the axes of its output channels."""

    before: Constant
    after: Constant
    axes: tuple[int, ...]


Made = dict[tuple[int, str, bytes], Scaled]
"""Weights with a scale in them, by the weight before, the result of the norm and the scale."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A batch normalisation that costs nothing of its own, the node into which it went, and the weights that took its scale."""

    node: Node
    into: Node
    weights: tuple[Scaled, ...] = ()


def fold_batch_norms(graph: EditableGraph, kept: frozenset[str], made: Made) -> tuple[Folded, ...]:
    """Every batch normalisation goes that folds into what is before it; new weights and biases are added to the constants.

    A multiply by one constant per channel is a batch normalisation without a shift, and folds likewise. Those that make a value
    in ``kept`` stay, and take the bias of the operator before them. ``made`` keeps the weights for other readings, which ask again.
    """
    return _Folder(graph, kept, made).fold()


def _shared_weights(graph: EditableGraph) -> frozenset[str]:
    """Keys of tied weights whose users are not all followed by the same normalisation: folding would undo the tie (S4)."""
    constants, following = graph.constants, dict[str, set[object]]()
    for node in graph.nodes:
        if node.kind in ("conv", "matmul"):
            after = graph.readers.get(node.outputs[0], [])
            what = tuple(constants[name].key for name in after[0].inputs if name in constants) if len(after) == 1 else id(node)
            for name in node.inputs[:2]:
                if name in constants:
                    following.setdefault(constants[name].key, set()).add(what)
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

    def __init__(self, graph: EditableGraph, kept: frozenset[str], made: Made) -> None:
        self._graph, self._constants, self._values = graph, graph.constants, graph.values
        self._kept, self._made = kept, made
        self._scaled: list[Scaled] = []
        self._producer = dict(graph.producers)
        self._pieces: set[str] = set()
        self._shared: frozenset[str] = frozenset()
        self._changed: dict[int, tuple[Node, ...]] = {}

    def fold(self) -> tuple[Folded, ...]:
        norms = {node.outputs[0]: norm for node in self._graph.nodes if (norm := norm_of(self._graph, node)) is not None}
        if not norms:
            return ()
        self._shared = _shared_weights(self._graph)
        folded: list[Folded] = []
        for node in self._graph.nodes:
            norm = norms.get(node.outputs[0])
            if norm is not None and node.outputs[0] in self._kept:
                self._keep(node, norm)
                continue
            original = None if norm is None else self._producer.get(norm.x)
            if norm is None or original is None or not self._is_read_once(norm.x):
                continue
            cast, original = self._behind_cast(original)
            self._scaled = []
            into = self._into_pieces(original, norm) if _joins(original, norm.axis) else self._into_one(original, norm)
            if into is not None:
                self._changed[id(node)] = ()
                self._changed.update({} if cast is None else {id(cast): ()})
                self._producer[node.outputs[0]] = original
                folded.append(Folded(node, into, tuple(self._scaled)))
        self._graph.replace(self._changed)
        return tuple(folded)

    def _behind_cast(self, node: Node) -> tuple[Node | None, Node]:
        """A conversion to a wider float, which is free (O11), and the operator before it; the node itself where it is none."""
        if node.kind != "move" or node.attributes["op"] != "cast" or not self._is_read_once(node.inputs[0]):
            return None, node
        before, after = self._values[node.inputs[0]].format, self._values[node.outputs[0]].format
        maker = self._producer.get(node.inputs[0])
        free = before.family == after.family == "float" and before.bits < after.bits <= 32
        return (node, maker) if free and maker is not None and maker.kind in ("conv", "matmul") else (None, node)

    def _is_read_once(self, name: str) -> bool:
        return name in self._pieces or self._graph.is_read_once(name)

    def _now(self, node: Node) -> Node:
        return (self._changed.get(id(node)) or (node,))[0]

    def _into_one(self, original: Node, norm: Affine) -> Node | None:
        target = self._target(self._now(original), norm)
        if target is None:
            return None
        merged = self._merged(target, norm, norm.nodes[-1].outputs[0])
        self._changed[id(original)] = (merged,)
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
            self._changed[id(maker)] = (self._merged(target, piece, names[-1]),)
            self._producer[names[-1]] = maker
            self._pieces.add(names[-1])
        merged = replace(now, inputs=tuple(names), outputs=norm.nodes[-1].outputs)
        self._changed[id(join)] = (merged,)
        return merged

    def _target(self, linear: Node, norm: Affine) -> _Target | None:
        axis = _weight_axis(len(self._values[norm.nodes[-1].outputs[0]].shape), linear, norm.axis)
        at = 1 if linear.kind == "conv" or (len(linear.inputs) > 1 and linear.inputs[1] in self._constants) else 0
        weight = self._constants.get(linear.inputs[at]) if axis is not None else None
        if axis is None or weight is None or weight.key in self._shared or weight.shape[axis] != norm.scale.size or weight.parts:
            return None  # what is stored as parts has no place for a scale
        if weight.codes is not None and weight.codes.block > 1 and weight.codes.axis == axis:
            return None  # nor have blocks that go across the channels
        bias = self._constants.get(linear.inputs[2]) if len(linear.inputs) > 2 and linear.inputs[2] else None
        if len(linear.inputs) > 2 and linear.inputs[2] and (bias is None or bias.numel not in (1, norm.scale.size)):
            return None
        return _Target(linear, at, axis, weight, bias)

    def _merged(self, target: _Target, norm: Affine, name: str) -> Node:
        a, weight, bias = norm.scale, target.weight, target.bias
        weight_id = f"{name}.weight"
        again = id(weight), name, a.tobytes()
        if again not in self._made:
            self._made[again] = Scaled(weight, _times(weight, np.asarray(a), target.axis, name), _output_axes(target))
        self._scaled.append(self._made[again])
        self._constants[weight_id] = self._made[again].after
        operands = [*target.linear.inputs[:2]]
        operands[target.at] = weight_id
        shift = np.asarray((0 if bias is None else values_of(bias).reshape(-1) * a) + (0 if norm.shift is None else norm.shift))
        if shift.any():
            operands.append(self._with_bias(target, norm, shift.astype(np.float32), name))
        return replace(target.linear, inputs=tuple(operands), outputs=(name,))

    def _with_bias(self, target: _Target, norm: Affine, shift: Array, name: str) -> str:
        bias_id, result = f"{name}.bias", self._values[name]
        label = target.bias.label if target.bias is not None else f"{target.weight.label.removesuffix('.weight')}.bias"
        behind = len(result.shape) - 1 - norm.axis
        shape = (shift.size,) if target.linear.kind == "conv" else (shift.size, *(1,) * behind)
        label = label if label.endswith(FOLDED) else label + FOLDED
        self._constants[bias_id] = derived(bias_id, label, shift.reshape(shape), result.format)
        return bias_id

    def _keep(self, node: Node, norm: Affine) -> None:
        """A norm that stays takes the bias of the operator before it: a·(W x + b) + c is a·(W x) + (a·b + c)."""
        original = self._producer.get(norm.x)
        if node.kind != "normalise" or original is None or not self._is_read_once(norm.x):
            return
        target = self._target(self._now(original), norm)
        if target is None or target.bias is None:
            return
        parts = channel_scale_and_shift(node, self._constants)
        assert parts is not None
        scale, shift = parts[0], parts[1] + values_of(target.bias).reshape(-1) * parts[0]
        self._changed[id(original)] = (replace(self._now(original), inputs=target.linear.inputs[:2]),)
        self._changed[id(node)] = (scale_and_shift(node, scale, shift, self._constants),)


def _times(weight: Constant, scale: Array, axis: int, name: str) -> Constant:
    """The weight with one factor for each slice of ``axis``: the values stay where they are, and the factors beside them.

    Slices whose factor is 0 are zeros from here on, as they would be had the file folded them.
    """
    off = scale == 0
    total = scale if weight.row_scale is None else scale * weight.row_scale
    key = f"{weight.key}*{name}"
    if not off.any():
        return replace(weight, row_scale=np.asarray(total), row_axis=axis, key=key)
    shape = [1] * len(weight.shape)
    shape[axis] = -1
    kept = ~off.reshape(shape)
    load, codes = weight.load, weight.codes
    if codes is not None:
        inner = codes.load
        codes = replace(codes, load=lambda: _only(inner(), kept))
    total = np.where(off, 1, total)
    return replace(weight, load=lambda: _only(load(), kept), codes=codes, whole=None, row_scale=total, row_axis=axis, key=key)


def _only(array: Array, kept: Array) -> Array:
    return np.where(kept, array, np.zeros((), array.dtype))


def _output_axes(target: _Target) -> tuple[int, ...]:
    """The axes of the weight that are those of its rows."""
    if target.linear.kind == "conv":
        return (target.axis,)
    labels, out = text(target.linear.attributes, "right" if target.at else "left"), text(target.linear.attributes, "out")
    return tuple(axis for axis, label in enumerate(labels) if label in out)


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

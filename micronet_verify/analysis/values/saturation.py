"""What quantizers cut off at the ends of their range, and which clips in front of them cut off no more (rule O19).

A ReLU in front of a quantizer that starts at 0 changes no code: the quantizer's own end does the same. So the two spellings
have one price: either both cut for nothing, or both pay a compare for each end that values can reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.uses import Readers
from micronet_verify.analysis.values.codes import code_range
from micronet_verify.facts.graph import Graph, Node

Range = tuple[float, float]
_EVERYTHING: Range = (-inf, inf)
_RANGES: Mapping[str, Range] = {
    "relu": (0, inf), "abs": (0, inf), "square": (0, inf), "sqrt": (0, inf), "exp": (0, inf), "softplus": (0, inf),
    "sigmoid": (0, 1), "hard_sigmoid": (0, 1), "tanh": (-1, 1), "erf": (-1, 1), "softsign": (-1, 1), "sin": (-1, 1), "cos": (-1, 1),
}  # fmt: skip
_KEEPING = frozenset({"reshape", "transpose", "identity", "slice", "split", "expand", "tile", "concat", "pad"})


@dataclass(frozen=True, slots=True)
class Saturation:
    """``reached``: by result of a quantizer, how many ends of its range values can lie beyond. ``spared``: by result of a clip, how
    many of its compares the quantizers that read it make unneeded."""

    reached: Mapping[str, int] = field(default_factory=dict)
    spared: Mapping[str, int] = field(default_factory=dict)


NO_SATURATION = Saturation()


@dataclass(frozen=True, slots=True)
class _Ends:
    """The range of a quantizer: values from ``low`` to ``high`` (of all slices) are not cut, and those beyond the outer ones are."""

    low: float
    high: float
    outer_low: float
    outer_high: float


def saturation(graph: Graph, constants: Mapping[str, Constant], readers: Readers) -> Saturation:
    """The facts of one graph, whose constants have been folded. ``readers``: the nodes that read each value."""
    ends = {node.outputs[0]: _ends(node, graph, constants) for node in graph.nodes if node.kind == "quantize"}
    if not ends:
        return NO_SATURATION
    ranges: dict[str, Range] = {}
    reached: dict[str, int] = {}
    for node in graph.nodes:
        if node.kind == "quantize":
            own, (low, high) = ends[node.outputs[0]], ranges.get(node.inputs[0], _EVERYTHING)
            if graph.values[node.outputs[0]].format.is_integer:
                reached[node.outputs[0]] = 2 if own is None else (low < own.low) + (high > own.high)
                if own is not None:
                    ranges[node.outputs[0]] = (own.outer_low, own.outer_high)
        elif (found := _range(node, ranges, constants, graph)) is not None:
            ranges.update(dict.fromkeys(node.outputs, found))
    return Saturation(reached, _spared(graph, constants, ends, readers))


def _ends(node: Node, graph: Graph, constants: Mapping[str, Constant]) -> _Ends | None:
    """The ends of a quantizer's range, half a step further than its codes; ``None`` where the scale is computed."""
    fmt, scale = graph.values[node.outputs[0]].format, constants.get(node.inputs[1])
    zero = constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    if scale is None or not fmt.is_integer or (zero is None and len(node.inputs) > 2 and node.inputs[2]):
        return None
    low, high = code_range(fmt, node.attributes.get("low"), node.attributes.get("high"))  # type: ignore[arg-type]
    steps = np.asarray(scale.load(), np.float64).reshape(-1)
    offset = np.zeros(1) if zero is None else np.asarray(zero.load(), np.float64).reshape(-1)
    if steps.size != offset.size and 1 not in (steps.size, offset.size):
        return None
    least, most = (low - offset) * steps, (high - offset) * steps
    half = steps / 2
    return _Ends(float((least - half).max()), float((most + half).min()), float(least.min()), float(most.max()))


def _range(node: Node, ranges: Mapping[str, Range], constants: Mapping[str, Constant], graph: Graph) -> Range | None:
    """The interval in which all results of a node lie; ``None`` where nothing is known."""
    op = str(node.attributes.get("op", ""))
    x = ranges.get(node.inputs[0], _EVERYTHING) if node.inputs else _EVERYTHING
    if node.kind == "elementwise":
        if (bounds := _bounds(node, constants)) is not None:
            inner = ranges.get(_clipped(node, constants), _EVERYTHING)
            return min(max(inner[0], bounds[0]), bounds[1]), max(min(inner[1], bounds[1]), bounds[0])
        return _RANGES.get(op)
    if node.kind == "softmax":
        return (0, 1) if op == "softmax" else (-inf, 0)
    if node.kind == "dequantize":
        return _dequantized(node, x, constants, graph)
    if node.kind == "move" and op in _KEEPING:
        parts = [ranges.get(name, _EVERYTHING) for name in node.inputs]
        if op == "pad":
            parts.append((float(node.attributes.get("value", 0)),) * 2)  # type: ignore[arg-type]
        return min(low for low, _ in parts), max(high for _, high in parts)
    keeps = node.kind == "permute" or (node.kind in ("pool", "reduce") and op in ("max", "min", "average", "mean"))
    return x if keeps else None


def _dequantized(node: Node, codes: Range, constants: Mapping[str, Constant], graph: Graph) -> Range | None:
    """Codes have the range of the numbers that they were quantized from; others that of their format."""
    scale, fmt = constants.get(node.inputs[1]), graph.values[node.inputs[0]].format
    if codes != _EVERYTHING or scale is None or not fmt.is_integer:
        return codes
    zero = constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    steps = np.asarray(scale.load(), np.float64).reshape(-1)
    offset = 0.0 if zero is None else np.asarray(zero.load(), np.float64).reshape(-1)
    low, high = code_range(fmt, None, None)
    return float(np.min((low - offset) * steps)), float(np.max((high - offset) * steps))


def _clipped(node: Node, constants: Mapping[str, Constant]) -> str:
    return next((name for name in node.inputs if name not in constants), "")


def _bounds(node: Node, constants: Mapping[str, Constant]) -> Range | None:
    """The ends at which a node cuts off; ``None`` for what is no clip."""
    op = node.attributes.get("op")
    if op == "relu":
        return 0, inf
    if op == "clip":
        low, high = node.attributes.get("low"), node.attributes.get("high")
        return -inf if low is None else float(low), inf if high is None else float(high)  # type: ignore[arg-type]
    if op in ("max", "min") and len(node.inputs) == 2:
        numbers = [constants[name] for name in node.inputs if name in constants]
        if len(numbers) == 1 and numbers[0].numel == 1 and numbers[0].row_scale is None:
            return (numbers[0].number, inf) if op == "max" else (-inf, numbers[0].number)
    return None


def _spared(graph: Graph, constants: Mapping[str, Constant], ends: Mapping[str, _Ends | None], readers: Readers) -> dict[str, int]:
    """Backwards: between which numbers everybody who reads a value tells values apart. What a clip cuts off beyond is cut off anyway."""
    told: dict[str, Range] = {}
    spared, outputs = dict[str, int](), set(graph.outputs)
    for node in reversed(graph.nodes):
        found = [_told(name, readers.get(name, ()), told, ends, outputs) for name in node.outputs]
        own = min(low for low, _ in found), max(high for _, high in found)
        bounds = (
            (0.0, 1.0) if node.attributes.get("op") == "hard_sigmoid" else _bounds(node, constants) if node.kind == "elementwise" else None
        )
        if bounds is not None:
            cuts = (bounds[0] > -inf and bounds[0] <= own[0]) + (bounds[1] < inf and bounds[1] >= own[1])
            if cuts:
                spared[node.outputs[0]] = cuts
        monotone = (bounds is not None and node.attributes["op"] != "hard_sigmoid") or node.kind == "permute"
        monotone = monotone or (node.kind == "move" and node.attributes["op"] in _KEEPING)
        if monotone or (node.kind in ("pool", "reduce") and node.attributes["op"] in ("max", "min")):
            told.update(dict.fromkeys(node.outputs, own))
    return spared


def _told(name: str, readers: Sequence[Node], told: Mapping[str, Range], ends: Mapping[str, _Ends | None], outputs: set[str]) -> Range:
    if name in outputs or not readers:
        return _EVERYTHING
    found: list[Range] = []
    for reader in readers:
        if reader.kind == "quantize" and reader.inputs[0] == name and reader.inputs[1:].count(name) == 0:
            own = ends[reader.outputs[0]]
            if own is None:
                return _EVERYTHING
            half_low, half_high = own.low - own.outer_low, own.high - own.outer_high
            found.append((own.outer_low + abs(half_low), own.outer_high - abs(half_high)))
        elif reader.outputs and reader.outputs[0] in told:
            found.append(told[reader.outputs[0]])
        else:
            return _EVERYTHING
    return min(low for low, _ in found), max(high for _, high in found)

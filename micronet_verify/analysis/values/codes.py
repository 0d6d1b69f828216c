"""Follows codes and sums of them: which dequantizers rescale, which quantizers change no value, which adds accumulate (O2, O8, O12).

Codes are made by one scale. Dequantized by another, a computed value is rescaled, and that is a multiply. A quantizer whose
operand lies on its grid already, within its range, changes no value: it proves nothing narrow that was wide before. Adds
among parts of one result are its accumulation, in however many nodes they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite, prod
from typing import NamedTuple

import numpy as np

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.shapes import integer, ints

_MOST_LOOKED_AT = 1 << 20
_CHOOSING = frozenset({"max", "min"})


class Steps(NamedTuple):
    """A value that is ``scale`` times a whole number from ``low`` to ``high``."""

    low: int
    high: int
    scale: Fraction

    @property
    def reach(self) -> int:
        """The largest magnitude of the whole number."""
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """``rescaled``: results of dequantizers with another scale than the codes have. ``unchanged``: results of dequantizers that
    equal what was quantized, by its name. ``accumulated``: sums of parts of one result."""

    rescaled: frozenset[str] = frozenset()
    unchanged: Mapping[str, str] = field(default_factory=dict)
    accumulated: frozenset[str] = frozenset()


NO_CODES = CodeFacts()


def code_range(fmt: NumericFormat, low: float | None, high: float | None) -> tuple[int, int]:
    """The least and greatest code of an integer format, narrowed where a clip says so."""
    if fmt.family == "int":
        least, most = -(2 ** (fmt.bits - 1)), 2 ** (fmt.bits - 1) - 1
    else:
        least, most = 0, 2**fmt.bits - 1
    return max(least, least if low is None else int(low)), min(most, most if high is None else int(high))


def zero_points(node: Node, constants: Mapping[str, Constant]) -> tuple[int, int]:
    """The least and the greatest zero point, which a code loses before it is multiplied."""
    zero = constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
    if zero is None:
        return 0, 0
    found = zero.load()
    return int(found.min()), int(found.max())


def one_scale(node: Node, values: Mapping[str, Value], constants: Mapping[str, Constant]) -> str | None:
    """A name for the one scale of all codes, or ``None`` where slices have scales of their own: those stay inside a sum."""
    scale = constants.get(node.inputs[1])
    if scale is None:
        one = integer(node.attributes, "axis", -1) < 0 or (node.inputs[1] in values and values[node.inputs[1]].numel == 1)
        return node.inputs[1] if one else None
    found = scale.load().reshape(-1)
    return repr(float(found[0])) if found.size and (found == found[0]).all() else None


def follow_codes(graph: Graph, constants: Mapping[str, Constant]) -> CodeFacts:
    """The facts of one graph, whose constants have been folded."""
    follower = _Follower(graph, constants)
    for node in graph.nodes:
        follower.read(node)
    return follower.facts()


class _Follower:
    """Reads nodes in order. ``_root`` names the result of which a value is a part, or a sum of parts."""

    def __init__(self, graph: Graph, constants: Mapping[str, Constant]) -> None:
        self._values, self._constants = graph.values, constants
        self._scale: dict[str, str | None] = {}
        self._range: dict[str, tuple[int, int]] = {}
        self._same: dict[str, str] = {}
        self._asked: dict[str, list[tuple[str, str]]] = {}
        self._codes: dict[str, str] = {}
        self._root: dict[str, str] = {}
        self._steps: dict[str, Steps] = {}
        self._rescaled: set[str] = set()
        self._unchanged: dict[str, str] = {}
        self._accumulated: set[str] = set()

    def facts(self) -> CodeFacts:
        for asked in self._asked.values():
            if len({scale for _, scale in asked}) > 1:  # codes of nobody's scale, read by several: a multiply by each
                self._rescaled.update(name for name, _ in asked)
        return CodeFacts(frozenset(self._rescaled), self._unchanged, frozenset(self._accumulated))

    def read(self, node: Node) -> None:
        varying = [name for name in node.inputs if name and name not in self._constants]
        if node.kind == "quantize":
            self._quantized(node)
        elif node.kind == "dequantize" and varying:
            self._dequantized(node)
        elif node.kind in ("move", "permute") and varying:
            self._moved(node, varying)
        elif node.kind == "elementwise" and varying:
            self._computed(node, varying)
        elif node.kind in ("pool", "reduce") and node.attributes["op"] in (_CHOOSING | {"sum"}):
            self._reduced(node)

    def _quantized(self, node: Node) -> None:
        result, x = node.outputs[0], node.inputs[0]
        fmt, scale = self._values[result].format, one_scale(node, self._values, self._constants)
        self._scale[result], self._codes[result] = scale, result
        if not fmt.is_integer or x in self._constants:
            return
        low, high = node.attributes.get("low"), node.attributes.get("high")
        self._range[result] = code_range(fmt, low, high)  # type: ignore[arg-type]
        steps, own = self._steps.get(x), _fraction(scale)
        least, most = zero_points(node, self._constants)
        if steps is None or own is None or least != most or node.inputs[1] not in self._constants:
            return
        times, (lowest, highest) = steps.scale / own, self._range[result]
        if times.denominator == 1 and lowest <= steps.low * times + least and steps.high * times + least <= highest:
            self._same[result] = x

    def _dequantized(self, node: Node) -> None:
        codes, result = node.inputs[0], node.outputs[0]
        root, scale = self._codes.get(codes, codes), one_scale(node, self._values, self._constants)
        if scale is not None:
            if self._scale.get(root) is not None and root in self._scale:
                if scale != self._scale[root]:
                    self._rescaled.add(result)
            elif root not in self._scale:
                self._asked.setdefault(root, []).append((result, scale))
        original = self._same.get(root)
        self._root[result] = self._root.get(original, original) if original is not None else root
        fmt = self._values[codes].format
        if original is not None and scale == self._scale.get(root):
            self._unchanged[result] = original
            self._steps[result] = self._steps[original]
        elif fmt.is_integer and (number := _fraction(scale)) is not None and node.inputs[1] in self._constants:
            low, high = self._range.get(root, code_range(fmt, None, None))
            least, most = zero_points(node, self._constants)
            self._steps[result] = Steps(low - most, high - least, number)

    def _moved(self, node: Node, varying: list[str]) -> None:
        codes = {self._codes.get(name, name) for name in varying}
        roots = {self._root.get(name, name) for name in varying}
        steps = self._joined(node, varying)
        for result in node.outputs:
            if len(codes) == 1 and self._values[result].format.is_integer:
                self._codes[result] = next(iter(codes))
            if len(roots) == 1 and len(varying) == len(node.inputs) - (node.kind == "permute" and len(node.inputs) > 1):
                self._root[result] = next(iter(roots))
            if steps is not None:
                self._steps[result] = steps

    def _joined(self, node: Node, varying: list[str]) -> Steps | None:
        """What moved values have in common; a padding adds zeros."""
        found = [self._steps.get(name) for name in varying]
        known = [steps for steps in found if steps is not None]
        op = node.attributes.get("op")
        if len(known) < len(node.inputs) - (node.kind == "permute" and len(node.inputs) > 1) or len({steps.scale for steps in known}) > 1:
            return None
        if op == "pad" and node.attributes.get("value", 0) != 0:
            return None
        if op == "cast" and self._values[node.outputs[0]].format.family != "float":
            return None
        low, high = min(steps.low for steps in known), max(steps.high for steps in known)
        return Steps(min(low, 0), max(high, 0), known[0].scale) if op == "pad" else Steps(low, high, known[0].scale)

    def _computed(self, node: Node, varying: list[str]) -> None:
        op, result = str(node.attributes["op"]), node.outputs[0]
        roots = {self._root.get(name, name) for name in varying}
        scaled = len(varying) == 1 and (op == "mul" or (op == "div" and varying[0] == node.inputs[0]))
        linear = op in ("add", "sub", "neg") or scaled
        if linear and len(roots) == 1:
            self._root[result] = next(iter(roots))
            if len(varying) > 1:
                self._accumulated.add(result)
        steps = self._stepped(op, node, [self._steps.get(name) for name in varying])
        if steps is not None:
            self._steps[result] = steps

    def _stepped(self, op: str, node: Node, found: list[Steps | None]) -> Steps | None:
        if any(steps is None for steps in found):
            return None
        known = [steps for steps in found if steps is not None]
        first = known[0]
        if len(known) == len(node.inputs) == 1:
            if op == "neg":
                return Steps(-first.high, -first.low, first.scale)
            if op == "relu":
                return Steps(max(first.low, 0), max(first.high, 0), first.scale)
            return Steps(0, first.reach, first.scale) if op == "abs" else None
        if len(known) == len(node.inputs) == 2 and known[1].scale == first.scale:
            second = known[1]
            if op == "add":
                return Steps(first.low + second.low, first.high + second.high, first.scale)
            if op == "sub":
                return Steps(first.low - second.high, first.high - second.low, first.scale)
            return Steps(min(first.low, second.low), max(first.high, second.high), first.scale) if op in _CHOOSING else None
        if op == "mul" and len(known) == 1 and len(node.inputs) == 2:
            size = self._one_magnitude(next((name for name in node.inputs if name in self._constants), ""))
            return None if size is None else Steps(-first.reach, first.reach, first.scale * size)
        return None

    def _one_magnitude(self, name: str) -> Fraction | None:
        """The magnitude that all values of a constant have (a weight of signs)."""
        constant = self._constants.get(name)
        if constant is None or not 0 < constant.numel <= _MOST_LOOKED_AT or constant.row_scale is not None:
            return None
        sizes = np.abs(np.asarray(constant.load(), np.float64)).reshape(-1)
        return Fraction(float(sizes[0])) if isfinite(sizes[0]) and sizes[0] > 0 and bool((sizes == sizes[0]).all()) else None

    def _reduced(self, node: Node) -> None:
        steps = self._steps.get(node.inputs[0])
        if steps is None or (node.kind == "pool" and node.attributes["op"] != "max"):
            return
        if node.attributes["op"] == "sum":
            shape = self._values[node.inputs[0]].shape
            many = prod(shape[axis] for axis in ints(node.attributes, "axes"))
            steps = Steps(steps.low * many, steps.high * many, steps.scale)
        self._steps[node.outputs[0]] = steps


def _fraction(scale: str | None) -> Fraction | None:
    """The number that a scale's name spells, if it is a constant's."""
    try:
        number = float(scale) if scale is not None else 0.0
    except ValueError:
        return None
    return Fraction(number) if isfinite(number) and number > 0 else None

"""What the arithmetic may ask about a node's operands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.measurements import Measurements
from micronet_verify.analysis.values.codes import NO_CODES, CodeFacts
from micronet_verify.analysis.values.masked_elements import NOTHING_HIDDEN, Hidden, count_kept
from micronet_verify.analysis.values.saturation import NO_SATURATION, Saturation
from micronet_verify.analysis.values.width import Width, format_width
from micronet_verify.facts.graph import Node, Shape, Value
from micronet_verify.track.rules import CountingRules

_MEETING = frozenset("add sub max min where equal not_equal less less_equal greater greater_equal".split())


@dataclass(frozen=True)
class Operands:
    """The operands of the nodes of one graph: shapes, constants with their measured facts, widths.

    ``measured`` is shared by all readings of a model. ``given`` are integers that the model was given; ``whole`` the floats
    that are rounded already; ``hidden`` what constant masks spare; ``codes`` what is known of codes and sums of them;
    ``saturation`` what quantizers cut off.
    """

    values: Mapping[str, Value]
    constants: Mapping[str, Constant]
    widths: Mapping[str, Width]
    measured: Measurements
    rules: CountingRules
    given: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    hidden: Hidden = NOTHING_HIDDEN
    codes: CodeFacts = NO_CODES
    saturation: Saturation = NO_SATURATION

    def shape(self, name: str) -> Shape:
        constant = self.constants.get(name)
        return constant.shape if constant is not None else self.values[name].shape

    def output(self, node: Node) -> Value:
        return self.values[node.outputs[0]]

    def computed(self, node: Node) -> int:
        """Elements of the result that have to be computed: all but those that a constant mask hides (O15)."""
        result, kept = self.output(node), self.hidden.computed.get(node.outputs[0])
        return result.numel if kept is None else count_kept(kept, result.shape)

    def constant(self, name: str, axes: tuple[int, ...] = ()) -> Measured | None:
        """Measured facts of a constant operand with its output-channel ``axes``; ``None`` if it is computed."""
        constant = self.constants.get(name)
        return None if constant is None else self.measured.of(constant, axes)

    def width(self, name: str, axes: tuple[int, ...] = ()) -> Width:
        """The operand's width in the quantized regime: measured for a constant, propagated for an activation."""
        measured = self.constant(name, axes)
        if measured is None:
            if self.rules.activation_bits != "measured":
                return Width(self.rules.activation_bits, True)
            return self.widths.get(name) or format_width(self.values[name].format)
        grid = measured.grid
        if grid is not None and grid.multiply_bits < measured.constant.format.bits:
            return Width(grid.multiply_bits, grid.sign_only, grid.low, grid.high)
        # A scalar or another small constant never makes an operation wider than the activation it meets.
        bits = measured.constant.format.bits if measured.constant.numel > 1 else 1
        return Width(bits, measured.constant.format.stand_alone_sign)

    def widest(self, node: Node) -> int:
        """Bits of the widest operand (rule O2); 1 for a node of literals alone."""
        bits = 0
        if node.kind == "elementwise" and not self._aligned(node):
            bits = max(self.values[name].format.bits for name in node.inputs if name not in self.constants)
        # Constants come last: where nothing can make them the widest, their values are not asked for.
        for name in sorted(filter(None, node.inputs), key=self.constants.__contains__):
            if name not in self.constants or self.constants[name].format.bits > bits:
                bits = max(bits, self.width(name).bits)
        return bits or 1

    def _aligned(self, node: Node) -> bool:
        """Whether codes can be added or compared as they are: of one scale, or by 0. Others meet as the numbers that they stand for."""
        if node.attributes["op"] not in _MEETING or self.rules.activation_bits != "measured":
            return True
        names = node.inputs[1:] if node.attributes["op"] == "where" else node.inputs
        varying = [self.width(name) for name in dict.fromkeys(names) if name not in self.constants]
        if not any(width.scale for width in varying):
            return True  # nothing is narrower than its format because a scale was taken out
        constants = [self.constants[name] for name in names if name in self.constants]
        return len({width.scale for width in varying}) == 1 and all(item.numel == 1 for item in constants)

    def inner(self, node: Node) -> int:
        """Bits of what a node computes on the way to its result: nobody quantized it, so it has the result's format."""
        knob = self.rules.activation_bits
        return max(self.output(node).format.bits if knob == "measured" else knob, self.widest(node))

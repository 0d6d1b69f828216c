"""(c): no accumulator that was granted few bits overflows (O12), in whatever order its products are added.

All partial sums of an output lie between the sum of its negative products and the sum of its positive ones. Both are computed from the
integers that meet in the operator: codes of the activation as it runs, and the weight's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.values.accumulator_widths import codes_of, signed_bits
from micronet_verify.analysis.values.width import Width
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Node, Value
from micronet_verify.interpreter.kinds import FUNCTIONS
from micronet_verify.interpreter.node_call import Array, call_of


@dataclass(frozen=True, slots=True)
class Accumulator:
    """Of one linear operator: the ``bits`` that its sums are granted; its ``weight`` is operand ``at``, the other has this ``width``."""

    bits: int
    at: int
    weight: Measured
    width: Width
    result: Value


@dataclass
class Sums:
    """``granted``: accumulators by the first result of their node. Operands are kept as long as a node will ask for them."""

    granted: Mapping[str, Accumulator]
    read: frozenset[str]
    _kept: dict[str, Array] = field(default_factory=dict)
    _codes: dict[str, Array] = field(default_factory=dict)

    def see(self, node: Node, results: tuple[Array, ...], scale_of: Callable[[Width], float | None]) -> str:
        """What is wrong with the sums of ``node``, or an empty string."""
        found = self.granted.get(node.outputs[0])
        told = "" if found is None else self._told(node, found, scale_of)
        for name, result in zip(node.outputs, results, strict=False):
            if name in self.read:
                self._kept[name] = result
        return told

    def _told(self, node: Node, found: Accumulator, scale_of: Callable[[Width], float | None]) -> str:
        x, scale = self._kept.get(node.inputs[1 - found.at]), scale_of(found.width)
        if x is None or scale is None:
            return ""
        codes, weight = np.rint(x.astype(np.float64) / scale), self._weight(node, found)
        if weight is None:
            return ""
        up, down = np.maximum(codes, 0), np.maximum(-codes, 0)
        more, less = np.maximum(weight, 0), np.maximum(-weight, 0)
        most = (_run(node, found, up, more) + _run(node, found, down, less)).max(initial=0)
        least = -(_run(node, found, up, less) + _run(node, found, down, more)).max(initial=0)
        needed = signed_bits(int(least), int(most))
        if needed <= found.bits:
            return ""
        return f"sums of codes from {int(least):,} to {int(most):,}, which take {needed} bits in an accumulator of {found.bits}"

    def _weight(self, node: Node, found: Accumulator) -> Array | None:
        """The codes of a weight in its shape."""
        key = node.outputs[0]
        if key not in self._codes:
            blocks = codes_of(found.weight)
            if blocks is None:
                return None
            shape, axes = found.weight.constant.shape, found.weight.axes
            order = (*axes, *(axis for axis in range(len(shape)) if axis not in axes))
            rows = np.concatenate(list(blocks)).reshape([shape[axis] for axis in order])
            self._codes[key] = rows.transpose(np.argsort(order)).astype(np.float64)
        return self._codes[key]


def _run(node: Node, found: Accumulator, x: Array, weight: Array) -> Array:
    """The operator without its bias, on whole numbers in float64."""
    double = numeric_format("float64")
    alone = replace(node, inputs=node.inputs[:2])
    call = call_of(alone, (double, double), (replace(found.result, format=double),), True)
    result = FUNCTIONS[node.kind](call, (weight, x) if found.at == 0 else (x, weight))
    return np.asarray(result[0] if isinstance(result, tuple) else result)

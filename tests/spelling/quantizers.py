"""Quantized weights, and nodes that quantize, shared by the tests of quantized spellings."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.plugins.onnx.support import node

QONNX, CONTRIB = "qonnx.custom_op.general", "com.microsoft"
Nodes = list[onnx.NodeProto]


def codes(bits: int, *shape: int) -> NDArray[np.int8]:
    """Weights of all widths up to ``bits``, with no common divisor and no zero in any row."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    found = np.random.default_rng(bits).integers(low, high + 1, shape).astype(np.int8)
    found[found == 0] = 1
    rows = found.reshape(shape[0], -1)
    rows[:, 0], rows[:, 1], rows[:, 2] = low, high, high - 1
    return found


def quant(inputs: str, output: str, signed: int = 1) -> onnx.NodeProto:
    return node("Quant", inputs, output, QONNX, signed=signed, narrow=0, rounding_mode="ROUND")


def used(nodes: Nodes, constants: dict[str, Any]) -> dict[str, Any]:
    """The constants that these nodes read."""
    names = {name for each in nodes for name in each.input}
    return {name: array for name, array in constants.items() if name in names}

"""A local response norm is one operator in ONNX and arithmetic in PyTorch: one price (rule O4)."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from tests.plugins.onnx.support import node
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, pytorch

SHAPE, SIZE = (8, 4, 4), 5
N = 8 * 4 * 4
# A square, an average of five, ·α, + k, the power, the divide; α, β and k, of which fp32 and fp16 hold the first two, 2 bits the last.
PRICE = Plain(N * (1 + 1 + 1 + 1 + 1), N * (SIZE - 1 + 1), scalars=(32, 16, 8))

WRITTEN = [
    node("Mul", "x x", "squares"),
    node("Unsqueeze", "squares one", "u"),
    node("Pad", "u pads zero", "p"),
    node("AveragePool", "p", "a", kernel_shape=[SIZE, 1, 1]),
    node("Squeeze", "a one", "s"),
]
WRITTEN += [node("Mul", "s alpha", "t"), node("Add", "t two", "v"), node("Pow", "v beta", "w"), node("Div", "x w")]
NUMBERS = {
    "one": np.array([1]),
    "pads": np.array([0, 0, 2, 0, 0, 0, 0, 2, 0, 0]),
    "zero": np.float32(0),
    "alpha": np.float32(1e-4),
    "two": np.float32(2),
    "beta": np.float32(0.75),
}


@pytest.mark.parametrize("spelling", ["module", "operator", "written"])
def test_a_local_response_norm(spelling: str) -> None:
    if spelling == "module":
        count = pytorch(nn.LocalResponseNorm(SIZE, 1e-4, 0.75, 2.0), SHAPE)
    elif spelling == "operator":
        count = onnx_count(onnx_model([node("LRN", "x", size=SIZE, alpha=1e-4, beta=0.75, bias=2.0)], SHAPE))
    else:
        count = onnx_count(onnx_model(WRITTEN, SHAPE, NUMBERS))
    assert prices(count) == PRICE.prices

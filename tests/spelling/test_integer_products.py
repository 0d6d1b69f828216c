"""Products of integers, binary weights and blocks, as ONNX, onnxruntime and QONNX spell them: one ledger total each."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from tests.plugins.onnx.support import node
from tests.spelling.counted import onnx_count, onnx_model, prices, quantized
from tests.spelling.quantizers import CONTRIB, QONNX, Nodes, codes, quant, used

F = np.float32
XS = F(0.02)

# A product of 8-bit values with one scale for the weights, and its answer in 8 bits.
W5 = codes(8, 16, 5)
EIGHT: dict[str, Any] = {
    "xs": XS, "z": np.int8(0), "w": W5, "ws": F(0.011), "ys": F(0.3), "product": F(XS * F(0.011)), "wf": W5 * F(0.011),
    "none": F(0), "eight": F(8),
}  # fmt: skip
Q, D = node("QuantizeLinear", "x xs z", "q"), node("DequantizeLinear", "q xs z", "d")
BACK = [node("QuantizeLinear", "m ys z", "r"), node("DequantizeLinear", "r ys z")]
MATMUL: dict[str, Nodes] = {
    "QDQ": [Q, D, node("DequantizeLinear", "w ws", "v"), node("MatMul", "d v", "m"), *BACK],
    "weights in float": [Q, D, node("MatMul", "d wf", "m"), *BACK],
    "QLinearMatMul": [Q, node("QLinearMatMul", "q xs z w ws z ys z", "r"), BACK[1]],
    "MatMulInteger": [
        Q,
        node("MatMulInteger", "q w", "i"),
        node("Cast", "i", "f", to=TensorProto.FLOAT),
        node("Mul", "f product", "m"),
        *BACK,
    ],
    "MatMulInteger, two Muls": [
        Q,
        node("MatMulInteger", "q w z z", "i"),
        node("Cast", "i", "f", to=TensorProto.FLOAT),
        node("Mul", "f xs", "l"),
        node("Mul", "l ws", "m"),
        *BACK,
    ],
    "MatMulIntegerToFloat": [Q, node("MatMulIntegerToFloat", "q w xs ws", "m", CONTRIB), *BACK],
    "QONNX": [quant("x xs none eight", "d"), quant("wf ws none eight", "v"), node("MatMul", "d v", "m"), quant("m ys none eight", "y")],
}


@pytest.mark.parametrize("spelling", MATMUL)
def test_an_8_bit_product(spelling: str) -> None:
    nodes = MATMUL[spelling]
    expected = quantized(storage_bits=80 * 8 + 32 + 2 * 32, operation_bits=80 * 8 + 5 * 15 * 32)
    assert prices(onnx_count(onnx_model(nodes, (16,), used(nodes, EIGHT), opset=19))) == expected


MEASURED = node("DynamicQuantizeLinear", "x", "q s zp")
DYNAMIC: dict[str, Nodes] = {
    "DynamicQuantizeLinear, MatMulInteger": [
        MEASURED,
        node("MatMulInteger", "q w zp", "i"),
        node("Cast", "i", "f", to=TensorProto.FLOAT),
        node("Mul", "s ws", "both"),
        node("Mul", "f both"),
    ],
    "DynamicQuantizeLinear, QDQ": [
        MEASURED,
        node("DequantizeLinear", "q s zp", "d"),
        node("DequantizeLinear", "w ws", "v"),
        node("MatMul", "d v"),
    ],
    "DynamicQuantizeMatMul": [node("DynamicQuantizeMatMul", "x w ws", "y", CONTRIB)],
}


@pytest.mark.parametrize("spelling", DYNAMIC)
def test_a_range_measured_from_the_data_is_work(spelling: str) -> None:
    """Greatest and least of 16, each against 0; (high − low)/255; −low/scale, clipped and rounded: at 32 bits."""
    nodes = DYNAMIC[spelling]
    measured = 32 * (2 * 15 + 2 + (1 + 1) + (1 + 2 + 1))
    expected = quantized(storage_bits=80 * 8 + 32 + 16, operation_bits=80 * 8 + 5 * 15 * 32 + measured)
    assert prices(onnx_count(onnx_model(nodes, (16,), used(nodes, EIGHT)))) == expected


# Binary weights ±0.3 times fp32: the sign flips, for one bit (O3).
SIGNS = np.where(np.random.default_rng(9).random((16, 5)) < 0.5, -1, 1).astype(F)
BINARY_CONSTANTS = {"w": SIGNS, "w8": SIGNS.astype(np.int8), "s": F(0.3), "wf": SIGNS * F(0.3), "none": F(0), "two": F(2)}
BINARY: dict[str, tuple[Nodes, bool]] = {
    "BipolarQuant": ([node("BipolarQuant", "w s", "v", QONNX), node("MatMul", "x v")], True),
    "Quant, narrow": ([node("Quant", "wf s none two", "v", QONNX, signed=1, narrow=1), node("MatMul", "x v")], True),
    "DequantizeLinear": ([node("DequantizeLinear", "w8 s", "v"), node("MatMul", "x v")], True),
    "Sign times scale": ([node("Sign", "w", "g"), node("Mul", "g s", "v"), node("MatMul", "x v")], False),
    "in float": ([node("MatMul", "x wf")], False),
}


@pytest.mark.parametrize("spelling", BINARY)
def test_binary_weights(spelling: str) -> None:
    nodes, quantizes = BINARY[spelling]
    count = onnx_count(onnx_model(nodes, (16,), used(nodes, BINARY_CONSTANTS)))
    expected = quantized(storage_bits=80 * 1 + 32, operation_bits=80 * 1 + 5 * 15 * 32)
    assert {regime: price for regime, price in prices(count).items() if regime == "quantized"} == expected
    assert ("freebie" not in count.ledgers) == quantizes, "only what quantizes forfeits the freebie"


# 4-bit weights with a scale for every block of 16, times fp32.
BLOCKS = np.random.default_rng(11).uniform(0.01, 0.09, (5, 2)).astype(F)
W32 = codes(4, 5, 32)


def packed(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Codes 0 to 15, two to a byte, the first in the low bits: [N, blocks, bytes]."""
    unsigned = (values + 8).astype(np.uint8).reshape(5, 2, 8, 2)
    return np.asarray(unsigned[..., 0] | (unsigned[..., 1] << 4))


def test_blocks_of_4_bits_as_MatMulNBits_and_as_DequantizeLinear() -> None:
    nbits = [node("MatMulNBits", "x p s", "y", CONTRIB, K=32, N=5, bits=4, block_size=16)]
    found = onnx_count(onnx_model(nbits, (32,), {"p": packed(W32), "s": BLOCKS.reshape(-1)}))
    blocks = [node("DequantizeLinear", "w s", "v", axis=1, block_size=16), node("Gemm", "x v", transB=1)]
    tensors = [numpy_helper.from_array(W32.astype(ml_dtypes.int4), "w")]
    other = onnx_count(onnx_model(blocks, (32,), {"s": BLOCKS}, opset=21, tensors=tensors))
    assert prices(found) == prices(other) == quantized(160 * 4 + 10 * 32, operation_bits=160 * 32 + 5 * 31 * 32)

"""One quantized network in every spelling of its quantization, in ONNX and in PyTorch: one ledger total."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed.*
from onnx import NodeProto, TensorProto, numpy_helper
from torch import Tensor
from torch.nn import functional

from tests.plugins.onnx.support import node
from tests.spelling.counted import onnx_count, onnx_model, prices, pytorch, quantized
from tests.spelling.quantizers import Nodes, codes, quant, used

F = np.float32
PT2E = torch.ops.quantized_decomposed


# A convolution of 3 to 4 channels, 3×3, on 6×6: 8-bit activations with a zero point, 8-bit weights with a scale per channel.
W8 = codes(8, 4, 3, 3, 3)
STEPS = np.array([0.0031, 0.0047, 0.0059, 0.0071], F)
BIAS = np.array([-417, 92, 311, -55], np.int32)
XS, XZ, YS, YZ = F(0.02), np.uint8(3), F(0.05), np.uint8(0)
WF, BF = W8 * STEPS.reshape(4, 1, 1, 1), (BIAS * (STEPS * XS)).astype(F)
IN, OUT = [node("QuantizeLinear", "x xs xz", "q"), node("DequantizeLinear", "q xs xz", "d")], node("DequantizeLinear", "r ys yz")
ANSWER = [node("QuantizeLinear", "c ys yz", "r"), OUT]
CONSTANTS: dict[str, Any] = {
    "xs": XS, "xz": XZ, "ys": YS, "yz": YZ, "w": W8, "ws": STEPS, "wz": np.zeros(4, np.int8), "wf": WF, "b": BIAS, "bs": STEPS * XS,
    "bf": BF, "bf3": BF.reshape(4, 1, 1), "product": (STEPS * XS).reshape(4, 1, 1), "ws3": STEPS.reshape(4, 1, 1),
    "ws4": STEPS.reshape(4, 1, 1, 1), "three": F(3), "none": F(0), "eight": F(8),
}  # fmt: skip


def convolved(*scaling: NodeProto) -> Nodes:
    """A convolution of codes; ``scaling`` makes m of its sums f in float."""
    product = [IN[0], node("ConvInteger", "q w xz", "i"), node("Cast", "i", "f", to=TensorProto.FLOAT)]
    return [*product, *scaling, node("Add", "m bf3", "c"), *ANSWER]


CONV: dict[str, Nodes] = {
    "QDQ": [
        *IN,
        node("DequantizeLinear", "w ws wz", "v", axis=0),
        node("DequantizeLinear", "b bs", "e", axis=0),
        node("Conv", "d v e", "c"),
        *ANSWER,
    ],
    "QDQ, bias in float": [*IN, node("DequantizeLinear", "w ws", "v", axis=0), node("Conv", "d v bf", "c"), *ANSWER],
    "QDQ of float weights": [
        *IN,
        node("QuantizeLinear", "wf ws wz", "u", axis=0),
        node("DequantizeLinear", "u ws wz", "v", axis=0),
        node("Conv", "d v bf", "c"),
        *ANSWER,
    ],
    "weights in float, on their grid": [*IN, node("Conv", "d wf bf", "c"), *ANSWER],
    "QLinearConv": [IN[0], node("QLinearConv", "q xs xz w ws wz ys yz b", "r"), OUT],
    "ConvInteger": convolved(node("Mul", "f product", "m")),
    "ConvInteger, two Muls": convolved(node("Mul", "f ws3", "l"), node("Mul", "xs l", "m")),
    "ConvInteger, Mul of scales": convolved(node("Mul", "xs ws3", "s"), node("Mul", "f s", "m")),
    "QONNX": [
        quant("x xs three eight", "d", 0),
        quant("wf ws4 none eight", "v"),
        node("Conv", "d v bf", "c"),
        quant("c ys none eight", "y", 0),
    ],
}


# 16 positions of 108 products at 8 bits; sums and biases at 32.
CONVOLVED = quantized(
    storage_bits=108 * 8 + 4 * 32 + 4 * 32 + (2 * 32 + 8),  # weights, their scales, biases; two steps and the zero point 3 (B14)
    operation_bits=16 * 108 * 8 + 16 * (108 - 4) * 32 + 16 * 4 * 32,
)


@pytest.mark.parametrize("spelling", CONV)
def test_an_8_bit_convolution(spelling: str) -> None:
    nodes = CONV[spelling]
    assert prices(onnx_count(onnx_model(nodes, (3, 6, 6), used(nodes, CONSTANTS), opset=19))) == CONVOLVED


def _fake(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    x = torch.fake_quantize_per_tensor_affine(x, float(XS), 3, 0, 255)
    w = torch.fake_quantize_per_channel_affine(w, torch.tensor(STEPS), torch.zeros(4, dtype=torch.int32), 0, -128, 127)
    return torch.fake_quantize_per_tensor_affine(functional.conv2d(x, w, b), float(YS), 0, 0, 255)


def _fake_with_tensors(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    x = torch.fake_quantize_per_tensor_affine(x, torch.tensor(XS), torch.tensor(3, dtype=torch.int32), 0, 255)
    w = torch.fake_quantize_per_channel_affine(w, torch.tensor(STEPS), torch.zeros(4, dtype=torch.int32), 0, -128, 127)
    return torch.fake_quantize_per_tensor_affine(functional.conv2d(x, w, b), float(YS), 0, 0, 255)


def _pt2e(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    q = PT2E.quantize_per_tensor(x, float(XS), 3, 0, 255, torch.uint8)
    x = PT2E.dequantize_per_tensor(q, float(XS), 3, 0, 255, torch.uint8)
    w = PT2E.dequantize_per_channel(torch.tensor(W8), torch.tensor(STEPS), torch.zeros(4, dtype=torch.int64), 0, -128, 127, torch.int8)
    r = PT2E.quantize_per_tensor(functional.conv2d(x, w, b), float(YS), 0, 0, 255, torch.uint8)
    return PT2E.dequantize_per_tensor(r, float(YS), 0, 0, 255, torch.uint8)


def _codes_times_steps(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    x = torch.fake_quantize_per_tensor_affine(x, float(XS), 3, 0, 255)
    y = functional.conv2d(x, torch.tensor(W8).float() * torch.tensor(STEPS)[:, None, None, None], b)
    return torch.fake_quantize_per_tensor_affine(y, float(YS), 0, 0, 255)


TORCH = {"fake_quantize": _fake, "fake_quantize with tensors": _fake_with_tensors, "PT2E": _pt2e, "codes times steps": _codes_times_steps}


@pytest.mark.parametrize("spelling", TORCH)
def test_an_8_bit_convolution_in_pytorch(spelling: str) -> None:
    """The total of the ONNX spellings, to the last bit."""
    assert prices(pytorch(TORCH[spelling], (3, 6, 6), WF, BF, fixed=True)) == CONVOLVED


# A product of 16 to 5: 4-bit activations, 4-bit weights with a scale per row.
W4 = codes(4, 5, 16)
ROWS = np.array([0.031, 0.047, 0.059, 0.071, 0.083], F)
FOUR: dict[str, Any] = {
    "xs": XS, "z": np.int8(0), "w": W4, "wf": W4 * ROWS[:, None], "ws": ROWS, "ws2": ROWS[:, None], "wz": np.zeros(5, np.int8),
    "lo": np.int8(-8), "hi": np.int8(7), "none": F(0), "four": F(4),
}  # fmt: skip
INT4 = {"w4": W4.astype(ml_dtypes.int4), "w4t": np.ascontiguousarray(W4.T).astype(ml_dtypes.int4)}
CLIPPED = [node("QuantizeLinear", "x xs z", "q"), node("Clip", "q lo hi", "k"), node("DequantizeLinear", "k xs z", "d")]
NARROW = [node("QuantizeLinear", "x xs", "q", output_dtype=TensorProto.INT4), node("DequantizeLinear", "q xs", "d")]
GEMM = node("Gemm", "d v", transB=1)
LINEAR: dict[str, Nodes] = {
    "QCDQ": [
        *CLIPPED,
        node("QuantizeLinear", "wf ws wz", "u", axis=0),
        node("Clip", "u lo hi", "t"),
        node("DequantizeLinear", "t ws wz", "v", axis=0),
        GEMM,
    ],
    "QCDQ, codes in int8": [*CLIPPED, node("DequantizeLinear", "w ws", "v", axis=0), GEMM],
    "QCDQ, weights in float": [*CLIPPED, node("Gemm", "d wf", transB=1)],
    "INT4 initializer": [*NARROW, node("DequantizeLinear", "w4 ws", "v", axis=0), GEMM],
    "INT4 initializer, transposed": [*NARROW, node("DequantizeLinear", "w4t ws", "v", axis=1), node("MatMul", "d v")],
    "QONNX": [quant("x xs none four", "d"), quant("wf ws2 none four", "v"), GEMM],
}
# 5·16 products of 4 bits; the storage is 80 codes of 4 bits, never of a byte or of eight.
PRODUCT = quantized(storage_bits=80 * 4 + 5 * 32 + 32, operation_bits=80 * 4 + 5 * 15 * 32)


@pytest.mark.parametrize("spelling", LINEAR)
def test_a_4_bit_product(spelling: str) -> None:
    nodes = LINEAR[spelling]
    tensors = [numpy_helper.from_array(array, name) for name, array in used(nodes, INT4).items()]
    model = onnx_model(nodes, (16,), used(nodes, FOUR), opset=21 if tensors else 19, tensors=tensors)
    assert all(tensor.data_type == TensorProto.INT4 for tensor in tensors)
    assert prices(onnx_count(model)) == PRODUCT


def test_a_4_bit_product_in_pytorch() -> None:
    def fake(x: Tensor, w: Tensor) -> Tensor:
        x = torch.fake_quantize_per_tensor_affine(x, float(XS), 0, -8, 7)
        return functional.linear(
            x, torch.fake_quantize_per_channel_affine(w, torch.tensor(ROWS), torch.zeros(5, dtype=torch.int32), 0, -8, 7)
        )

    assert prices(pytorch(fake, (16,), W4 * ROWS[:, None], fixed=True)) == PRODUCT

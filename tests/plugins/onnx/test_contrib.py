"""onnxruntime's fused operators: each gives the numbers and the work of what it fuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.plugins.onnx.support import compare, model, node, problems, random, x_to_y

MS = {"com.microsoft": 1}
X = random(1, 4, 6, 6)


def contrib(kind: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    return node(kind, inputs, outputs, domain="com.microsoft", **attributes)


@pytest.mark.parametrize(
    ("attributes", "function"),
    [
        ({"activation": "Relu"}, "relu"),
        ({"activation": "LeakyRelu", "activation_params": [0.2]}, "leaky_relu"),
        ({"activation": "Clip", "activation_params": [0.0, 6.0]}, "clip"),
        ({"activation": "HardSigmoid", "activation_params": [0.2, 0.5]}, "hard_sigmoid"),
    ],
)
def test_fused_conv(attributes: dict[str, Any], function: str) -> None:
    found = compare([contrib("FusedConv", "x w b", **attributes)], {"x": X}, {"w": random(5, 4, 3, 3), "b": random(5)}, domains=MS)
    assert found.kinds == ["conv", f"elementwise:{function}"]


def test_fused_conv_with_a_sum() -> None:
    constants = {"w": random(5, 4, 1, 1), "b": random(5), "z": random(1, 5, 6, 6)}
    found = compare([contrib("FusedConv", "x w b z", activation="Relu")], {"x": X}, constants, domains=MS)
    assert found.kinds == ["conv", "elementwise:add", "elementwise:relu"]


def test_fused_products() -> None:
    constants = {"w": random(5, 4), "b": random(5)}
    found = compare([contrib("FusedGemm", "x w b", transB=1, activation="Relu")], {"x": random(1, 4)}, constants, domains=MS)
    assert found.kinds == ["matmul", "elementwise:relu"]
    found = compare([contrib("FusedMatMul", "x w", transB=1, alpha=0.5)], {"x": random(1, 3, 4)}, constants, domains=MS)
    assert found.work == ["matmul", "elementwise:mul"]


@pytest.mark.parametrize(
    ("kind", "inputs", "work"),
    [
        ("Gelu", "x", ["elementwise:gelu"]),
        ("BiasGelu", "x b", ["elementwise:add", "elementwise:gelu"]),
        ("FastGelu", "x b", ["elementwise:add", "elementwise:gelu_tanh"]),
        ("FastGelu", "x", ["elementwise:gelu_tanh"]),
        ("QuickGelu", "x", ["elementwise:mul", "elementwise:sigmoid", "elementwise:mul"]),
    ],
)
def test_gelus(kind: str, inputs: str, work: list[str]) -> None:
    constants = {"b": random(6)} if "b" in inputs.split() else {}
    assert compare([contrib(kind, inputs)], {"x": random(1, 3, 6)}, constants, domains=MS, tolerance=1e-4).kinds == work


def test_norms_of_a_sum() -> None:
    constants = {"k": random(1, 3, 6), "g": random(6), "b": random(6), "a": random(6, seed=4)}
    nodes = [contrib("SkipLayerNormalization", "x k g b a", "y - - s", epsilon=1e-5)]
    found = compare(nodes, {"x": random(1, 3, 6)}, constants, "y s", domains=MS, tolerance=1e-4)
    assert found.kinds == ["elementwise:add", "elementwise:add", "normalise:layer_norm"]
    simple = [contrib("SkipSimplifiedLayerNormalization", "x k g", epsilon=1e-5)]
    found = compare(simple, {"x": random(1, 3, 6)}, {key: constants[key] for key in "kg"}, domains=MS, tolerance=1e-4)
    assert found.kinds == ["elementwise:add", "normalise:rms_norm"]


@pytest.mark.parametrize("zero_points", [False, True])
def test_matmul_of_packed_bits(zero_points: bool) -> None:
    k, n, block = 64, 6, 32
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (n, k)).astype(np.uint8)
    packed = (codes[:, 0::2] | codes[:, 1::2] << 4).reshape(n, k // block, block // 2)
    scales = (np.abs(random(n, k // block)) + 0.1).astype(np.float32)
    zeros = rng.integers(0, 16, (n, k // block)).astype(np.uint8)
    constants: dict[str, Any] = {"w": packed, "s": scales.reshape(-1)}
    if zero_points:
        constants["z"] = (zeros[:, 0::2] | zeros[:, 1::2] << 4).reshape(-1)
    inputs = "x w s z" if zero_points else "x w s"
    nodes = [contrib("MatMulNBits", inputs, K=k, N=n, bits=4, block_size=block)]
    found = compare(nodes, {"x": random(1, 2, k)}, constants, domains=MS, tolerance=1e-3)
    assert found.work == ["dequantize", "matmul"]
    weight = found.graph.values[found.nodes[-2].inputs[0] if found.nodes[-2].kind == "dequantize" else found.nodes[-1].inputs[1]]
    assert (weight.format.name, weight.shape) == ("uint4", (n, k))
    assert found.constants()["w"].tolist() == codes.tolist()


def test_integer_products_with_their_scales() -> None:
    w = np.arange(-10, 10, dtype=np.int8).reshape(4, 5)
    constants = {"w": w, "ws": np.float32(0.1), "wz": np.int8(1), "b": random(5)}
    found = compare([contrib("DynamicQuantizeMatMul", "x w ws wz b")], {"x": random(1, 4)}, constants, domains=MS, tolerance=0.1)
    assert found.kinds[-4:] == ["quantize", "dequantize", "dequantize", "matmul"]
    nodes = [node("DynamicQuantizeLinear", "x", "q s z"), contrib("MatMulIntegerToFloat", "q w s ws z wz b")]
    found = compare(nodes, {"x": random(1, 4)}, constants, domains=MS, tolerance=1e-4)
    assert found.kinds[-4:] == ["quantize", "dequantize", "dequantize", "matmul"]


def test_quantized_gemm() -> None:
    constants = {
        "xs": np.float32(0.02),
        "xz": np.uint8(120),
        "w": np.arange(-10, 10, dtype=np.int8).reshape(5, 4),
        "ws": np.full(5, 0.1, np.float32),
        "wz": np.zeros(5, np.int8),
        "c": np.arange(5, dtype=np.int32),
        "ys": np.float32(0.05),
        "yz": np.uint8(90),
    }
    nodes = [
        node("QuantizeLinear", "x xs xz", "q"),
        contrib("QGemm", "q xs xz w ws wz c ys yz", "r", transB=1),
        node("DequantizeLinear", "r ys yz"),
    ]
    found = compare(nodes, {"x": random(1, 4)}, constants, domains=MS, tolerance=0.06)
    assert [kind for kind in found.kinds if "mul" not in kind or kind == "matmul"] == ["quantize"] + ["dequantize"] * 3 + [
        "matmul",
        "quantize",
        "dequantize",
    ]


def test_other_fused_operators_are_refused_by_name() -> None:
    body = x_to_y([contrib("MultiHeadAttention", "x x x", num_heads=2)], (3, 6))
    assert problems(model(body, domains=MS)) == [
        "got the operator MultiHeadAttention of domain com.microsoft but should be an operator that this counter can price "
        "[com.microsoft.MultiHeadAttention in the_MultiHeadAttention] "
        "(see the plugin's README for the operators that can be counted; save the model without onnxruntime's fusions, or quantize to QDQ)"
    ]

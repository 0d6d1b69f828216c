"""Quantization: QDQ, QCDQ, QLinear, Integer and packed spellings become the same quantize and dequantize nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.plugins.onnx.support import Translated, compare, ints, model, node, problems, random, saved, translate, x_to_y

U8, I8 = np.uint8, np.int8
MS = {"com.microsoft": 1}
X = random(1, 3, 6, 6)


def f(*numbers: float) -> Any:
    return np.array(numbers[0] if len(numbers) == 1 else numbers, np.float32)


def outline(found: Translated) -> list[Any]:
    """What a count depends on: kinds, attributes, and the shapes and formats of operands and results."""
    values = found.graph.values
    return [
        (n.kind, dict(n.attributes), [(values[name].shape, values[name].format.name) for name in (*n.inputs, *n.outputs)])
        for n in found.nodes
    ]


@pytest.mark.parametrize(
    ("scale", "axis", "expected"),
    [
        (f(0.1), 1, {"axis": -1}),
        (np.array([0.1], np.float32), 1, {"axis": -1}),
        (f(0.1, 0.2, 0.3), 1, {"axis": 1}),
        (f(*[0.1] * 6), -1, {"axis": 3}),
    ],
)
def test_per_tensor_and_per_axis(scale: Any, axis: int, expected: dict[str, int]) -> None:
    zero = np.full(scale.shape, 3, U8)
    nodes = [node("QuantizeLinear", "x s z", "q", axis=axis), node("DequantizeLinear", "q s z", axis=axis)]
    found = compare(nodes, {"x": X}, {"s": scale, "z": zero})
    assert [dict(n.attributes) for n in found.nodes] == [expected, expected]
    assert found.graph.values[found.nodes[0].outputs[0]].format.name == "uint8"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (TensorProto.INT8, "int8"),
        (TensorProto.UINT16, "uint16"),
        (TensorProto.INT16, "int16"),
        (TensorProto.INT4, "int4"),
        (TensorProto.UINT4, "uint4"),
        (TensorProto.FLOAT8E4M3FN, "float8_e4m3fn"),
        (TensorProto.FLOAT8E5M2, "float8_e5m2"),
    ],
)
def test_the_type_of_the_zero_point_or_the_attribute_is_the_format(kind: int, name: str) -> None:
    nodes = [node("QuantizeLinear", "x s", "q", output_dtype=kind), node("DequantizeLinear", "q s")]
    found = compare(nodes, {"x": X}, {"s": f(0.1)}, opset=21, exact=not name.startswith("float"))
    assert found.graph.values[found.nodes[0].outputs[0]].format.name == name
    zero = helper.make_tensor("z", kind, [], [0])
    body = x_to_y([node("QuantizeLinear", "x s z", "q"), nodes[1]], X.shape[1:], {"s": f(0.1)})
    body.initializer.append(zero)
    assert outline(translate(saved(model(body, 21, 10)))) == outline(found)


@pytest.mark.parametrize("kind", [TensorProto.INT2, TensorProto.UINT2])
def test_two_bit_codes(kind: int) -> None:
    # onnxruntime reads them from opset 25 on, without kernels: the graph alone is checked.
    nodes = [node("QuantizeLinear", "x s", "q", output_dtype=kind), node("DequantizeLinear", "q s")]
    found = translate(saved(model(x_to_y(nodes, X.shape[1:], {"s": f(0.1)}), 25, 13)))
    assert found.graph.values[found.nodes[0].outputs[0]].format.bits == 2


def test_blocks_along_an_axis() -> None:
    scale = np.abs(random(1, 3, 6, 2)) + 0.1
    nodes = [node("QuantizeLinear", "x s", "q", axis=3, block_size=3, output_dtype=TensorProto.INT8)]
    nodes.append(node("DequantizeLinear", "q s", axis=3, block_size=3))
    found = compare(nodes, {"x": X}, {"s": scale}, opset=21)
    assert dict(found.nodes[0].attributes) == {"axis": 3, "block": 3}


def test_a_zero_point_of_zero_is_none() -> None:
    found = compare([node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z")], {"x": X}, {"s": f(0.1), "z": I8(0)})
    assert [len(n.inputs) for n in found.nodes] == [2, 2]


@pytest.mark.parametrize(
    ("bounds", "zero", "name", "limits"),
    [
        ((-8, 7), I8(0), "int4", {}),
        ((-7, 7), I8(0), "int4", {"low": -7.0, "high": 7.0}),
        ((0, 15), U8(0), "uint4", {}),
        ((-100, 100), I8(0), "int8", {"low": -100.0, "high": 100.0}),
        ((-2, 1), I8(0), "int2", {}),
    ],
)
@pytest.mark.parametrize("form", ["initializer", "constant"])
def test_a_clip_between_narrows_the_range(bounds: tuple[int, int], zero: Any, name: str, limits: dict[str, float], form: str) -> None:
    constants = {"s": f(0.1), "z": zero, "lo": zero.dtype.type(bounds[0]), "hi": zero.dtype.type(bounds[1])}
    nodes = [node("QuantizeLinear", "x s z", "q"), node("Clip", "q lo hi", "c"), node("DequantizeLinear", "c s z")]
    if form == "constant":
        # Constant nodes of the bounds stand after the QuantizeLinear that they narrow.
        made = [node("Constant", "", key, value=onnx.numpy_helper.from_array(np.asarray(constants.pop(key)))) for key in ("lo", "hi")]
        nodes[1:1] = made
    found = compare(nodes, {"x": X}, constants)
    assert found.kinds == ["quantize", "dequantize"]
    assert dict(found.nodes[0].attributes) == {"axis": -1, **limits}
    assert found.graph.values[found.nodes[0].outputs[0]].format.name == name


def test_a_clip_that_others_bypass_is_a_clip() -> None:
    constants = {"s": f(0.1), "z": I8(0), "lo": I8(-8), "hi": I8(7)}
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("Clip", "q lo hi", "c"),
        node("DequantizeLinear", "c s z", "a"),
        node("DequantizeLinear", "q s z", "b"),
        node("Add", "a b"),
    ]
    found = compare(nodes, {"x": X}, constants)
    assert found.kinds == ["quantize", "elementwise:clip", "dequantize", "dequantize", "elementwise:add"]


def _convolution() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "xs": f(0.02),
        "xz": U8(120),
        "w": rng.integers(-127, 127, (4, 3, 3, 3)).astype(I8),
        "ws": f(0.01, 0.02, 0.03, 0.04),
        "wz": np.zeros(4, I8),
        "b": rng.integers(-1000, 1000, 4).astype(np.int32),
        "bs": f(0.02) * f(0.01, 0.02, 0.03, 0.04),
        "ys": f(0.05),
        "yz": U8(100),
    }


def test_qlinear_conv_is_dequantize_conv_quantize() -> None:
    constants, q = _convolution(), node("QuantizeLinear", "x xs xz", "q")
    end = node("DequantizeLinear", "r ys yz")
    fused = [q, node("QLinearConv", "q xs xz w ws wz ys yz b", "r", pads=[1, 1, 1, 1]), end]
    apart = [
        q,
        node("DequantizeLinear", "q xs xz", "xf"),
        node("DequantizeLinear", "w ws wz", "wf", axis=0),
        node("DequantizeLinear", "b bs", "bf", axis=0),
        node("Conv", "xf wf bf", "c", pads=[1, 1, 1, 1]),
        node("QuantizeLinear", "c ys yz", "r"),
        end,
    ]
    one = compare(fused, {"x": X}, {k: v for k, v in constants.items() if k != "bs"}, tolerance=0.06)
    two = compare(apart, {"x": X}, constants, tolerance=0.06)
    # The fused form computes the bias's scale from two constants; the other has it stored.
    assert [step for step in outline(one) if step[0] != "elementwise"] == outline(two)


def test_qlinear_matmul_is_dequantize_matmul_quantize() -> None:
    constants = {
        "xs": f(0.02),
        "xz": U8(120),
        "w": np.arange(-10, 10, dtype=I8).reshape(4, 5),
        "ws": f(0.1),
        "wz": I8(1),
        "ys": f(0.05),
        "yz": U8(90),
    }
    nodes = [
        node("QuantizeLinear", "x xs xz", "q"),
        node("QLinearMatMul", "q xs xz w ws wz ys yz", "r"),
        node("DequantizeLinear", "r ys yz"),
    ]
    found = compare(nodes, {"x": random(1, 4)}, constants, tolerance=0.06)
    assert found.kinds == ["quantize", "dequantize", "dequantize", "matmul", "quantize", "dequantize"]


def _dynamic() -> dict[str, Any]:
    return {"w": np.arange(-10, 10, dtype=I8).reshape(4, 5), "wz": I8(0), "ws": f(0.1), "b": random(5)}


def test_dynamic_quantization_is_dequantized_operands() -> None:
    nodes = [
        node("DynamicQuantizeLinear", "x", "q qs qz"),
        node("MatMulInteger", "q w qz wz", "p"),
        node("Cast", "p", "c", to=TensorProto.FLOAT),
        node("Mul", "qs ws", "scale"),
        node("Mul", "c scale", "m"),
        node("Add", "m b"),
    ]
    found = compare(nodes, {"x": random(1, 4)}, _dynamic())
    tail = found.kinds[found.kinds.index("quantize") :]
    assert tail == ["quantize", "dequantize", "dequantize", "matmul", "elementwise:mul", "elementwise:add"]
    # The Mul that is left combines the two scales, for nobody: the product has each operand's own.
    product = next(n for n in found.nodes if n.kind == "matmul")
    assert not any(product.outputs[0] in n.inputs for n in found.nodes if n.attributes.get("op") == "mul")


def test_an_integer_product_by_itself_is_a_whole_number() -> None:
    constants = {"s": f(0.1), "z": U8(3), "w": np.arange(-10, 10, dtype=I8).reshape(4, 5), "wz": I8(2)}
    nodes = [node("QuantizeLinear", "x s z", "q"), node("MatMulInteger", "q w z wz")]
    found = compare(nodes, {"x": random(1, 4)}, constants, kinds=TensorProto.INT32)
    assert found.kinds == ["quantize", "dequantize", "dequantize", "matmul", "move:cast"]


def scaled_integer_convolution(scale: Any) -> Translated:
    """A convolution of codes, as float times ``scale``."""
    nodes = [
        node("QuantizeLinear", "x xs xz", "q"),
        node("ConvInteger", "q w xz", "p"),
        node("Cast", "p", "c", to=TensorProto.FLOAT),
        node("Mul", "c s", "y"),
    ]
    kept = {key: value for key, value in _convolution().items() if key in ("xs", "xz", "w")}
    return compare(nodes, {"x": X}, {**kept, "s": scale}, tolerance=1e-4)


@pytest.mark.parametrize("scale", [f(0.01), f(0.01, 0.02, 0.03, 0.04).reshape(1, 4, 1, 1)])
def test_an_integer_convolution_with_its_scale_behind(scale: Any) -> None:
    found = scaled_integer_convolution(scale)
    assert found.kinds[0] == "quantize"
    # What the one scale holds besides that of x is the weight's: a division of constants.
    assert found.work == ["quantize", "elementwise:div", "dequantize", "dequantize", "conv"]


def test_a_scale_on_another_axis_stays_a_multiply() -> None:
    found = scaled_integer_convolution(f(0.1, 0.2, 0.3, 0.4))
    assert found.kinds[-1] == "elementwise:mul"


OF_ONE, OF_TWO = "q xs xz ys yz", "q xs xz v ws wz ys yz"


@pytest.mark.parametrize(
    ("kind", "inputs", "op"),
    [
        ("QLinearAdd", OF_TWO, "elementwise:add"),
        ("QLinearMul", OF_TWO, "elementwise:mul"),
        ("QLinearSigmoid", OF_ONE, "elementwise:sigmoid"),
        ("QLinearLeakyRelu", OF_ONE, "elementwise:leaky_relu"),
    ],
)
def test_onnxruntimes_quantized_functions(kind: str, inputs: str, op: str) -> None:
    constants = {"xs": f(0.02), "xz": U8(120), "v": np.full((6,), 140, U8), "ws": f(0.03), "wz": U8(128), "ys": f(0.05), "yz": U8(100)}
    used = {key: value for key, value in constants.items() if key in ("xs", "xz", "ys", "yz") or key in inputs.split()}
    nodes = [node("QuantizeLinear", "x xs xz", "q"), node(kind, inputs, "r", domain="com.microsoft"), node("DequantizeLinear", "r ys yz")]
    found = compare(nodes, {"x": X}, used, domains=MS, tolerance=0.06)
    assert [k for k in found.work if ":" in k] == [op]
    assert found.kinds[-2:] == ["quantize", "dequantize"]


def test_onnxruntimes_quantized_pools_and_joins() -> None:
    constants = {"xs": f(0.02), "xz": U8(120), "ys": f(0.05), "yz": U8(100)}
    q, end = node("QuantizeLinear", "x xs xz", "q"), node("DequantizeLinear", "r ys yz")

    def of(middle: onnx.NodeProto) -> list[str]:
        return compare([q, middle, end], {"x": X}, constants, domains=MS, tolerance=0.06).work

    assert "pool:average" in of(node("QLinearGlobalAveragePool", "q xs xz ys yz", "r", domain="com.microsoft"))
    assert "pool:average" in of(node("QLinearAveragePool", "q xs xz ys yz", "r", domain="com.microsoft", kernel_shape=[2, 2]))
    assert "softmax:softmax" in of(node("QLinearSoftmax", "q xs xz ys yz", "r", domain="com.microsoft", axis=-1, opset=13))
    assert of(node("QLinearConcat", "ys yz q xs xz q xs xz", "r", domain="com.microsoft", axis=1)).count("dequantize") == 3


def test_int4_weights_count_as_four_bits_however_they_are_stored() -> None:
    codes = np.random.default_rng(0).integers(-8, 8, (4, 6))
    raw = helper.make_tensor("w", TensorProto.INT4, codes.shape, codes.flatten())
    nodes = [node("DequantizeLinear", "w s", "wf", axis=0), node("MatMul", "x wf")]
    body = x_to_y(nodes, (4,), {"s": f(0.1, 0.2, 0.3, 0.4)})
    body.initializer.append(raw)
    found = translate(saved(model(body, 21, 10)))
    assert found.constants()["w"].tolist() == codes.tolist()
    assert found.graph.values[found.nodes[0].inputs[0]].format.name == "int4"


def test_scales_that_do_not_fit_are_refused() -> None:
    body = x_to_y([node("QuantizeLinear", "x s z")], X.shape[1:], {"s": f(0.1, 0.2), "z": np.zeros(2, U8)})
    assert problems(model(body)) == [
        "got scales of shape (2,) for axis 1 of (1, 3, 6, 6) but should be one number, or 3 [QuantizeLinear in the_QuantizeLinear]"
    ]
    nodes = [node("QuantizeLinear", "x s", block_size=4, axis=3)]
    blocks = x_to_y(nodes, X.shape[1:], {"s": np.ones((1, 3, 6, 3), np.float32)})
    assert problems(model(blocks, 21, 10)) == [
        "got scales of shape (1, 3, 6, 3) for blocks of 4 of (1, 3, 6, 6) but should have shape (1, 3, 6, 2) "
        "[QuantizeLinear in the_QuantizeLinear]"
    ]


def test_indices_of_a_shape_are_no_quantized_weights() -> None:
    # Small int8 tensors are weights: a cast of them is work for the core, not folded as a shape.
    nodes = [node("Cast", "w", "f", to=TensorProto.FLOAT), node("Add", "x f")]
    body = x_to_y(nodes, (3,), {"w": np.array([1, 2, 3], I8)})
    found = translate(saved(model(body)))
    assert found.kinds == ["move:cast", "elementwise:add"]
    assert ints(*found.constants()["w"]).tolist() == [1, 2, 3]

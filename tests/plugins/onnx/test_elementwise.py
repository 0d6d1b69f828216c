"""Arithmetic, comparison, logic and activations: the function that is priced is the one that onnxruntime computes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from tests.plugins.onnx.support import compare, graph, info, model, node, problems, random

X = random(1, 3, 5)
POSITIVE = np.abs(X) + 0.1
UNIT = np.tanh(X)


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("Abs", "abs"),
        ("Atan", "atan"),
        ("Ceil", "ceil"),
        ("Cos", "cos"),
        ("Erf", "erf"),
        ("Exp", "exp"),
        ("Floor", "floor"),
        ("HardSwish", "hard_swish"),
        ("Mish", "mish"),
        ("Neg", "neg"),
        ("Relu", "relu"),
        ("Round", "round"),
        ("Sigmoid", "sigmoid"),
        ("Sign", "sign"),
        ("Sin", "sin"),
        ("Sinh", "sinh"),
        ("Softplus", "softplus"),
        ("Softsign", "softsign"),
        ("Tan", "tan"),
        ("Tanh", "tanh"),
    ],
)
def test_a_function_of_one_tensor(kind: str, function: str) -> None:
    assert compare([node(kind, "x")], {"x": X}, opset=18).kinds == [f"elementwise:{function}"]


@pytest.mark.parametrize(
    ("kind", "x"),
    [
        ("Log", POSITIVE),
        ("Sqrt", POSITIVE),
        ("Reciprocal", POSITIVE),
        ("Acosh", POSITIVE + 1),
        ("Asinh", X),
        ("Atanh", UNIT * 0.9),
        ("Acos", UNIT),
        ("Asin", UNIT),
        ("Cosh", X),
    ],
)
def test_functions_of_a_limited_domain(kind: str, x: np.ndarray) -> None:
    assert compare([node(kind, "x")], {"x": x}).kinds == [f"elementwise:{kind.lower()}"]


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        ("LeakyRelu", {}, {"op": "leaky_relu", "alpha": 0.01}),
        ("LeakyRelu", {"alpha": 0.2}, {"op": "leaky_relu", "alpha": 0.2}),
        ("Elu", {}, {"op": "elu", "alpha": 1.0}),
        ("Celu", {"alpha": 2.0}, {"op": "celu", "alpha": 2.0}),
        ("Selu", {}, {"op": "selu", "alpha": 1.6732632, "gamma": 1.0507009}),
        ("HardSigmoid", {}, {"op": "hard_sigmoid", "alpha": 0.2, "beta": 0.5}),
        ("HardSigmoid", {"alpha": 1 / 6}, {"op": "hard_sigmoid", "alpha": 0.16666667, "beta": 0.5}),
        ("ThresholdedRelu", {"alpha": 0.3}, {"op": "threshold", "alpha": 0.3, "beta": 0.0}),
        ("Shrink", {"lambd": 0.4}, {"op": "hard_shrink", "alpha": 0.4}),
        ("Shrink", {"lambd": 0.4, "bias": 0.4}, {"op": "soft_shrink", "alpha": 0.4}),
    ],
)
def test_parameters_of_an_activation(kind: str, attributes: dict[str, float], expected: dict[str, object]) -> None:
    assert compare([node(kind, "x", **attributes)], {"x": X}).nodes[0].attributes == expected


def test_a_shrink_that_is_neither_hard_nor_soft_is_written_out() -> None:
    found = compare([node("Shrink", "x", lambd=0.5, bias=0.1)], {"x": X})
    # x < −0.5, x > 0.5, x ± 0.1, and two choices between three values
    assert sorted(found.work) == sorted(f"elementwise:{op}" for op in ("less", "greater", "add", "sub", "where", "where"))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str) -> None:
    found = compare([node("Gelu", "x", approximate=approximate)], {"x": X}, opset=20)
    assert found.kinds == ["elementwise:gelu" if approximate == "none" else "elementwise:gelu_tanh"]


@pytest.mark.parametrize(
    ("kind", "function"), [("Add", "add"), ("Sub", "sub"), ("Mul", "mul"), ("Div", "div"), ("Pow", "pow"), ("PRelu", "prelu")]
)
def test_arithmetic_broadcasts(kind: str, function: str) -> None:
    assert compare([node(kind, "x w")], {"x": POSITIVE}, {"w": random(3, 1)}).kinds == [f"elementwise:{function}"]


@pytest.mark.parametrize(("number", "kinds"), [(2.0, ["elementwise:square"]), (1.0, ["move:identity"]), (3.0, ["elementwise:pow"])])
def test_a_constant_exponent(number: float, kinds: list[str]) -> None:
    assert compare([node("Pow", "x e")], {"x": X}, {"e": np.float32(number)}).kinds == kinds


@pytest.mark.parametrize("kind", ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"])
def test_comparisons_answer_with_truth_values(kind: str) -> None:
    found = compare([node(kind, "x w")], {"x": X}, {"w": random(5)}, kinds=TensorProto.BOOL)
    assert found.graph.values[found.graph.outputs[0]].format.name == "bool"


@pytest.mark.parametrize("kind", ["And", "Or", "Xor"])
def test_logic(kind: str) -> None:
    nodes = [node("Greater", "x w", "a"), node("Not", "a", "b"), node(kind, "a b")]
    assert compare(nodes, {"x": X}, {"w": random(5)}, kinds=TensorProto.BOOL).kinds[-1] == f"elementwise:{kind.lower()}"


@pytest.mark.parametrize(("kind", "function"), [("BitwiseAnd", "and"), ("BitwiseOr", "or"), ("BitwiseXor", "xor")])
def test_bitwise_logic_keeps_the_type(kind: str, function: str) -> None:
    x = np.arange(12, dtype=np.int32).reshape(1, 12)
    found = compare([node(kind, "x w")], {"x": x}, {"w": np.int32(6)}, opset=18, kinds=TensorProto.INT32)
    assert found.kinds == [f"elementwise:{function}"]
    assert found.graph.values[found.graph.outputs[0]].format.name == "int32"


@pytest.mark.parametrize(("kind", "function"), [("Sum", "add"), ("Max", "max"), ("Min", "min")])
def test_functions_of_many_tensors_take_two_at_a_time(kind: str, function: str) -> None:
    found = compare([node(kind, "x v w")], {"x": X}, {"v": random(5, seed=1), "w": random(3, 1, seed=2)})
    assert found.kinds == [f"elementwise:{function}"] * 2


def test_a_mean_is_a_sum_times_one_over_n() -> None:
    assert compare([node("Mean", "x v")], {"x": X}, {"v": random(5)}).kinds == ["elementwise:add", "elementwise:mul"]


def test_where() -> None:
    found = compare([node("Greater", "x w", "c"), node("Where", "c x w")], {"x": X}, {"w": random(5)})
    assert found.kinds == ["elementwise:greater", "elementwise:where"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 6.0, {"op": "clip", "low": 0.0, "high": 6.0}),
        (0.1, None, {"op": "clip", "low": 0.1}),
        (None, 1.0, {"op": "clip", "high": 1.0}),
    ],
)
def test_clip_with_constant_bounds(low: float | None, high: float | None, expected: dict[str, object]) -> None:
    constants = {name: np.float32(number) for name, number in (("lo", low), ("hi", high)) if number is not None}
    found = compare([node("Clip", f"x {'lo' if low is not None else '-'} {'hi' if high is not None else '-'}")], {"x": X}, constants)
    assert found.nodes[0].attributes == expected


def test_clip_of_opset_6_has_its_bounds_as_attributes() -> None:
    assert compare([node("Clip", "x", min=-0.5, max=0.5)], {"x": X}, opset=10).nodes[0].attributes == {
        "op": "clip",
        "low": -0.5,
        "high": 0.5,
    }
    # The default bounds that exporters write out are no bounds.
    unbounded = compare([node("Clip", "x", min=0.0, max=3.4028234663852886e38)], {"x": X}, opset=10)
    assert unbounded.nodes[0].attributes == {"op": "clip", "low": 0.0}


def test_clip_with_bounds_from_the_data_is_a_max_and_a_min() -> None:
    nodes = [node("ReduceMin", "x", "lo", keepdims=0), node("ReduceMax", "x", "hi", keepdims=0), node("Clip", "x lo hi")]
    assert compare(nodes, {"x": X}).kinds == ["reduce:min", "reduce:max", "elementwise:max", "elementwise:min"]


def test_swish_is_refused_before_its_opset_and_silu_after() -> None:
    old = model(graph([node("Swish", "x")], [info("x", X.shape)], [info("y", None)]), opset=17)
    assert problems(old) == ["got Swish, which opset 17 does not have but should be an operator of the model's opset [Swish in the_Swish]"]

"""Functions, If, Loop, Scan and recurrent layers in ONNX against the same steps written one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tests.plugins.onnx.support import node
from tests.refused import refused
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, random

W, B = random(8, 8), random(8, seed=2)
CONSTANTS: dict[str, Any] = {"w": W, "b": B}
# One turn: a product with bias and a relu, on 8 values.
TURN = (8 * 8 + 8, 8 * 7 + 8)
Nodes = list[onnx.NodeProto]


def step(x: str, y: str) -> Nodes:
    return [node("Gemm", f"{x} w b", f"{y}_sum", transB=1), node("Relu", f"{y}_sum", y)]


def turns(count: int) -> Plain:
    return Plain(count * TURN[0], count * TURN[1], 8 * 8 + 8)


def body(nodes: Nodes, inputs: str, outputs: str, tensors: tuple[onnx.TensorProto, ...] = ()) -> onnx.GraphProto:
    kinds = {"i": TensorProto.INT64, "going": TensorProto.BOOL, "on": TensorProto.BOOL}
    given, made = (
        [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None) for name in names.split()]
        for names in (inputs, outputs)
    )
    return helper.make_graph(nodes, "body", given, made, list(tensors))


def function(name: str, nodes: Nodes, inputs: str, outputs: str, attributes: tuple[str, ...] = ()) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return helper.make_function("local", name, inputs.split(), outputs.split(), nodes, opsets, list(attributes))


LOOP = body([*step("h", "k"), node("Identity", "going", "on")], "i going h", "on k")
SCAN = body([*step("h", "k"), node("Identity", "k", "out")], "h t", "k out")
STEP = function("Step", step("x", "y"), "x w b", "y")
TWICE = function("Twice", [node("Step", "x w b", "h", "local"), node("Step", "h w b", "y", "local")], "x w b", "y")

THREE: dict[str, tuple[Nodes, dict[str, Any], tuple[onnx.FunctionProto, ...]]] = {
    "one after the other": ([*step("x", "h"), *step("h", "k"), *step("k", "y")], {}, ()),
    "Loop": ([node("Loop", "trips - x", body=LOOP)], {"trips": np.int64(3)}, ()),
    "Loop with a condition": ([node("Loop", "trips true x", body=LOOP)], {"trips": np.int64(3), "true": np.array(True)}, ()),
    "Scan": ([node("Scan", "x ticks", "y outs", body=SCAN, num_scan_inputs=1)], {"ticks": np.zeros((3, 1), np.float32)}, ()),
    "local functions": ([node("Twice", "x w b", "h", "local"), node("Step", "h w b", "y", "local")], {}, (STEP, TWICE)),
    "If that a constant decides": (
        [*step("x", "h"), *step("h", "k"), node("If", "yes", then_branch=body(step("k", "z"), "", "z"), else_branch=body([], "", "k"))],
        {"yes": np.array(True)},
        (),
    ),
}


@pytest.mark.parametrize("spelling", THREE)
def test_three_turns_with_one_weight(spelling: str) -> None:
    """Three times the work; the weights are stored once (S4)."""
    nodes, constants, functions = THREE[spelling]
    assert prices(onnx_count(onnx_model(nodes, (8,), CONSTANTS | constants, functions=functions))) == turns(3).prices


def test_a_long_loop_is_its_body_times_its_turns() -> None:
    """Too long to be written out; 3,000 turns cost 3,000 bodies."""
    model = onnx_model([node("Loop", "trips - x", body=LOOP)], (8,), CONSTANTS | {"trips": np.int64(3000)})
    assert prices(onnx_count(model)) == turns(3000).prices


def test_a_loop_that_the_data_ends_is_refused() -> None:
    nodes = [node("ReduceSum", "x", "s", keepdims=0), node("Cast", "s", "n", to=TensorProto.INT64), node("Loop", "n - x", body=LOOP)]
    (sentence,) = refused(lambda: onnx_count(onnx_model(nodes, (8,), CONSTANTS)))
    assert sentence == (
        "got a trip count that the data decides but should be constant [Loop in the_Loop] "
        "(fixed shapes are counted: export with constant shapes)"
    )


def test_an_if_of_the_data_charges_both_bodies() -> None:
    """Σx and a compare, one turn in the one body and two in the other."""
    bodies = {"then_branch": body(step("x", "a"), "", "a"), "else_branch": body([*step("x", "c"), *step("c", "d")], "", "d")}
    nodes = [node("ReduceSum", "x", "s", keepdims=0), node("Greater", "s zero", "p"), node("If", "p", **bodies)]
    model = onnx_model(nodes, (8,), CONSTANTS | {"zero": np.float32(0)})
    expected = Plain(3 * TURN[0] + 1, 3 * TURN[1] + 7, 8 * 8 + 8)
    assert prices(onnx_count(model)) == expected.prices


def test_a_function_with_an_attribute() -> None:
    leak = helper.make_node("LeakyRelu", ["x"], ["y"])
    leak.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
    leaky = function("Leaky", [leak], "x", "y", ("slope",))
    called = onnx_model([node("Leaky", "x", domain="local", slope=0.125)], (8,), functions=[leaky])
    plain = onnx_model([node("LeakyRelu", "x", alpha=0.125)], (8,))
    assert prices(onnx_count(called)) == prices(onnx_count(plain)) == Plain(2 * 8, 0, scalars=(8,)).prices


# Recurrent layers against their gates: T steps of N inputs and H states. A sigmoid is 2 + 1, a tanh 1. Two biases of one sum are one
# (B17); those of a GRU are not, because its reset gate stands between them.
T, N, H = 4, 3, 4


def weights(gates: int) -> dict[str, NDArray[np.float32]]:
    return {"w": random(1, gates * H, N, seed=3), "r": random(1, gates * H, H, seed=4), "b": random(1, 2 * gates * H, seed=5)}


def recurrent(gates: int, multiplies: int, adds: int, biases: int = 1) -> Plain:
    """n products and n − 1 adds for each of the two products of a gate, and its biases."""
    products, sums = gates * H * (N + H), gates * H * (N - 1 + H - 1 + biases)
    return Plain(T * (products + H * multiplies), T * (sums + H * adds), products + biases * gates * H)


LAYERS = {
    "LSTM": (4, {}, recurrent(4, 3 * 2 + 2 + 3, 4 + 3 + 1)),
    "GRU": (3, {"linear_before_reset": 1}, recurrent(3, 2 * 2 + 1 + 3, 3 + 2 + 2, biases=2)),
    "RNN": (1, {}, recurrent(1, 1, 1)),
}
IN, OUT = [node("Transpose", "x", "steps", perm=[1, 0, 2])], [node("Squeeze", "Y one", "z"), node("Transpose", "z", "y", perm=[1, 0, 2])]


@pytest.mark.parametrize("kind", LAYERS)
def test_a_recurrent_layer(kind: str) -> None:
    gates, options, expected = LAYERS[kind]
    nodes = [*IN, node(kind, "steps w r b", "Y", hidden_size=H, **options), *OUT]
    model = onnx_model(nodes, (T, N), weights(gates) | {"one": np.array([1], np.int64)})
    assert prices(onnx_count(model)) == expected.prices


# One step of each layer, an operator a line: kind, inputs -> results. h' and c' are of the step before.
BEGIN = ("Gemm x wi bi -> p", "Gemm h' wh bh -> q")
CELLS = {
    "RNN": (*BEGIN, "Add p q -> a", "Tanh a -> h"),
    "LSTM": (
        *BEGIN, "Add p q -> a", "Split a -> i o f g", "Sigmoid i -> si", "Sigmoid o -> so", "Sigmoid f -> sf", "Tanh g -> sg",
        "Mul sf c' -> kept", "Mul si sg -> new", "Add kept new -> c", "Tanh c -> tc", "Mul so tc -> h",
    ),
    "GRU": (
        *BEGIN, "Split p -> pz pr pn", "Split q -> qz qr qn", "Add pz qz -> az", "Add pr qr -> ar", "Sigmoid az -> sz", "Sigmoid ar -> sr",
        "Mul sr qn -> reset", "Add pn reset -> an", "Tanh an -> sn", "Sub unit sz -> rest", "Mul rest sn -> new", "Mul sz h' -> kept",
        "Add new kept -> h",
    ),
}  # fmt: skip
OF_ALL_STEPS = ("wi", "wh", "bi", "bh", "unit")
HOW: dict[str, dict[str, int]] = {"Gemm": {"transB": 1}, "Split": {"axis": 1}}


def unrolled(kind: str, t: int) -> Nodes:
    """Step ``t`` of the layer written out: each name but the constants' with the number of its step."""

    def of_step(name: str) -> str:
        return name if name in OF_ALL_STEPS else f"{name[:-1]}{t - 1}" if name.endswith("'") else f"{name}{t}"

    nodes = [node("Gather", f"x t{t}", f"x{t}", axis=1)]
    for line in CELLS[kind]:
        (operator, *inputs), results = (side.split() for side in line.split(" -> "))
        nodes.append(node(operator, " ".join(map(of_step, inputs)), " ".join(map(of_step, results)), **HOW.get(operator, {})))
    return nodes


@pytest.mark.parametrize("kind", LAYERS)
def test_a_recurrent_layer_written_out(kind: str) -> None:
    gates, _, expected = LAYERS[kind]
    tensors = weights(gates)
    biases = tensors["b"].reshape(2, -1)
    constants = {"wi": tensors["w"][0], "wh": tensors["r"][0], "bi": biases[0], "bh": biases[1], "unit": np.float32(1)}
    states = {"h-1": np.zeros((1, H), np.float32), "c-1": np.zeros((1, H), np.float32)}
    places = {f"t{t}": np.array(t, np.int64) for t in range(T)}
    nodes = [each for t in range(T) for each in unrolled(kind, t)]
    nodes += [node("Unsqueeze", f"h{t} one", f"u{t}") for t in range(T)] + [node("Concat", " ".join(f"u{t}" for t in range(T)), axis=1)]
    model = onnx_model(nodes, (T, N), constants | states | places | {"one": np.array([1], np.int64)})
    assert prices(onnx_count(model)) == expected.prices

"""Activation functions in ONNX as one operator and written out, on plain and on 8-bit inputs: one price (rules O2, O4).

Of a quantized input, the primitives that read it are 8 bits wide and those that read what they made are 32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from tests.plugins.onnx.support import node
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, quantized

SHAPE, N = (4, 3, 2), 4 * 3 * 2
F = np.float32
ROOT = F(np.sqrt(2 / np.pi))
CONTRIB = "com.microsoft"
Nodes = list[onnx.NodeProto]


def chain(*steps: str) -> Nodes:
    """``Exp n e`` is Exp of n, called e; the last step makes y."""
    made = []
    for step in steps:
        kind, *names = step.split()
        made.append(node(kind, " ".join(names[:-1]), names[-1]))
    return made


SIGMOID = ("Neg x n", "Exp n e", "Add e one p")
SOFTPLUS = ("Exp x e", "Add e one p", "Log p s")
NUMBERS: dict[str, Any] = {
    name: F(value)
    for name, value in {"one": 1, "two": 2, "three": 3, "six": 6, "half": 0.5, "root_half": 0.5**0.5, "root": ROOT, "c": 0.044715}.items()
} | {"zero": F(0), "minus": F(-1), "root_two": F(2**0.5)}

# name: (multiplies, adds) that read x alone, those that read intermediate results, widths of the numbers, spellings
GROUPS: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, ...], dict[str, Nodes]]] = {
    "sigmoid": (
        (1, 0),
        (1, 1),
        (),
        {
            "operator": chain("Sigmoid x y"),
            "Reciprocal": chain(*SIGMOID, "Reciprocal p y"),
            "Div": chain("Mul x minus n", "Exp n e", "Add one e p", "Div one p y"),
        },
    ),
    "swish": (
        (1, 0),
        (2, 1),
        (),
        {
            "Mul of Sigmoid": chain("Sigmoid x s", "Mul s x y"),
            "Div": chain(*SIGMOID, "Div x p y"),
            "Mul of Reciprocal": chain(*SIGMOID, "Reciprocal p r", "Mul r x y"),
            "Mul of Div": chain(*SIGMOID, "Div one p r", "Mul x r y"),
            "QuickGelu": [node("QuickGelu", "x", domain=CONTRIB, alpha=1.0)],
        },
    ),
    "hard-swish": (
        (0, 1),
        (4, 0),
        (16, 16),
        {
            "operator": chain("HardSwish x y"),
            "Clip": chain("Add x three a", "Clip a zero six b", "Mul x b m", "Div m six y"),
            "Max, Min": chain("Add three x a", "Max a zero h", "Min h six b", "Mul b x m", "Div m six y"),
            "HardSigmoid": [node("HardSigmoid", "x", "h", alpha=1 / 6, beta=0.5), node("Mul", "x h")],
        },
    ),
    "gelu": (
        (2, 0),
        (2, 1),
        (8, 32),
        {
            "operator of com.microsoft": [node("Gelu", "x", domain=CONTRIB)],
            "Erf": chain("Mul x root_half d", "Erf d e", "Add e one p", "Mul x half h", "Mul h p y"),
        },
    ),
    "gelu of tanh": (
        (2, 0),
        (5, 2),
        (8, 32, 32),
        {
            "FastGelu": [node("FastGelu", "x", domain=CONTRIB)],
            "Pow": chain("Pow x three q", "Mul c q u", "Add x u v", "Mul root v t", "Tanh t a", "Add a one p", "Mul half x h", "Mul h p y"),
            "Mul": chain(
                "Mul x x w", "Mul w x q", "Mul c q u", "Add x u v", "Mul root v t", "Tanh t a", "Add a one p", "Mul half x h", "Mul h p y"
            ),
        },
    ),
    "inverse root": (
        (1, 0),
        (0, 0),
        (),
        {
            "Reciprocal": chain("Sqrt x r", "Reciprocal r y"),
            "Div": chain("Sqrt x r", "Div one r y"),
        },
    ),
    "log-sigmoid": (
        (1, 0),
        (1, 1),
        (),
        {
            "Log": chain("Sigmoid x s", "Log s y"),
            "Softplus": chain("Neg x n", "Softplus n s", "Neg s y"),
            "written": chain(*SIGMOID, "Reciprocal p r", "Log r y"),
        },
    ),
    "softplus": ((1, 0), (1, 1), (), {"operator": chain("Softplus x y"), "written": chain("Exp x e", "Add e one p", "Log p y")}),
    "mish": (
        (1, 0),
        (3, 1),
        (),
        {
            "operator": chain("Mish x y"),
            "Softplus": chain("Softplus x s", "Tanh s t", "Mul x t y"),
            "written": chain(*SOFTPLUS, "Tanh s t", "Mul t x y"),
        },
    ),
    "softsign": (  # |x| keeps the width, so 1 + |x| is still as wide as x
        (1, 1),
        (1, 0),
        (),
        {"operator": chain("Softsign x y"), "written": chain("Abs x a", "Add a one p", "Div x p y")},
    ),
    "square": ((1, 0), (0, 0), (), {"Pow": chain("Pow x two y"), "Mul": chain("Mul x x y")}),
    "relu6": (
        (2, 0),
        (0, 0),
        (16,),
        {
            "Clip": chain("Clip x zero six y"),
            "Relu, Min": chain("Relu x r", "Min r six y"),
            "Max, Min": chain("Max x zero r", "Min six r y"),
        },
    ),
}
CASES = [pytest.param(group, spelling, id=f"{group}: {spelling}") for group, (_, _, _, found) in GROUPS.items() for spelling in found]
OPSETS = {"Mish": 18}


def opset(nodes: Nodes) -> int:
    return max(OPSETS.get(each.op_type, 17) for each in nodes)


@pytest.mark.parametrize(("group", "spelling"), CASES)
def test_a_function_has_one_price(group: str, spelling: str) -> None:
    first, inner, scalars, spellings = GROUPS[group]
    model = onnx_model(spellings[spelling], SHAPE, NUMBERS, opset=opset(spellings[spelling]))
    assert prices(onnx_count(model)) == Plain((first[0] + inner[0]) * N, (first[1] + inner[1]) * N, scalars=scalars).prices


def of_8_bits(nodes: Nodes) -> Nodes:
    """The same on x rounded to 8 bits, and the answer too, so that no output is wider."""
    before = [node("QuantizeLinear", "raw step", "codes"), node("DequantizeLinear", "codes step", "x")]
    return [*before, *nodes]


@pytest.mark.parametrize(("group", "spelling"), CASES)
def test_a_function_of_8_bits_has_one_price(group: str, spelling: str) -> None:
    first, inner, scalars, spellings = GROUPS[group]
    nodes = of_8_bits(spellings[spelling])
    model = onnx_model(nodes, SHAPE, NUMBERS | {"step": F(0.03)}, opset=opset(nodes))
    model.graph.input[0].name = "raw"
    # Beside its own numbers the model stores the step. A clip hands 8 bits on: both its compares read x.
    expected = quantized(32 + sum(scalars), (8 * sum(first) + 32 * sum(inner)) * N)
    assert prices(onnx_count(model)) == expected


SOFTMAX = {
    "operator": [node("Softmax", "x", axis=-1)],
    "written": [*chain("Exp x e"), node("ReduceSum", "e last", "s"), *chain("Div e s y")],
    "Reciprocal": [*chain("Exp x e"), node("ReduceSum", "e last", "s", keepdims=1), *chain("Reciprocal s r", "Mul e r y")],
}


@pytest.mark.parametrize("spelling", SOFTMAX)
def test_softmax_of_8_bits_has_one_price(spelling: str) -> None:
    """e^x of 8 bits; sums and quotients of 32."""
    model = onnx_model(of_8_bits(SOFTMAX[spelling]), SHAPE, NUMBERS | {"step": F(0.03), "last": np.array([3], np.int64)})
    model.graph.input[0].name = "raw"
    assert prices(onnx_count(model)) == quantized(32, 8 * N + 32 * (N - 4 * 3) + 32 * N)

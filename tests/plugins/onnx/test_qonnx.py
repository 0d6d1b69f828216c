"""QONNX: Quant, BipolarQuant and Trunc are quantize and dequantize; Quant is the same graph as QCDQ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.plugins.onnx.support import Translated, model, node, problems, random, saved, translate, x_to_y
from tests.plugins.onnx.test_quantize import outline

DOMAIN = "qonnx.custom_op.general"
X = random(1, 3, 4, 4)


def f(number: Any) -> Any:
    return np.array(number, np.float32)


def quant(kind: str, constants: dict[str, Any], inputs: str, domain: str = DOMAIN, **attributes: Any) -> Translated:
    body = x_to_y([node(kind, inputs, domain=domain, **attributes)], (3, 4, 4), constants)
    return translate(saved(model(body, domains={domain: 1})))


@pytest.mark.parametrize("domain", [DOMAIN, "onnx.brevitas"])
@pytest.mark.parametrize(
    ("bits", "signed", "narrow", "name", "limits"),
    [
        (4, 1, 0, "int4", {}),
        (4, 1, 1, "int4", {"low": -7, "high": 7}),
        (4, 0, 0, "uint4", {}),
        (3, 0, 1, "uint3", {"low": 0, "high": 6}),
        (2, 1, 0, "int2", {}),
    ],
)
def test_quant(domain: str, bits: int, signed: int, narrow: int, name: str, limits: dict[str, int]) -> None:
    constants = {"s": f(0.1), "z": f(0), "b": f(bits)}
    found = quant("Quant", constants, "x s z b", domain, signed=signed, narrow=narrow, rounding_mode="ROUND")
    assert found.kinds == ["quantize", "dequantize"]
    assert dict(found.nodes[0].attributes) == {"axis": -1, **limits}
    assert found.graph.values[found.nodes[0].outputs[0]].format.name == name


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (3, 1, 1)])
def test_one_scale_per_channel(shape: tuple[int, ...]) -> None:
    found = quant("Quant", {"s": np.full(shape, 0.1, np.float32), "z": f(0), "b": f(8)}, "x s z b", signed=1)
    assert [n.attributes["axis"] for n in found.nodes if "quantize" in n.kind] == [1, 1]


def test_quant_and_qcdq_are_one_graph() -> None:
    mine = quant("Quant", {"s": f(0.1), "z": f(3), "b": f(4)}, "x s z b", signed=0)
    nodes = [node("QuantizeLinear", "x s z", "q"), node("Clip", "q lo hi", "c"), node("DequantizeLinear", "c s z")]
    constants = {"s": f(0.1), "z": np.uint8(3), "lo": np.uint8(0), "hi": np.uint8(15)}
    other = translate(saved(model(x_to_y(nodes, (3, 4, 4), constants))))
    formats = [[(kind, attributes) for kind, attributes, _ in outline(found)] for found in (mine, other)]
    assert formats[0] == formats[1]
    widths = [[found.graph.values[n.outputs[0]].format.name for n in found.nodes] for found in (mine, other)]
    assert widths[0] == widths[1] == ["uint4", "float32"]


def test_bipolar_weights_become_plus_and_minus_the_scale() -> None:
    nodes = [node("BipolarQuant", "w s", "q", domain=DOMAIN), node("MatMul", "x q")]
    weight = np.array([[0.3, -0.2], [0.0, -5.0], [1.0, 0.1]], np.float32)
    body = x_to_y(nodes, (3,), {"w": weight, "s": f(0.5)})
    found = translate(saved(model(body, domains={DOMAIN: 1})))
    (answer,) = found.run(np.eye(3, dtype=np.float32)[:1])
    assert answer.tolist() == [[0.5, -0.5]]
    assert found.graph.values[next(n for n in found.nodes if n.kind == "quantize").outputs[0]].format.name == "int1"


def test_bipolar_activations_are_one_bit() -> None:
    found = quant("BipolarQuant", {"s": f(1)}, "x s")
    assert found.kinds == ["elementwise:greater_equal", "elementwise:where", "quantize", "dequantize"]
    assert found.graph.values[found.nodes[2].outputs[0]].format.bits == 1


def test_trunc_keeps_the_upper_bits() -> None:
    found = quant("Trunc", {"s": f(0.25), "z": f(0), "i": f(8), "o": f(4)}, "x s z i o", rounding_mode="FLOOR")
    assert found.graph.values[next(n for n in found.nodes if n.kind == "quantize").outputs[0]].format.name == "int4"


@pytest.mark.parametrize(
    ("constants", "sentence"),
    [
        ({"s": f(0.1), "z": f(0), "b": f(3.5)}, "got a bit width of 3.5 but should be one whole number from 1 to 64"),
        ({"s": f(0.1), "z": f(0.5), "b": f(4)}, "got a zero point that is not a whole number but should be one"),
        (
            {"s": np.ones((1, 3, 4, 1), np.float32), "z": f(0), "b": f(4)},
            "got a scale of shape (1, 3, 4, 1) but should vary along one axis at most",
        ),
    ],
)
def test_what_quant_cannot_have(constants: dict[str, Any], sentence: str) -> None:
    body = x_to_y([node("Quant", "x s z b", domain=DOMAIN, signed=1)], (3, 4, 4), constants)
    assert problems(model(body, domains={DOMAIN: 1})) == [f"{sentence} [{DOMAIN}.Quant in the_Quant]"]

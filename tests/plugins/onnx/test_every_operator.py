"""Operators of the table that no other test uses: those with a price run by onnxruntime, those without by their sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from micronet_verify_onnx.op_table import TABLE
from onnx import TensorProto

from micronet_verify.framework.translation.table import Refusal
from tests.plugins.onnx.support import compare, model, node, problems, random, saved, translate, x_to_y

X = random(1, 4, 6)
WHOLE = (np.arange(1, 25, dtype=np.uint8).reshape(1, 4, 6)).astype(np.uint8)
MS = "com.microsoft"


def test_infinities_and_no_numbers() -> None:
    data = X.copy()
    data[0, 0, :3] = np.inf, -np.inf, np.nan
    for kind in ("IsInf", "IsNaN"):
        found = compare([node(kind, "x")], {"x": data}, opset=20, kinds=TensorProto.BOOL)
        assert found.work == [f"elementwise:{kind.lower()}"]


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_bits_are_shifted_by_a_power_of_two(direction: str) -> None:
    constants: dict[str, Any] = {"two": np.array([2], np.uint8)}
    found = compare([node("BitShift", "x two", direction=direction)], {"x": WHOLE}, constants, kinds=TensorProto.UINT8)
    assert found.work[-1].startswith("elementwise:")


def test_bits_are_turned_over() -> None:
    assert compare([node("BitwiseNot", "x")], {"x": WHOLE}, opset=18, kinds=TensorProto.UINT8).work == ["elementwise:not"]


def test_products_that_run_on() -> None:
    """onnxruntime 1.31 has no CumProd: the shape is the operand's, by its specification."""
    body = x_to_y([node("CumProd", "x axis")], (4, 6), {"axis": np.array(1, np.int64)})
    found = translate(saved(model(body, 26, 13)))
    assert (found.work, found.shapes()) == (["cumulative:cumprod"], [(1, 4, 6)])


def test_scatter_before_opset_11() -> None:
    constants: dict[str, Any] = {"i": np.array([[[1, 0]]], np.int64), "u": np.ones((1, 1, 2), np.float32)}
    assert compare([node("Scatter", "x i u", axis=1)], {"x": X}, constants, opset=10).work == ["scatter:replace"]


def test_quantizers_of_onnxruntime() -> None:
    constants: dict[str, Any] = {"s": np.float32(0.05), "z": np.uint8(128)}
    nodes = [node("QuantizeLinear", "x s z", "q", domain=MS), node("DequantizeLinear", "q s z", domain=MS)]
    assert compare(nodes, {"x": X}, constants, domains={MS: 1}).work == ["quantize", "dequantize"]


@pytest.mark.parametrize(("kind", "more"), [("BipolarQuant", {}), ("Trunc", {"z": 0, "b": 8, "c": 4})])
def test_brevitas_has_the_quantizers_of_qonnx(kind: str, more: dict[str, Any]) -> None:
    constants = {name: np.array(number, np.float32) for name, number in {"s": 0.1, **more}.items()}
    found = []
    for domain in ("onnx.brevitas", "qonnx.custom_op.general"):
        body = x_to_y([node(kind, " ".join(["x", *constants]), domain=domain)], (4, 6), constants)
        found.append(translate(saved(model(body, domains={domain: 1}))))
    assert found[0].kinds == found[1].kinds
    assert "quantize" in found[0].kinds


REFUSED = [key for key, line in TABLE.items() if isinstance(line, Refusal)]


@pytest.mark.parametrize(("domain", "kind"), REFUSED)
def test_every_refused_operator_says_why(domain: str, kind: str) -> None:
    line = TABLE[domain, kind]
    assert isinstance(line, Refusal)
    body = x_to_y([node(kind, "x", domain=domain)], (4, 6))
    (sentence,) = problems(model(body, 26, 13, {domain: 1} if domain else None))
    advice = f" ({line.advice})" if line.advice else ""
    place = f"{domain}.{kind}" if domain else kind
    assert sentence == f"got {kind}: {line.reason} but should be an operator that this counter can price [{place} in the_{kind}]{advice}"


def test_what_is_refused_is_an_operator_that_there_is() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""}
    assert {kind for domain, kind in REFUSED if domain == ""} <= known

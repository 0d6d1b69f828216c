"""One quantized layer in every spelling that tools write: the core charges each the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from micronet_verify.counting.count import count_graph
from micronet_verify.track.rules import CountingRules
from tests.plugins.onnx.support import model, node, saved, translate, x_to_y

QONNX = "qonnx.custom_op.general"


def f(number: Any) -> Any:
    return np.array(number, np.float32)


CODES = np.random.default_rng(0).integers(-8, 8, (4, 3, 3, 3))
CODES[0, 0, 0, :2] = -8, 7
WEIGHT = (CODES * f(0.25)).astype(np.float32)
SCALES = {"xs": f(0.02), "xz": np.uint8(120), "ys": f(0.05), "yz": np.uint8(100)}
QUANTIZED = [node("QuantizeLinear", "x xs xz", "q"), node("DequantizeLinear", "q xs xz", "xf")]
CONV = node("Conv", "xf wf", "c")
ANSWER = [node("QuantizeLinear", "c ys yz", "r"), node("DequantizeLinear", "r ys yz")]


def _model(
    nodes: list[onnx.NodeProto], constants: dict[str, Any], more: tuple[onnx.TensorProto, ...] = (), **options: Any
) -> onnx.ModelProto:
    body = x_to_y([_copy(item) for item in nodes], (3, 6, 6), constants)
    body.initializer.extend(more)
    return model(body, **options)


def _copy(item: onnx.NodeProto) -> onnx.NodeProto:
    made = onnx.NodeProto()
    made.CopyFrom(item)
    return made


def qdq() -> onnx.ModelProto:
    constants = {**SCALES, "w": CODES.astype(np.int8), "ws": f(0.25)}
    return _model([*QUANTIZED, node("DequantizeLinear", "w ws", "wf"), CONV, *ANSWER], constants)


def qcdq() -> onnx.ModelProto:
    constants = {**SCALES, "w": WEIGHT, "ws": f(0.25), "wz": np.int8(0), "lo": np.int8(-8), "hi": np.int8(7)}
    weight = [node("QuantizeLinear", "w ws wz", "wq"), node("Clip", "wq lo hi", "wc"), node("DequantizeLinear", "wc ws wz", "wf")]
    return _model([*QUANTIZED, *weight, CONV, *ANSWER], constants)


def qonnx() -> onnx.ModelProto:
    constants = {"xs": f(0.02), "xz": f(120), "ys": f(0.05), "yz": f(100), "z": f(0), "b8": f(8), "b4": f(4), "ws": f(0.25), "w": WEIGHT}
    nodes = [
        node("Quant", "x xs xz b8", "xf", domain=QONNX, signed=0),
        node("Quant", "w ws z b4", "wf", domain=QONNX, signed=1),
        CONV,
        node("Quant", "c ys yz b8", domain=QONNX, signed=0),
    ]
    return _model(nodes, constants, domains={QONNX: 1})


def qlinear() -> onnx.ModelProto:
    constants = {**SCALES, "w": CODES.astype(np.int8), "ws": f(0.25), "wz": np.int8(0)}
    return _model([QUANTIZED[0], node("QLinearConv", "q xs xz w ws wz ys yz", "r"), ANSWER[1]], constants)


def integer() -> onnx.ModelProto:
    constants = {**SCALES, "w": CODES.astype(np.int8), "s": f(0.02 * 0.25)}
    nodes = [
        QUANTIZED[0],
        node("ConvInteger", "q w xz", "p"),
        node("Cast", "p", "f", to=TensorProto.FLOAT),
        node("Mul", "f s", "c"),
        *ANSWER,
    ]
    return _model(nodes, constants)


def int4() -> onnx.ModelProto:
    weight = helper.make_tensor("w", TensorProto.INT4, CODES.shape, CODES.flatten())
    return _model(
        [*QUANTIZED, node("DequantizeLinear", "w ws", "wf"), CONV, *ANSWER], {**SCALES, "ws": f(0.25)}, (weight,), opset=21, ir=10
    )


def constant_node() -> onnx.ModelProto:
    constants = {**SCALES, "ws": f(0.25)}
    weight = node("Constant", "", "w", value=onnx.numpy_helper.from_array(CODES.astype(np.int8)))
    return _model([weight, *QUANTIZED, node("DequantizeLinear", "w ws", "wf"), CONV, *ANSWER], constants)


def function() -> onnx.ModelProto:
    body = [node("DequantizeLinear", "codes scale", "v"), node("Conv", "h v", "o")]
    layer = helper.make_function("my.domain", "Layer", ["h", "codes", "scale"], ["o"], body, [helper.make_opsetid("", 17)])
    constants = {**SCALES, "w": CODES.astype(np.int8), "ws": f(0.25)}
    nodes = [*QUANTIZED, node("Layer", "xf w ws", "c", domain="my.domain"), *ANSWER]
    return _model(nodes, constants, domains={"my.domain": 1}, functions=[layer])


@pytest.mark.parametrize("spelling", [qcdq, qonnx, qlinear, integer, int4, constant_node, function], ids=lambda made: made.__name__)
def test_every_spelling_of_a_quantized_layer_costs_the_same(spelling: Callable[[], onnx.ModelProto]) -> None:
    assert _total(spelling()) == _total(qdq())


def _total(proto: onnx.ModelProto) -> dict[str, tuple[object, object]]:
    found = translate(saved(proto))
    ledgers = count_graph(found.graph, found.store, CountingRules()).ledgers
    assert list(ledgers) == ["quantized"]
    return {regime: (ledger.storage, ledger.operations) for regime, ledger in ledgers.items()}


PAIRS: dict[str, tuple[list[onnx.NodeProto], list[onnx.NodeProto]]] = {
    "swish": ([node("Sigmoid", "x", "s"), node("Mul", "x s")], [node("Swish", "x")]),
    "linear as Gemm and MatMul": ([node("Gemm", "x w", transB=1)], [node("Transpose", "w", "t"), node("MatMul", "x t")]),
    "linear as Einsum": ([node("Gemm", "x w", transB=1)], [node("Einsum", "x w", equation="bi,oi->bo")]),
    "linear as Mul and ReduceSum": (
        [node("Gemm", "x w", transB=1)],
        [node("Unsqueeze", "x one", "u"), node("Mul", "u w", "m"), node("ReduceSum", "m two", keepdims=0)],
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_of_spellings_cost_the_same(name: str) -> None:
    totals = []
    for nodes in PAIRS[name]:
        constants = {"w": WEIGHT.reshape(12, 9)[:, :4], "one": np.array([1]), "two": np.array([2])}
        used = {key: value for key, value in constants.items() if any(key in item.input for item in nodes)}
        found = translate(saved(model(x_to_y([_copy(item) for item in nodes], (4,), used), 24, 11)))
        ledger = count_graph(found.graph, found.store, CountingRules()).ledgers["freebie"]
        totals.append((ledger.storage, ledger.operations))
    assert totals[0] == totals[1]

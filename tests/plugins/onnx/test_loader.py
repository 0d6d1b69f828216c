"""The loader: onnxruntime's own answers, one sentence for every way in which a file does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from micronet_verify_onnx.loader import OnnxLoader
from onnx import TensorProto

from micronet_verify.errors import SubmissionFault
from micronet_verify.framework.requests import ExportRequest, PredictRequest
from tests.plugins.onnx.support import execute, graph, info, model, node, random, saved, translate, unknown, x_to_y

BOOL = TensorProto.BOOL


def classifier(batch: int | str = "n", **options: Any) -> Path:
    nodes = [node("Flatten", "x", "f"), node("Gemm", "f w b")]
    return saved(model(graph(nodes, [info("x", (batch, 2, 3))], [unknown("y")], {"w": random(6, 4), "b": random(4)}), **options))


def predict(path: Path, inputs: Any, batch_size: int = 4) -> list[Any]:
    return list(OnnxLoader().predict(PredictRequest(path, inputs, batch_size, 1)))


def sentence(path: Path, inputs: Any) -> str:
    with pytest.raises(SubmissionFault) as caught:
        predict(path, inputs)
    return str(caught.value)


def test_answers_come_batch_by_batch_and_the_last_may_be_short() -> None:
    path, inputs = classifier(), random(10, 2, 3)
    answers = predict(path, inputs)
    assert [len(answer.outputs) for answer in answers] == [4, 4, 2]
    np.testing.assert_allclose(np.concatenate([answer.outputs for answer in answers]), execute(path, {"x": inputs})[0], rtol=1e-5)
    assert all(answer.taken == {} for answer in answers)


def test_a_model_of_batch_one_is_fed_one_at_a_time() -> None:
    inputs = random(5, 2, 3)
    answers = predict(classifier(1), inputs)
    assert [answer.outputs.shape for answer in answers] == [(4, 4), (1, 4)]
    np.testing.assert_allclose(np.concatenate([answer.outputs for answer in answers]), execute(classifier(), {"x": inputs})[0], rtol=1e-5)


def test_of_several_outputs_the_first_is_the_answer() -> None:
    nodes = [node("Relu", "x", "y"), node("ArgMax", "x", "best", axis=1)]
    path = saved(model(graph(nodes, [info("x", ("n", 3))], [unknown("y"), unknown("best", TensorProto.INT64)])))
    (answer,) = predict(path, random(3, 3))
    assert answer.outputs.shape == (3, 3)


def test_half_precision_models_answer_in_float32() -> None:
    path = saved(model(graph([node("Relu", "x")], [info("x", ("n", 3), TensorProto.FLOAT16)], [unknown("y", TensorProto.FLOAT16)])))
    (answer,) = predict(path, random(3, 3))
    assert answer.outputs.dtype == np.float32


def test_word_numbers() -> None:
    path = saved(model(x_to_y([node("Gather", "t x")], (2,), {"t": random(5, 3)}, kind=TensorProto.INT64)))
    (answer,) = predict(path, np.array([[1, 4]], np.int64))
    assert answer.outputs.shape == (1, 2, 3)


def test_an_initializer_that_is_listed_as_input_is_not_fed() -> None:
    body = graph([node("MatMul", "x w")], [info("x", ("n", 2)), info("w", (2, 3))], [unknown("y")], {"w": random(2, 3)})
    assert predict(saved(model(body)), random(2, 2))[0].outputs.shape == (2, 3)


def test_onnx_entries_are_not_exported(tmp_path: Path) -> None:
    with pytest.raises(
        SubmissionFault, match=r"got an ONNX entry in source form but should hand in the \.onnx file itself \[net\.py:build\]"
    ):
        OnnxLoader().export(ExportRequest(tmp_path, "net.py:build", "", (2, 3), tmp_path))


@pytest.mark.parametrize(
    ("batch", "inputs", "expected"),
    [
        (
            8,
            random(8, 2, 3),
            "got a fixed batch of 8 but should be 1 or free (dynamic) [input 'x'] (export with a free batch, or with one example)",
        ),
        ("n", random(4, 3, 2), "got an input of shape (batch, 2, 3) but should take examples of shape (3, 2) [input 'x']"),
        ("n", random(4, 6), "got an input of shape (batch, 2, 3) but should take examples of shape (6,) [input 'x']"),
        ("n", np.zeros((4, 2, 3), np.int64), "got an input of type float32 but should accept int64, which the track feeds [input 'x']"),
    ],
)
def test_inputs_that_do_not_fit(batch: int | str, inputs: Any, expected: str) -> None:
    assert sentence(classifier(batch), inputs) == expected


def test_models_that_do_not_fit() -> None:
    two = saved(model(graph([node("Add", "x z")], [info("x", ("n", 3)), info("z", ("n", 3))], [unknown("y")])))
    assert sentence(two, random(1, 3)) == "got a model with 2 inputs but should have one"
    label = saved(model(graph([node("ArgMax", "x", axis=1)], [info("x", ("n", 3))], [unknown("y", TensorProto.INT64)])))
    assert sentence(label, random(1, 3)).startswith("got a first output of type tensor(int64) but should be one of tensor(float)")
    scalar = saved(model(x_to_y([node("ReduceSum", "x", keepdims=0)], (3,))))
    assert sentence(scalar, random(2, 3)) == "got an output of shape () for 2 examples but should have 2 rows [output 'y']"
    mixed = saved(model(x_to_y([node("ReduceSum", "x")], (3,))))
    assert sentence(mixed, random(2, 3)) == "got an output of shape (1, 1) for 2 examples but should have 2 rows [output 'y']"


def test_a_model_that_onnxruntime_refuses_or_that_fails_says_why() -> None:
    unknown_operator = saved(model(x_to_y([node("Nonsense", "x")], (3,))))
    found = sentence(unknown_operator, random(1, 3))
    assert found.startswith("got a model that onnxruntime does not load: ")
    assert "Nonsense" in found
    assert found.endswith("but should load")
    reshape = saved(model(x_to_y([node("Reshape", "x s")], (3,), {"s": np.array([1, 3])})))
    found = sentence(reshape, random(2, 3))
    assert found.startswith("got a model that fails on an input: ")
    assert found.endswith("but should answer inputs of shape (2, 3)")


def test_qonnx_operators_cannot_be_run() -> None:
    domain = "qonnx.custom_op.general"
    constants = {"s": np.float32(1), "z": np.float32(0), "b": np.float32(4)}
    body = x_to_y([node("Quant", "x s z b", domain=domain)], (3,), constants)
    assert sentence(saved(model(body, domains={domain: 1})), random(1, 3)) == (
        "got a model with QONNX operators (Quant) but should be plain ONNX to be run: onnxruntime has no QONNX operators [model.onnx] "
        "(export it as QCDQ (QuantizeLinear, Clip, DequantizeLinear), which counts the same)"
    )


def branching() -> Path:
    """Positive examples take the first body, and inside it those above 10 the first again."""

    def body(nodes: list[Any], output: str, **constants: Any) -> Any:
        return graph(nodes, [], [unknown(output)], constants)

    inner = {
        "then_branch": body([node("Mul", "x w1", "p")], "p", w1=random(1, 3)),
        "else_branch": body([node("Add", "x w2", "q")], "q", w2=random(1, 3)),
    }
    outer = {
        "then_branch": body([node("Greater", "t ten", "big"), node("If", "big", "i", **inner)], "i", ten=np.float32(10)),
        "else_branch": body([node("Neg", "x", "n")], "n"),
    }
    nodes = [node("ReduceSum", "x", "t", keepdims=0), node("Greater", "t zero", "c"), node("If", "c", **outer)]
    return saved(model(x_to_y(nodes, (3,), {"zero": np.float32(0)})))


def test_branches_are_recorded_example_by_example() -> None:
    path = branching()
    inputs = np.array([[1, 1, 1], [-1, -1, -1], [9, 9, 9], [2, 0, 0]], np.float32)
    (answer,) = predict(path, inputs)
    assert answer.taken == {"y": (0, 1, 0, 0), "y/then/i": (1, -1, 0, 1)}
    names = {n.attributes["id"] for n in translate(path).nodes if n.kind == "branch"}
    assert names == {"y"}
    for row, example in zip(answer.outputs, inputs, strict=True):
        np.testing.assert_allclose(row, execute(path, {"x": example[None]})[0][0], rtol=1e-6)

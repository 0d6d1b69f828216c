"""Predictions: batches, quantized inputs and outputs, and models that do not fit what the track feeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from micronet_verify_tflite.loader import TfliteLoader
from numpy.typing import NDArray

from micronet_verify.errors import SubmissionFault
from micronet_verify.framework.registry import framework_of
from micronet_verify.framework.requests import ExportRequest, PredictRequest
from tests.plugins.tflite.support import execute, random, saved, translate
from tests.plugins.tflite.writer import File

Array = NDArray[Any]


def dense(batch: int = -1, dtype: str = "float32", **quantization: Any) -> File:
    file, sub = File.new()
    x = sub.input((batch, 6), dtype, **quantization)
    if dtype == "float32":
        sub.outputs = sub.op("FULLY_CONNECTED", [x, sub.constant(random(3, 6)), -1], [sub.tensor((batch, 3))], "FullyConnected")
        return file
    weight = sub.constant(np.arange(-9, 9).astype(np.int8).reshape(3, 6), scale=0.01)
    y = sub.tensor((batch, 3), dtype, scale=0.05, zero=7)
    sub.outputs = sub.op("FULLY_CONNECTED", [x, weight, -1], [y], "FullyConnected", version=4)
    return file


def answers(file: File | Path, x: Array, batch: int = 4) -> list[Array]:
    return [
        answer.outputs for answer in TfliteLoader().predict(PredictRequest(file if isinstance(file, Path) else saved(file), x, batch, 1))
    ]


def refusal(file: File, x: Array) -> str:
    with pytest.raises(SubmissionFault) as caught:
        answers(file, x)
    return str(caught.value)


@pytest.mark.parametrize("batch", [-1, 1])
def test_batches_of_any_size_and_a_fixed_batch_of_one(batch: int) -> None:
    path, x = saved(dense(batch)), random(10, 6)
    found = answers(path, x)
    assert [len(part) for part in found] == [4, 4, 2]
    expected = np.concatenate([execute(saved(dense(1)), row[None])[0] for row in x])
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-6, atol=1e-6)


def test_quantized_input_and_output_are_floats_outside() -> None:
    scale, zero = 0.03, 4
    path, x = saved(dense(-1, "int8", scale=scale, zero=zero)), 3 * random(5, 6)
    found = np.concatenate(answers(path, x))
    codes = np.clip(np.trunc(x / np.float32(scale) + np.copysign(0.5, x)) + zero, -128, 127).astype(np.int8)
    expected = np.concatenate([execute(saved(dense(1, "int8", scale=scale, zero=zero)), row[None])[0] for row in codes])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, (expected.astype(np.float32) - 7) * np.float32(0.05))


def test_an_input_is_quantized_as_the_interpreter_does_it() -> None:
    """Half a step is rounded away from zero, numbers outside of the range are clipped."""
    scale, x = np.float32(0.5), np.array([[-0.75, -0.25, 0.25, 0.75, 1000, -1000]], np.float32)
    file, sub = File.new()
    given = sub.input((-1, 6))
    sub.outputs = sub.op("QUANTIZE", [given], [sub.tensor((-1, 6), "int8", scale=scale, zero=-1)])
    expected = execute(saved(file), x)[0]
    other, sub = File.new()
    given = sub.input((-1, 6), "int8", scale=scale, zero=-1)
    sub.outputs = sub.op("RELU", [given], [sub.tensor((-1, 6), "int8", scale=scale, zero=-1)])
    np.testing.assert_array_equal(np.concatenate(answers(other, x)), np.maximum((expected.astype(np.float32) + 1) * scale, 0))


def test_tokens_are_fed_as_they_are() -> None:
    file, sub = File.new()
    x = sub.input((-1, 3), "int32")
    sub.outputs = sub.op("GATHER", [sub.constant(random(9, 2)), x], [sub.tensor((-1, 3, 2))], "Gather", axis=0)
    tokens = np.arange(9).reshape(3, 3).astype(np.int64)
    np.testing.assert_array_equal(np.concatenate(answers(file, tokens)), random(9, 2)[tokens])


def test_half_precision_answers_are_float32() -> None:
    file, sub = File.new()
    x = sub.input((1, 3))
    sub.outputs = sub.op("CAST", [x], [sub.tensor((1, 3), "float16")], "Cast")
    (found,) = answers(file, np.ones((2, 3), np.float32))
    assert (found.dtype, found.shape) == (np.float32, (2, 3))


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (random(2, 7), "got an input of shape (batch, 6) but should take examples of shape (7,) [input 'x']"),
        (np.ones((2, 6), np.int64), "got an input of type float32 but should accept int64, which the track feeds [input 'x']"),
    ],
)
def test_inputs_that_do_not_fit(x: Array, sentence: str) -> None:
    assert refusal(dense(), x) == sentence


def test_models_that_are_not_run() -> None:
    file = dense()
    file.subs[0].inputs.append(file.subs[0].tensor((-1, 6)))
    assert refusal(file, random(2, 6)) == "got a model with 2 inputs but should have one [model.tflite]"
    file = dense()
    file.subs[0].operators[0].opcodeIndex = file.code("RANDOM_UNIFORM")
    assert refusal(file, random(2, 6)) == (
        "got a model with RANDOM_UNIFORM but should have operators that the counter prices [model.tflite]"
    )
    file, sub = File.new()
    x = sub.input((-1, 6))
    sub.outputs = sub.op("CAST", [x], [sub.tensor((-1, 6), "int32")], "Cast")
    assert refusal(file, random(2, 6)) == (
        "got a first output of type int32 but should be quantized, or one of float32, float16, float64 [output 't1']"
    )


def test_what_the_interpreter_refuses_is_one_sentence() -> None:
    file, sub = File.new()
    sub.outputs = sub.op("RESHAPE", [sub.input((1, 6)), sub.constant(np.array([1, 5], np.int32))], [sub.tensor((1, 5))])
    sentence = refusal(file, random(2, 6))
    assert sentence.startswith("got a model that the interpreter does not load: ")
    assert "\n" not in sentence


def test_source_form_is_not_supported(tmp_path: Path) -> None:
    request = ExportRequest(tmp_path, "model.py:net", "weights.h5", (6,), tmp_path)
    with pytest.raises(SubmissionFault) as caught:
        TfliteLoader().export(request)
    assert str(caught.value) == "got a TFLite entry in source form but should hand in the .tflite file itself [model.py:net]"


def test_neither_the_plugin_nor_the_counter_needs_tensorflow_or_the_interpreter() -> None:
    path = saved(dense())
    program = f"""
import sys, tempfile
from pathlib import Path
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.registry import framework_of
from micronet_verify.framework.requests import TranslateRequest
found = framework_of("model.tflite")
assert found.name == "tflite" and set(found.version()) == {{"ai-edge-litert"}}
with tempfile.TemporaryDirectory() as folder:
    found.counter().translate(TranslateRequest(Path({str(path)!r})), GraphBuilder(Path(folder)))
heavy = {{"tensorflow", "ai_edge_litert", "flatbuffers", "tflite", "keras", "torch", "onnx"}}
assert not heavy & {{name.partition(".")[0] for name in sys.modules}}
assert "tensorflow" not in sys.modules
found.loader()
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_a_file_of_two_signatures_says_which_one_is_counted() -> None:
    """E: it was counted by one without a word."""
    notes = []
    for keys in (("serve",), ("serve", "train")):
        file, sub = File.new()
        sub.outputs = sub.op("RELU", [sub.input((-1, 3))], [sub.tensor(())])
        other = file.sub("train")
        other.outputs = other.op("EXP", [other.input((-1, 3))], [other.tensor(())])
        file.signatures = list(keys)
        notes.append(translate(file).graph.notes)
    assert notes == [(), ("the file has 2 signatures ('serve', 'train'); what is counted and runs is 'serve'",)]


def test_hybrid_layers_run_as_the_file_says() -> None:
    """C1: XNNPACK quantizes activations with a zero point whatever the file says."""
    weight, x = np.random.default_rng(0).integers(-127, 128, (5, 8)).astype(np.int8), random(20, 8)
    for asymmetric in (False, True):
        file, sub = File.new()
        given = sub.input((-1, 8))
        matrix = sub.constant(weight, scale=[0.01])
        options = {"asymmetricQuantizeInputs": asymmetric}
        sub.outputs = sub.op("FULLY_CONNECTED", [given, matrix, -1], [sub.tensor((-1, 5))], "FullyConnected", **options)
        found = translate(file)
        answers = np.concatenate([answer.outputs for answer in TfliteLoader().predict(PredictRequest(found.path, x, 7, 1))])
        mine = np.concatenate([found.run(row[None])[0] for row in x])
        np.testing.assert_allclose(answers, mine, rtol=1e-5, atol=1e-5)


def test_the_plugin_is_found_by_its_ending() -> None:
    assert framework_of("net.tflite").name == "tflite"

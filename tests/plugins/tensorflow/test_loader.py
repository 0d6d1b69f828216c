"""The loader: TensorFlow's own answers, one sentence for every way in which a model does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from micronet_verify_tensorflow.loader import TensorFlowLoader

from micronet_verify.errors import SubmissionFault
from micronet_verify.framework.requests import ExportRequest
from tests.plugins.tensorflow.support import Builder, predict, random

W, B = random(6, 4), random(4)


@pytest.fixture(scope="module")
def free(build: Builder) -> Path:
    tf = build.tf
    return build.saved(lambda x, w, b: tf.matmul(tf.reshape(x, [-1, 6]), w) + b, [(None, 2, 3)], variables=[W, B])


@pytest.fixture(scope="module")
def single(build: Builder) -> Path:
    tf = build.tf
    return build.saved(lambda x, w, b: tf.matmul(tf.reshape(x, [1, 6]), w) + b, [(1, 2, 3)], variables=[W, B])


def sentence(path: Path, inputs: Any) -> str:
    with pytest.raises(SubmissionFault) as caught:
        predict(path, inputs)
    return str(caught.value)


def test_answers_come_batch_by_batch_and_the_last_may_be_short(free: Path) -> None:
    inputs = random(10, 2, 3)
    answers = predict(free, inputs)
    assert [len(answer.outputs) for answer in answers] == [4, 4, 2]
    np.testing.assert_allclose(np.concatenate([answer.outputs for answer in answers]), inputs.reshape(10, 6) @ W + B, rtol=1e-5, atol=1e-6)
    assert all(answer.taken == {} for answer in answers)


def test_a_model_of_batch_one_is_fed_one_at_a_time(single: Path) -> None:
    inputs = random(5, 2, 3)
    answers = predict(single, inputs)
    assert [answer.outputs.shape for answer in answers] == [(4, 4), (1, 4)]
    np.testing.assert_allclose(np.concatenate([answer.outputs for answer in answers]), inputs.reshape(5, 6) @ W + B, rtol=1e-5, atol=1e-6)


def test_of_several_outputs_the_first_by_name_is_the_answer(build: Builder) -> None:
    path = build.saved(lambda x: {"b": 2 * x, "a": 3 * x}, [(None, 3)])
    inputs = random(2, 3)
    np.testing.assert_allclose(predict(path, inputs)[0].outputs, 3 * inputs, rtol=1e-6)


def test_half_precision_models_answer_in_float32_and_integers_fit_integers(build: Builder) -> None:
    tf = build.tf
    half = build.saved(lambda x: 2 * x, [(None, 3)], ["float16"])
    assert predict(half, random(2, 3))[0].outputs.dtype == np.float32
    words = build.saved(lambda x, t: tf.gather(t, x), [(None, 2)], ["int32"], [random(5, 3)])
    assert predict(words, np.array([[1, 4]], np.int64))[0].outputs.shape == (1, 2, 3)


def test_two_models_in_one_process(free: Path, single: Path) -> None:
    inputs = random(3, 2, 3)
    first, second = (predict(path, inputs)[0].outputs for path in (free, single))
    np.testing.assert_allclose(first, second, rtol=1e-5)


def test_inputs_that_do_not_fit(free: Path, build: Builder) -> None:
    assert sentence(free, random(4, 3, 2)) == "got an input of shape (batch, 2, 3) but should take examples of shape (3, 2) [input 'x0']"
    wrong = np.zeros((4, 2, 3), np.int64)
    assert sentence(free, wrong) == "got an input of type float32 but should accept int64, which the track feeds [input 'x0']"
    two = build.saved(lambda x, y: x + y, [(None, 3), (None, 3)])
    assert sentence(two, random(1, 3)) == "got a model with 2 inputs but should have one"


def test_outputs_that_do_not_fit(build: Builder) -> None:
    tf = build.tf
    label = build.saved(lambda x: tf.argmax(x, -1), [(None, 3)])
    assert sentence(label, random(1, 3)) == "got a first output of type int64 but should be of floats [output 'output_0']"
    scalar = build.saved(lambda x: tf.reduce_sum(x), [(None, 3)])
    assert sentence(scalar, random(2, 3)) == "got an output of shape () for 2 examples but should have 2 rows [output 'output_0']"
    mixed = build.saved(lambda x: tf.reduce_sum(x, 0, keepdims=True), [(None, 3)])
    assert sentence(mixed, random(2, 3)) == "got an output of shape (1, 3) for 2 examples but should have 2 rows [output 'output_0']"


def test_a_model_that_fails_says_why(build: Builder) -> None:
    path = build.saved(lambda x, t: build.tf.gather(t, x), [(None, 2)], ["int32"], [random(5, 3)])
    found = sentence(path, np.array([[1, 9], [0, 0]]))
    assert found.startswith("got a model that fails on an input: ")
    assert found.endswith("but should answer inputs of shape (2, 2)")


def test_tensorflow_entries_are_not_exported(tmp_path: Path) -> None:
    with pytest.raises(SubmissionFault) as caught:
        TensorFlowLoader().export(ExportRequest(tmp_path, "net.py:build", "", (2, 3), tmp_path))
    assert str(caught.value) == (
        "got a TensorFlow entry in source form but should hand in a SavedModel or a .keras file [net.py:build] "
        "(model.save('model.keras'), or model.export(folder) for a SavedModel)"
    )


def test_the_graph_runs_as_it_is_written(build: Builder) -> None:
    """C1: Grappler makes x·(1/c) of x/c, which gives other bits, and one constant of two: 5,042 and 5,935 of 20,000 numbers differ."""
    tf, x = build.tf, (np.arange(1, 20_001, dtype=np.float32) * np.float32(0.05)).reshape(2, 10_000)
    quotient = predict(build.saved(lambda x: x / tf.constant(0.3), [(None, 10_000)]), x)
    np.testing.assert_array_equal(np.concatenate([answer.outputs for answer in quotient]), x / np.float32(0.3))
    product = predict(build.saved(lambda x: (x * 0.3) * 0.7, [(None, 10_000)]), x)
    np.testing.assert_array_equal(np.concatenate([answer.outputs for answer in product]), (x * np.float32(0.3)) * np.float32(0.7))

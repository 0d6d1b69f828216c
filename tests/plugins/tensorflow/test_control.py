"""Calls, loops of known length, branches that the data decides, and recurrent layers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.plugins.tensorflow.support import Builder, predict, problems, random, translate

SEQUENCE = random(1, 5, 6)


def test_calls_are_inlined_and_share_their_variables(build: Builder) -> None:
    tf = build.tf
    inner = tf.function(lambda x, w: tf.nn.relu(tf.matmul(x, w)))
    found = build.compare(lambda x, w: inner(inner(x, w), w), random(1, 6), variables=[random(6, 6)])
    assert found.work == ["matmul", "elementwise:relu"] * 2
    assert len({name for node in found.nodes if node.kind == "matmul" for name in node.inputs[1:]}) == 1


def test_loops_of_known_length_are_written_out(build: Builder) -> None:
    tf = build.tf

    def loop(x: Any, w: Any) -> Any:
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, w))), [0, x])[1]

    found = build.compare(loop, random(1, 6), variables=[random(6, 6)])
    assert found.work == ["matmul", "elementwise:tanh"] * 3


def test_a_loop_whose_length_the_data_decides_is_refused(build: Builder) -> None:
    tf = build.tf

    def loop(x: Any) -> Any:
        return tf.while_loop(lambda y: tf.reduce_sum(y) < 10, lambda y: (2 * y,), [x])[0]

    (found,) = problems(build.saved(loop, [(None, 6)]))
    assert found.startswith("got a loop whose number of turns the data decides but should turn a constant number of times [")
    assert found.endswith("(give the loop a constant number of turns: a fixed sequence length, and no mask that stops it)")


def test_a_loop_without_end_is_refused(build: Builder) -> None:
    tf = build.tf
    path = build.saved(lambda x: tf.while_loop(lambda i, y: i < 2**30, lambda i, y: (i + 1, y + 1), [0, x])[1], [(None, 6)])
    (found,) = problems(path)
    assert " turns of " in found
    assert found.startswith("got a loop of more than ")


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("whole", [False, True])
def test_recurrent_layers_are_their_steps(build: Builder, keras: Any, layer: str, whole: bool) -> None:
    """The same count whether Keras writes a loop or the steps one by one."""
    counts = []
    for unrolled in (False, True):
        keras.utils.set_random_seed(1)
        recurrent = getattr(keras.layers, layer)(3, return_sequences=whole, unroll=unrolled, bias_initializer="random_normal")
        model = keras.Sequential([keras.Input((5, 6)), recurrent])
        found = translate(build.exported(model), batch=True)
        np.testing.assert_allclose(found.run(SEQUENCE)[0], np.asarray(model(SEQUENCE)), rtol=1e-5, atol=1e-6)
        counts.append({name: (ledger.storage, ledger.operations) for name, ledger in found.count().ledgers.items()})
    assert counts[0] == counts[1]


def test_both_directions(build: Builder, keras: Any) -> None:
    model = keras.Sequential([keras.Input((5, 6)), keras.layers.Bidirectional(keras.layers.GRU(3, return_sequences=True))])
    found = translate(build.exported(model), batch=True)
    np.testing.assert_allclose(found.run(SEQUENCE)[0], np.asarray(model(SEQUENCE)), rtol=1e-5, atol=1e-6)


def test_an_lstm_costs_its_steps(build: Builder, keras: Any) -> None:
    steps, inputs, hidden = 5, 6, 3
    layer = keras.layers.LSTM(hidden, bias_initializer="random_normal", unit_forget_bias=False)
    ledger = translate(build.exported(keras.Sequential([keras.Input((steps, inputs)), layer]))).count().ledgers["freebie"]
    sigmoids, tanhs, products = 3 * 2, 2, 3
    assert ledger.quantity("operations", "multiply") == steps * hidden * (4 * (inputs + hidden) + sigmoids + tanhs + products)
    # Both products are summed, then the bias; a sigmoid has an add, and so has the new cell.
    sums = 4 * (inputs - 1 + hidden - 1 + 1 + 1)
    assert ledger.quantity("operations", "add") == steps * hidden * (sums + 3 + 1)
    assert ledger.storage == Fraction(16, 32) * 4 * hidden * (inputs + hidden + 1)


def branching(tf: Any) -> Any:
    """Positive examples take the first body."""

    def model(x: Any, w: Any, b: Any) -> Any:
        inner = tf.function(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: tf.matmul(x, w), lambda: x[:, :2] + b))
        return inner(x)

    return model


def test_branches_are_counted_and_recorded_example_by_example(build: Builder) -> None:
    w, b = random(3, 2), random(2, seed=1)
    path = build.saved(branching(build.tf), [(None, 3)], variables=[w, b])
    found = translate(path)
    (branch,) = [node for node in found.nodes if node.kind == "branch"]
    inputs = np.array([[1, 1, 1], [-1, -1, -1], [9, 9, 9], [-2, 0, 0]], np.float32)
    (answer,) = predict(path, inputs)
    assert answer.taken == {branch.attributes["id"]: (0, 1, 0, 1)}
    wanted = np.where(inputs.sum(1, keepdims=True) > 0, inputs @ w, inputs[:, :2] + b)
    np.testing.assert_allclose(answer.outputs, wanted, rtol=1e-5)
    np.testing.assert_allclose(found.run(inputs[:1])[0], wanted[:1], rtol=1e-5)


def test_a_choice_that_shapes_decide_is_its_body(build: Builder) -> None:
    tf = build.tf

    def model(x: Any) -> Any:
        return tf.cond(tf.shape(x)[1] > 4, lambda: tf.nn.relu(x), lambda: tf.exp(x))

    path = build.saved(model, [(None, 6)])
    assert translate(path).work == ["elementwise:relu"]
    assert predict(path, random(3, 6))[0].taken == {}


def test_lists_that_are_read_before_they_are_written(build: Builder) -> None:
    tf = build.tf

    def model(x: Any) -> Any:
        empty = tf.raw_ops.TensorListReserve(element_shape=tf.constant([6], tf.int32), num_elements=2, element_dtype=tf.float32)
        return x + tf.raw_ops.TensorListGetItem(input_handle=empty, index=1, element_shape=tf.constant([6]), element_dtype=tf.float32)

    (found,) = problems(build.saved(model, [(None, 6)]))
    assert found.startswith("got element 1 of a list, which nothing wrote but should be written before it is read [TensorListGetItem")

"""FakeQuant nodes: the grid that TensorFlow documents, as quantize and dequantize nodes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.plugins.tensorflow.support import Builder, problems, random

X = 3 * random(1, 4, 6)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("bounds", [(-6.0, 6.0), (0.0, 6.0), (-1.0, 3.0), (0.5, 4.0), (-4.0, -0.1)])
def test_activations(build: Builder, bounds: tuple[float, float], bits: int, narrow: bool) -> None:
    tf, (low, high) = build.tf, bounds
    fake = tf.quantization.fake_quant_with_min_max_args
    found = build.compare(lambda x: fake(x, low, high, bits, narrow), X)
    assert found.work == ["quantize", "dequantize"]


def test_symmetric_grids_have_no_zero_point_and_others_one(build: Builder) -> None:
    fake = build.tf.quantization.fake_quant_with_min_max_args
    symmetric = build.compare(lambda x: fake(x, -1.27, 1.27, 8, narrow_range=True), X)
    assert [len(node.inputs) for node in symmetric.nodes] == [2, 2]
    assert symmetric.graph.values[symmetric.nodes[0].outputs[0]].format.name == "int8"
    assert symmetric.nodes[0].attributes["low"] == -127
    shifted = build.compare(lambda x: fake(x, -1.0, 3.0), X)
    assert [len(node.inputs) for node in shifted.nodes] == [3, 3]


def test_ranges_in_variables_and_per_channel(build: Builder) -> None:
    tf = build.tf
    fake = tf.quantization.fake_quant_with_min_max_vars
    build.compare(lambda x, a, b: fake(x, a, b), X, variables=[np.float32(-2), np.float32(5)])
    low, high = np.linspace(-3, -0.5, 6, dtype=np.float32), np.linspace(0.5, 3, 6, dtype=np.float32)
    each = tf.quantization.fake_quant_with_min_max_vars_per_channel
    build.compare(lambda x, a, b: each(x, a, b), X, variables=[low, high])


def test_a_quantized_convolution_multiplies_as_narrow_as_its_codes(build: Builder) -> None:
    """Weights of 4 bits per output channel, activations of 8: each product is 8/32 of an operation (O2), 16 scales are stored."""
    tf, channels = build.tf, 16
    each, fake = tf.quantization.fake_quant_with_min_max_vars_per_channel, tf.quantization.fake_quant_with_min_max_args
    weight = random(3, 3, 4, channels)
    bound = np.abs(weight).max((0, 1, 2))

    def layer(x: Any, w: Any, low: Any, high: Any) -> Any:
        return tf.nn.conv2d(fake(x, -4, 4, 8, narrow_range=True), each(w, low, high, 4, narrow_range=True), 1, "SAME")

    found = build.compare(layer, random(1, 5, 5, 4), variables=[weight, -bound, bound])
    count = found.count()
    assert set(count.ledgers) == {"quantized"}
    lines = [line for line in count.ledgers["quantized"].lines if line.rule == "O1" and line.operation == "multiply"]
    assert {line.bits for line in lines} == {8}
    stored = [line for line in count.ledgers["quantized"].lines if line.axis == "storage"]
    codes = sum((line.amount for line in stored if line.bits <= 4), Fraction(0))
    assert codes <= Fraction(3 * 3 * 4 * channels * 4, 32)


def test_ranges_that_the_data_decides_and_ranges_that_are_none(build: Builder) -> None:
    tf = build.tf
    fake = tf.quantization.fake_quant_with_min_max_vars
    (found,) = problems(build.saved(lambda x: fake(x, tf.reduce_min(x), tf.reduce_max(x)), [(None, 6)]))
    assert found.startswith("got bounds that the data decides but should be constants [FakeQuantWithMinMaxVars in ")
    (found,) = problems(build.saved(lambda x, a: fake(x, a, a), [(None, 6)], variables=[np.float32(1)]))
    assert found.startswith("got 8 bits between [1.0] and [1.0] but should be 2 to 16 bits between a lesser and a greater number")

"""B18b: x·inv + (shift − mean·inv) is the norm, in every spelling: 784 elements in rows of 16."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from micronet_verify.framework.registry import framework_of
from tests.plugins.onnx.support import node
from tests.spelling.counted import Plain, counted, onnx_count, onnx_model, prices, pytorch, random

SIDE, C = 7, 16
N, ROWS = SIDE * SIDE * C, SIDE * SIDE
G, B = random(C), random(C, seed=1)
EPS = np.float32(1e-3)
# mean and variance: (n − 1) sums and a factor each of every row, a difference and a square of every element; + eps and 1/√ of every
# row; then the scale, the factor and the shift of every element.
NORM = Plain(3 * N + 3 * ROWS, 2 * (N - ROWS) + 2 * N + ROWS, 2 * C, scalars=(32,))


def written(x: Tensor, g: Tensor, b: Tensor, form: str) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    centred = x - mean
    inverse = torch.rsqrt((centred * centred).mean(-1, keepdim=True) + float(EPS))
    if form == "centred":
        return centred * inverse * g + b
    inverse = inverse * g
    if form == "offset":
        return x * inverse + (b - mean * inverse)
    if form == "turned":
        return (-mean * inverse + b) + x * inverse
    return x * inverse - mean * inverse + b


@pytest.mark.parametrize("form", ["centred", "offset", "turned", "behind"])
def test_B18b_a_layer_norm_written_out_in_pytorch(form: str) -> None:
    assert prices(pytorch(lambda x, g, b: written(x, g, b, form), (SIDE, SIDE, C), G, B)) == NORM.prices


@pytest.mark.parametrize("form", ["centred", "offset", "turned"])
def test_B18b_a_layer_norm_written_out_in_onnx(form: str) -> None:
    nodes = [
        node("ReduceMean", "x", "m", axes=[-1]),
        node("Sub", "x m", "d"),
        node("Mul", "d d", "s"),
        node("ReduceMean", "s", "v", axes=[-1]),
        node("Add", "v eps", "w"),
        node("Sqrt", "w", "r"),
        node("Reciprocal", "r", "i"),
    ]
    if form == "centred":
        nodes += [node("Mul", "d i", "e"), node("Mul", "e g", "f"), node("Add", "f b")]
    else:
        nodes += [node("Mul", "i g", "k"), node("Mul", "x k", "p")]
        turned = [node("Neg", "m", "n"), node("Mul", "n k", "q"), node("Add", "q b", "o")]
        nodes += turned if form == "turned" else [node("Mul", "m k", "q"), node("Sub", "b q", "o")]
        nodes += [node("Add", "p o")]
    assert prices(onnx_count(onnx_model(nodes, (SIDE, SIDE, C), {"g": G, "b": B, "eps": EPS}))) == NORM.prices


def test_B18b_the_operators() -> None:
    assert prices(pytorch(lambda x, g, b: torch.nn.functional.layer_norm(x, (C,), g, b, float(EPS)), (SIDE, SIDE, C), G, B)) == NORM.prices
    model = onnx_model([node("LayerNormalization", "x g b", axis=-1, epsilon=float(EPS))], (SIDE, SIDE, C), {"g": G, "b": B})
    assert prices(onnx_count(model)) == NORM.prices


@pytest.mark.xdist_group("tensorflow")
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_B18b_a_layer_norm_of_keras_in_tflite() -> None:
    from tests.plugins.tflite.converted import tensorflow

    tf = tensorflow()
    import keras
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    x = keras.Input((SIDE, SIDE, C))
    layer = keras.layers.LayerNormalization()
    model = keras.Model(x, layer(x))
    layer.set_weights([G, B])
    with tempfile.TemporaryDirectory(prefix="micronet-norm-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole, lite = Path(folder, "model.keras"), Path(folder, "model.tflite")
        model.save(whole)
        concrete = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec((1, SIDE, SIDE, C), tf.float32))
        frozen = convert_variables_to_constants_v2(concrete)
        lite.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([frozen], model).convert())
        assert [prices(counted(path, framework_of(path.name).counter())) for path in (whole, lite)] == [NORM.prices] * 2


@pytest.mark.parametrize("spelled", [torch.square, lambda x: x * x])
def test_B11_a_variance_as_the_mean_of_squares_less_the_square_of_the_mean(spelled: Callable[[Tensor], Tensor]) -> None:
    """E[x²] − E[x]² beside x − E[x] is E[(x − E[x])²], as norms of ONNX are defined: no square and no difference of the means."""

    def norm(x: Tensor, g: Tensor, b: Tensor) -> Tensor:
        mean = x.mean(-1, keepdim=True)
        variance = spelled(x).mean(-1, keepdim=True) - spelled(mean)
        return (x - mean) * torch.rsqrt(variance + float(EPS)) * g + b

    assert prices(pytorch(norm, (SIDE, SIDE, C), G, B)) == NORM.prices


def test_B11_a_variance_without_the_differences_stays() -> None:
    """N squares, (N − R) adds and a factor per row of either mean, a square and a difference of each row: N differences would be more."""
    found = pytorch(lambda x: (x * x).mean(-1, keepdim=True) - x.mean(-1, keepdim=True).square(), (SIDE, SIDE, C))
    assert prices(found) == Plain(N + 3 * ROWS, 2 * (N - ROWS) + ROWS, scalars=()).prices


def test_B11_a_variance_along_other_axes_stays() -> None:
    """The mean of squares along rows less the square of the mean along columns is no variance: its squares are of x and of the means."""

    def other(x: Tensor) -> Tensor:
        mean = x.mean(2, keepdim=True)
        return (x - mean) * ((x * x).mean(-1, keepdim=True) - mean * mean)

    columns = SIDE * C
    adds = (N - columns) + (N - ROWS) + N + N  # two means, x − mean, and a difference that broadcasts to all elements
    assert prices(pytorch(other, (SIDE, SIDE, C))) == Plain(N + columns + columns + ROWS + N, adds, scalars=()).prices

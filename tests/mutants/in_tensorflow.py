"""The networks in TensorFlow, as SavedModels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.mutants.planting import Judged, judged

Array = NDArray[Any]
EXAMPLES = 8
SHAPES = {"images": (12, 12, 3), "text": (8, 8), "places": (6, 6, 6), "codes": (6, 6, 8), "integers": (6, 6, 8)}


class Writer:
    """TensorFlow, and variables that are made when a network runs for the first time, on all its examples at once.

    ``lite``: without operators that TFLite lacks.
    """

    def __init__(self, tf: Any, lite: bool) -> None:
        self.lite, self.tf, self.random, self.kept, self._at = lite, tf, np.random.default_rng(6), list[Any](), 0

    def again(self) -> None:
        self._at = 0

    def variable(self, make: Callable[[], Any]) -> Any:
        if self._at == len(self.kept):
            self.kept.append(self.tf.Variable(np.asarray(make(), np.float32), name=f"w{self._at}"))
        self._at += 1
        return self.kept[self._at - 1]

    def normal(self, *shape: int, scale: float = 1.0) -> Any:
        return self.variable(lambda: self.random.standard_normal(shape) * scale)

    def uniform(self, low: float, high: float, *shape: int) -> Any:
        return self.variable(lambda: self.random.uniform(low, high, shape))

    def moments(self, x: Any) -> tuple[Any, Any, Any, Any]:
        """Scale, shift, and the mean and variance of what reaches a norm."""
        channels = x.shape[-1]
        found = [self.variable(lambda of=of: of(np.asarray(x), axis=(0, 1, 2))) for of in (np.mean, np.var)]
        return self.uniform(0.5, 1.5, channels), self.normal(channels), *found  # type: ignore[return-value]


def images(w: Writer, x: Any) -> Any:
    tf, n = w.tf, x.shape[0]
    x = tf.nn.conv2d(x, w.normal(3, 3, 3, 8, scale=0.1), (2, 1), ((0, 0), (1, 1), (0, 0), (0, 0)))
    x, *_ = tf.compat.v1.nn.fused_batch_norm(tf.nn.bias_add(x, w.normal(8)), *w.moments(x), epsilon=1e-4, is_training=False)
    x = tf.nn.relu6(3 * x + 3)
    x = tf.nn.depthwise_conv2d(
        tf.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0))), w.normal(3, 3, 8, 1, scale=0.1), (1,) * 4, "VALID", dilations=(2, 2)
    )
    scale, shift, mean, variance = w.moments(x)
    inverse = tf.math.rsqrt(variance + 1e-4) * scale
    x = 3 * (x * inverse + (shift - mean * inverse))
    x = x * tf.nn.relu6(x + 3) / 6
    x = tf.nn.max_pool2d(x - 2, 3, 2, "SAME")
    x = tf.nn.leaky_relu(tf.nn.bias_add(tf.nn.conv2d(x, w.normal(3, 3, 8, 8, scale=0.2), 1, "SAME"), w.normal(8)), 0.3)
    x = tf.nn.bias_add(tf.nn.conv2d_transpose(x, w.normal(3, 3, 8, 8, scale=0.2), (n, 6, 10, 8), 2, "SAME"), w.normal(8))
    x = tf.nn.local_response_normalization(x, 2, 1.5, 0.5, 0.6)
    x = tf.nn.avg_pool2d(x, 3, 2, "SAME")
    gate = tf.matmul(tf.nn.elu(tf.matmul(tf.reduce_mean(x, (1, 2)), w.normal(8, 8), transpose_b=True)), w.normal(8, 8))
    x = x * tf.sigmoid(gate)[:, None, None, :]
    x = tf.compat.v1.image.resize_bilinear(x, (5, 5), half_pixel_centers=True)
    whole = tf.compat.v1.image.resize_nearest_neighbor(x, (6, 6))
    strided = tf.nn.conv2d(x, w.normal(2, 2, 8, 4), (3, 2), "VALID")  # of 5×5: 2×2 with either stride
    x = tf.concat((tf.reshape(whole, (n, 288)), tf.reshape(strided, (n, 16))), 1)
    return tf.nn.log_softmax(tf.matmul(x, w.normal(304, 10, scale=0.3)) + w.normal(10))


def text(w: Writer, x: Any) -> Any:
    tf = w.tf
    x = x / 50
    mean = tf.reduce_mean(x, -1, keepdims=True)
    inverse = tf.math.rsqrt(tf.reduce_mean(tf.math.squared_difference(x, mean), -1, keepdims=True) + 1e-5) * w.uniform(0.5, 1.5, 8)
    x = x * inverse + (w.normal(8) - mean * inverse)
    query, key = tf.einsum("nab,bc->nac", x, w.normal(8, 8)), tf.einsum("nab,cb->nac", x, w.normal(8, 8))
    x = x + tf.matmul(tf.nn.softmax(tf.matmul(query, key, transpose_b=True) * 0.2), x)
    rows = tf.matmul(x[0], w.normal(8, 8), transpose_a=True)
    state, weight = tf.zeros((1, 8)), w.normal(8, 8, scale=0.5)
    steps = tf.unstack(rows)
    for step in steps[:3]:
        state = tf.tanh(tf.matmul(state, weight) + step[None])
    table = tf.gather(w.normal(8, 8), tf.argmax(rows, 1))
    rows = tf.nn.selu(rows) - tf.cumsum(tf.nn.elu(x[0]), 0, exclusive=True) / 4
    rows = rows + tf.nn.softmax(tf.transpose(rows)) * tf.nn.softplus(table)
    rows = rows + tf.clip_by_value(rows, -0.5, 0.75) + state
    best, where = tf.math.top_k(rows, 3)
    part = tf.norm(rows, axis=0) - tf.reduce_max(rows, 0)
    rest = tf.math.floormod(rows[1], 0.7) + (tf.tanh(rows[2]) if w.lite else tf.truncatemod(rows[2], 0.9))
    ratio = part / (tf.pow(tf.abs(part), 1.5) + 1)
    small = (
        tf.cast(tf.argmin(rows, 0), tf.float32) + tf.reduce_prod(tf.tanh(rows), 0) + (tf.sin(rows[3]) if w.lite else tf.math.erf(rows[3]))
    )
    joined = tf.concat((part, tf.reshape(best, (24,)), rest, ratio, small, tf.cast(tf.reduce_sum(where, 0), tf.float32)), 0)
    return tf.matmul(joined[None], w.normal(59, 10))


def places(w: Writer, x: Any) -> Any:
    tf, random = w.tf, np.random.default_rng(7)
    x = tf.gather(x, random.permutation(6), axis=2)
    order = random.integers(0, 6, (1, 6))
    x = tf.gather(x, order + tf.cast(x[:, 0, 0] < -9, tf.int64), axis=1, batch_dims=1)  # zeros that the data decides
    x = tf.tensor_scatter_nd_add(x, [[0, 3], [0, 1], [0, 4]], 0.5 * x[0, 3:])
    x = tf.tensor_scatter_nd_update(x, [[0, 5, 2], [0, 2, 5]], -x[0, :2, 1])
    x = tf.reverse(x, (2,))
    x = x[:, ::-1]
    x = tf.concat((x[:, :, 1:5:2], x[:, :, :4]), 2)
    x = tf.transpose(tf.matmul(x, w.normal(6, 6)), (0, 1, 3, 2))
    x = tf.pad(x[:, :, :5], ((0, 0), (0, 0), (1, 0), (2, 0)), "REFLECT")[..., :6]
    x = tf.pad(x[..., 1:], ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=0.5)
    x = tf.where(x > 0.3, x, -0.25) - tf.linalg.band_part(x, 1, 2)
    first, second = tf.split(x, (2, 4), 1)
    x = tf.stack((*tf.unstack(second, axis=1), first[:, 0] - 2 * first[:, 1], first[:, 1]), 1)
    x = x + tf.nn.depth_to_space(tf.reshape(x, (1, 3, 3, 24)), 2)
    x = x + tf.reshape(tf.nn.space_to_depth(x, 2), (1, 6, 6, 6))
    x = x + tf.tile(tf.reduce_sum(tf.gather_nd(x, [[0, 4, 1], [0, 0, 2], [0, 5, 5]]), 0)[None, None, None], (1, 6, 6, 1))
    x = x + tf.expand_dims(tf.one_hot(tf.argmax(x[..., 0], 2), 6, 2.0, 0.5), 3)
    x = tf.cond(x[0, 0, 0, 0] > 0, lambda: tf.nn.relu(x), lambda: -x)
    return tf.matmul(tf.reshape(x, (1, 216)), w.normal(216, 10))


def codes(w: Writer, x: Any) -> Any:
    tf, quantization = w.tf, w.tf.quantization
    x = quantization.fake_quant_with_min_max_args(x, -1.5, 2.484375)  # steps of 1/64 from code 0 at −96/64
    low, high = w.uniform(-0.5, -0.2, 8), w.uniform(0.2, 0.6, 8)
    weight = quantization.fake_quant_with_min_max_vars_per_channel(w.normal(1, 1, 8, 8, scale=0.3), low, high, narrow_range=True)
    x = tf.nn.bias_add(tf.nn.conv2d(x, weight, 1, "SAME"), w.normal(8))
    x = quantization.fake_quant_with_min_max_vars(x, w.variable(lambda: -0.7), w.variable(lambda: 1.1), num_bits=5)
    x = quantization.fake_quant_with_min_max_args(x + 0.011, -0.508, 0.508, num_bits=8, narrow_range=True)
    return tf.matmul(tf.reshape(x, (1, 288)), w.normal(288, 10))


def integers(w: Writer, x: Any) -> Any:
    """For TFLite's integer kernels."""
    tf = w.tf
    x = tf.nn.relu6(tf.nn.bias_add(tf.nn.conv2d(x, w.normal(3, 3, 8, 8, scale=0.5), 1, "SAME"), w.normal(8)))
    x = tf.concat((x, 4 * tf.nn.tanh(x)), 3)
    x = tf.nn.avg_pool2d(x, 3, 3, "SAME")  # of nine codes: no average is a tie
    return tf.matmul(tf.reshape(x, (1, 64)), w.normal(64, 10, scale=0.2)) + w.normal(10)


NETWORKS: dict[str, Callable[[Writer, Any], Any]] = {"images": images, "text": text, "places": places, "codes": codes, "integers": integers}


def examples(name: str) -> Array:
    rows = np.random.default_rng(4).standard_normal((EXAMPLES, *SHAPES[name])).astype(np.float32)
    return np.round(rows * 128) / 128 if name == "codes" else rows  # every other value lies on a tie


def module_of(name: str, tf: Any, lite: bool = False) -> Any:
    """A module whose ``call`` is the network, its norms calibrated on the examples of its proof."""
    rows, writer, network, module = examples(name), Writer(tf, lite), NETWORKS[name], tf.Module()
    network(writer, tf.constant(rows if name == "images" else rows[:1]))
    module.kept = writer.kept
    writer.again()
    spec = tf.TensorSpec((1, *SHAPES[name]), tf.float32, "x")
    module.call = tf.function(lambda x: tf.identity(network(writer, x)), input_signature=[spec], autograph=False)
    return module


def build(name: str, folder: Path) -> Judged:
    from micronet_verify_tensorflow.environment import tensorflow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        tf = tensorflow()
        tf.saved_model.save(module_of(name, tf), str(folder))
    return judged("tensorflow", folder / "saved_model.pb", examples(name))

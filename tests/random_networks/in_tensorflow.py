"""Random networks as TensorFlow functions, saved as SavedModels. TensorFlow is handed in: importing this module imports it not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.random_networks.network import Network, Op, Unsupported


def write(tf: Any, network: Network, folder: Path) -> Path:
    module = tf.Module()
    kept = [{name: tf.Variable(array, name=f"{name}_{at}") for name, array in op.arrays.items()} for at, op in enumerate(network.ops)]
    module.kept = [variable for arrays in kept for variable in arrays.values()]

    def call(x: Any) -> Any:
        values = [x]
        for op, arrays in zip(network.ops, kept, strict=True):
            values.append(_RULES[op.name](tf, op, [values[at] for at in op.inputs], arrays))
        return tf.identity(values[-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module.call = tf.function(call, input_signature=[tf.TensorSpec(network.shape, tf.float32, "x")], autograph=False)
        tf.saved_model.save(module, str(folder))
    return folder / "saved_model.pb"


def _last(tf: Any, x: Any) -> Any:
    return tf.transpose(x, (0, 2, 3, 1))


def _first(tf: Any, x: Any) -> Any:
    return tf.transpose(x, (0, 3, 1, 2))


def _conv(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    o, side = op.options, op.options["padding"]
    last, stride = _last(tf, x[0]), op.options["stride"]
    if o["groups"] > 1:
        padded = tf.pad(last, ((0, 0), (side, side), (side, side), (0, 0)))
        weight = tf.transpose(a["weight"], (2, 3, 0, 1))
        y = tf.nn.depthwise_conv2d(padded, weight, (1, stride, stride, 1), "VALID", dilations=(o["dilation"],) * 2)
    else:
        padding = ((0, 0), (side, side), (side, side), (0, 0)) if side else "VALID"
        y = tf.nn.conv2d(last, tf.transpose(a["weight"], (2, 3, 1, 0)), stride, padding, dilations=o["dilation"])
    return _first(tf, tf.nn.bias_add(y, a["bias"]) if "bias" in a else y)


def _transposed(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    last, stride = _last(tf, x[0]), op.options["stride"]
    weight = tf.transpose(a["weight"], (2, 3, 1, 0))
    kernel, made = op.arrays["weight"].shape[2], op.arrays["weight"].shape[1]
    shape = (1, *((size - 1) * stride + kernel for size in last.shape[1:3]), made)
    return _first(tf, tf.nn.conv2d_transpose(last, weight, shape, stride, "VALID"))


def _batch_norm(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    parts = [a[name] for name in ("scale", "shift", "mean", "variance")]
    y, *_ = tf.compat.v1.nn.fused_batch_norm(_last(tf, x[0]), *parts, epsilon=op.options["eps"], is_training=False)
    return _first(tf, y)


def _pool(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    o = op.options
    if o["padding"]:
        raise Unsupported("pools with padding on both sides")
    pool = tf.nn.max_pool2d if op.name == "max_pool" else tf.nn.avg_pool2d
    return _first(tf, pool(_last(tf, x[0]), o["kernel"], o["stride"], "VALID"))


def _pad(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    top, bottom, left, right = op.options["sides"]
    sides = ((0, 0), (0, 0), (top, bottom), (left, right))
    return tf.pad(x[0], sides, op.options["mode"].upper(), op.options["value"])


def _slice(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    o = op.options
    return x[0][(slice(None),) * o["axis"] + (slice(o["start"], o["end"], o["step"]),)]


def _shuffle(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    _, channels, height, width = op.options["shape"]
    groups = op.options["groups"]
    apart = tf.transpose(tf.reshape(x[0], (1, groups, channels // groups, height, width)), (0, 2, 1, 3, 4))
    return tf.reshape(apart, (1, channels, height, width))


def _scatter(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    perm = (1, 0, *range(2, len(x[0].shape)))
    turned, updates = tf.transpose(x[0], perm), tf.transpose(x[0][:, : len(op.arrays["index"])], perm)
    write = tf.tensor_scatter_nd_update if op.options["op"] == "replace" else tf.tensor_scatter_nd_add
    return tf.transpose(write(turned, op.arrays["index"][:, None], updates), perm)


def _resize(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    size = [2 * side for side in x[0].shape[2:]]
    if op.options["op"] == "nearest":
        return _first(tf, tf.compat.v1.image.resize_nearest_neighbor(_last(tf, x[0]), size))
    return _first(tf, tf.compat.v1.image.resize_bilinear(_last(tf, x[0]), size, half_pixel_centers=True))


def _attention(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    rows = tf.reshape(x[0], (1, x[0].shape[1], -1))
    return tf.reshape(tf.matmul(tf.nn.softmax(tf.matmul(rows, rows, transpose_b=True)), rows), x[0].shape)


def _linear(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    y = tf.matmul(x[0], a["weight"], transpose_b=True)
    return tf.nn.bias_add(y, a["bias"]) if "bias" in a else y


def _layer_norm(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    centred = x[0] - tf.reduce_mean(x[0], -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
    return centred * tf.math.rsqrt(variance + op.options["eps"]) * a["scale"] + a["shift"]


def _two(tf: Any, name: str) -> Callable[[Any, Any], Any]:
    found: Callable[[Any, Any], Any] = {"add": tf.add, "mul": tf.multiply, "sub": tf.subtract, "max": tf.maximum}[name]
    return found


def _reduce(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    function = {"mean": tf.reduce_mean, "max": tf.reduce_max, "sum": tf.reduce_sum, "min": tf.reduce_min}[op.options["op"]]
    return function(x[0], op.options["axes"], keepdims=True)


def _quantize(tf: Any, op: Op, x: list[Any], a: dict[str, Any]) -> Any:
    scale = op.options["scale"]
    return tf.quantization.fake_quant_with_min_max_args(x[0], -128 * scale, 127 * scale)


Rule = Callable[[Any, Op, list[Any], dict[str, Any]], Any]
_RULES: dict[str, Rule] = {
    "conv": _conv,
    "conv_transposed": _transposed,
    "batch_norm": _batch_norm,
    "relu": lambda tf, op, x, a: tf.nn.relu(x[0]),
    "relu6": lambda tf, op, x, a: tf.nn.relu6(x[0]),
    "sigmoid": lambda tf, op, x, a: tf.sigmoid(x[0]),
    "tanh": lambda tf, op, x, a: tf.tanh(x[0]),
    "hard_swish": lambda tf, op, x, a: x[0] * tf.nn.relu6(x[0] + 3) / 6,
    "silu": lambda tf, op, x, a: x[0] * tf.sigmoid(x[0]),
    "leaky_relu": lambda tf, op, x, a: tf.nn.leaky_relu(x[0], 0.25),
    "elu": lambda tf, op, x, a: tf.nn.elu(x[0]),
    "softplus": lambda tf, op, x, a: tf.nn.softplus(x[0]),
    "abs": lambda tf, op, x, a: tf.abs(x[0]),
    "square": lambda tf, op, x, a: tf.square(x[0]),
    "neg": lambda tf, op, x, a: -x[0],
    "gelu": lambda tf, op, x, a: tf.nn.gelu(x[0]),
    "max_pool": _pool,
    "average_pool": _pool,
    "reduce": _reduce,
    "pad": _pad,
    "constant": lambda tf, op, x, a: _two(tf, op.options["op"])(x[0], a["other"]),
    "join": lambda tf, op, x, a: _two(tf, op.options["op"])(x[0], x[1]),
    "concat": lambda tf, op, x, a: tf.concat(x, 1),
    "slice": _slice,
    "flip": lambda tf, op, x, a: tf.reverse(x[0], (op.options["axis"],)),
    "shuffle": _shuffle,
    "gather": lambda tf, op, x, a: tf.gather(x[0], op.arrays["index"], axis=op.options["axis"]),
    "gather_elements": lambda tf, op, x, a: tf.gather(x[0], op.arrays["index"], axis=1, batch_dims=1),
    "scatter": _scatter,
    "resize": _resize,
    "softmax": lambda tf, op, x, a: tf.nn.softmax(x[0], op.options["axis"]),
    "quantize": _quantize,
    "flatten": lambda tf, op, x, a: tf.reshape(x[0], (1, -1)),
    "linear": _linear,
    "layer_norm": _layer_norm,
    "topk": lambda tf, op, x, a: tf.math.top_k(x[0], op.options["k"])[0],
    "cumsum": lambda tf, op, x, a: tf.cumsum(x[0], op.options["axis"]),
    "where": lambda tf, op, x, a: tf.where(x[0] > op.options["bound"], x[0], op.options["other"]),
    "attention": _attention,
    "branch": lambda tf, op, x, a: tf.cond(tf.reduce_sum(x[0]) > 0, lambda: tf.nn.relu(x[0]), lambda: -x[0]),
}

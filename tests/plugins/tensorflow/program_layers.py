"""The operators of the contract's notation in TensorFlow's words. Channels are second in the notation, and last here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from micronet_verify.testing import Step, Unsupported, pair
from micronet_verify.testing.reference.windows import sides

Tensors = Mapping[str, Any]


def _linear(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    weight = tf.cast(arrays["weight"], tf.float32)  # of float16; nothing else becomes of it
    y = tf.matmul(x, weight, transpose_b=True) if len(x.shape) == 2 else tf.einsum("brk,ok->bro", x, weight)
    return y + tf.cast(arrays["bias"], tf.float32) if "bias" in arrays else y


def _quantized_linear(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    codes = tf.cast(arrays["codes"], tf.float32)
    if "zero" in arrays:
        codes -= tf.cast(arrays["zero"], tf.float32)[:, None]
    return tf.matmul(x, codes * arrays["scale"][:, None], transpose_b=True)


def _quantize(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    """Codes of FakeQuant are 0 to 255: those of int8 around 0 are the same numbers around 128."""
    scale, zero = float(step.arrays["scale"]), step.arrays.get("zero", np.int8(0))
    least, most = np.iinfo(zero.dtype).min - int(zero), np.iinfo(zero.dtype).max - int(zero)
    return tf.quantization.fake_quant_with_min_max_args(x, least * scale, most * scale)


def _last(tf: Any, x: Any) -> Any:
    return tf.transpose(x, (0, 2, 3, 1))


def _first(tf: Any, x: Any) -> Any:
    return tf.transpose(x, (0, 3, 1, 2))


def _conv(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    options, groups = step.options, step.options.get("groups", 1)
    top, left, bottom, right = sides(step)
    stride, dilation = pair(options.get("stride", 1)), pair(options.get("dilation", 1))
    padding = ((0, 0), (top, bottom), (left, right), (0, 0))
    if groups > 1 and arrays["weight"].shape[:2] == (groups, 1):  # depthwise: [out, 1, k, k] to [k, k, channels, 1]
        padded = tf.pad(_last(tf, x), padding)
        y = tf.nn.depthwise_conv2d(padded, tf.transpose(arrays["weight"], (2, 3, 0, 1)), (1, *stride, 1), "VALID")
    else:  # which has no grouped convolution on a processor: a group at a time
        parts = zip(tf.split(_last(tf, x), groups, 3), tf.split(arrays["weight"], groups, 0), strict=True)
        explicit = padding if top + left + bottom + right else "VALID"
        kernels = [tf.nn.conv2d(part, tf.transpose(weight, (2, 3, 1, 0)), stride, explicit, dilations=dilation) for part, weight in parts]
        y = tf.concat(kernels, 3) if groups > 1 else kernels[0]
    return _first(tf, tf.nn.bias_add(y, arrays["bias"]) if "bias" in arrays else y)


def _conv_transposed(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    """Sums over the whole kernel, of which padding cuts off the ends; output padding leaves more of them."""
    options, groups = step.options, step.options.get("groups", 1)
    stride, padding, extra = (pair(options.get(name, least)) for name, least in (("stride", 1), ("padding", 0), ("output_padding", 0)))
    each, *kernel = arrays["weight"].shape[1:]
    size = [(side - 1) * by + long for side, by, long in zip(x.shape[2:], stride, kernel, strict=True)]
    parts = []
    for part, weight in zip(tf.split(_last(tf, x), groups, 3), tf.split(arrays["weight"], groups, 0), strict=True):
        shape = tf.stack([tf.shape(x)[0], *size, each])
        parts.append(tf.nn.conv2d_transpose(part, tf.transpose(weight, (2, 3, 1, 0)), shape, stride, "VALID"))
    y = tf.concat(parts, 3) if groups > 1 else parts[0]
    ends = [long - side + more for long, side, more in zip(size, padding, extra, strict=True)]
    if any(end > long for end, long in zip(ends, size, strict=True)):
        raise Unsupported("output padding behind the last sum")
    y = y[:, padding[0] : ends[0], padding[1] : ends[1]]
    return _first(tf, tf.nn.bias_add(y, arrays["bias"]) if "bias" in arrays else y)


def _batch_norm(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    parts = [arrays[name] for name in ("scale", "shift", "mean", "variance")]
    y, *_ = tf.compat.v1.nn.fused_batch_norm(_last(tf, x), *parts, epsilon=step.options["eps"], is_training=False)
    return _first(tf, y)


def _layer_norm(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
    return centred * tf.math.rsqrt(variance + step.options["eps"]) * arrays["scale"] + arrays["shift"]


def _pool(kind: str) -> Callable[..., Any]:
    def pool(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
        kernel, stride, padding = (pair(step.options.get(name, 0)) for name in ("kernel", "stride", "padding"))
        x = _last(tf, x)
        if step.options.get("counts_padding"):
            x, padding = tf.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0))), (0, 0)
        for side, long, by, pad in zip(x.shape[1:3], kernel, stride, padding, strict=True):
            if pad and max((-(-side // by) - 1) * by + long - side, 0) != 2 * pad:
                raise Unsupported("a padding of pools that SAME has not")
        return _first(tf, getattr(tf.nn, kind)(x, kernel, stride, "SAME" if any(padding) else "VALID"))

    return pool


def _pad(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    height, width = pair(step.options["padding"])
    return tf.pad(x, ((0, 0), (0, 0), (height, height), (width, width)))


def _slice(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    places = slice(step.options["start"], step.options["end"], step.options.get("step"))
    return x[(slice(None),) * step.options["axis"] + (places,)]


def _resize(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    size = [side * by for side, by in zip(x.shape[2:], pair(step.options["scale"]), strict=True)]
    return _first(tf, tf.image.resize(_last(tf, x), size, "nearest"))


def _lstm(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    """Written out, as an unrolled layer of Keras is."""
    h = c = tf.zeros([tf.shape(x)[0], arrays["w_hh"].shape[1]])
    states = []
    for time in range(x.shape[1]):
        raw = tf.matmul(x[:, time], arrays["w_ih"], transpose_b=True) + tf.matmul(h, arrays["w_hh"], transpose_b=True) + arrays["bias"]
        i, f, g, o = tf.split(raw, 4, 1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        states.append(h)
    return tf.stack(states, 1)


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "linear": _linear,
    "quantized_linear": _quantized_linear,
    "quantize": _quantize,
    "conv": _conv,
    "conv_transposed": _conv_transposed,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "relu": lambda tf, step, arrays, x: tf.nn.relu(x),
    "relu6": lambda tf, step, arrays, x: tf.nn.relu6(x),
    "sigmoid": lambda tf, step, arrays, x: tf.sigmoid(x),
    "tanh": lambda tf, step, arrays, x: tf.tanh(x),
    "hard_swish": lambda tf, step, arrays, x: x * tf.nn.relu6(x + 3) / 6,
    "softmax": lambda tf, step, arrays, x: tf.nn.softmax(x),
    "log_softmax": lambda tf, step, arrays, x: tf.nn.log_softmax(x),
    "add": lambda tf, step, arrays, x, y: x + y,
    "sub": lambda tf, step, arrays, x, y: x - y,
    "mul": lambda tf, step, arrays, x, y: x * y,
    "div": lambda tf, step, arrays, x, y: x / y,
    "matmul": lambda tf, step, arrays, x, y: tf.matmul(x, y),
    "max_pool": _pool("max_pool2d"),
    "average_pool": _pool("avg_pool2d"),
    "global_average": lambda tf, step, arrays, x: tf.reduce_mean(x, (2, 3)),
    "mean": lambda tf, step, arrays, x: tf.reduce_mean(x, step.options["axis"]),
    "reshape": lambda tf, step, arrays, x: tf.reshape(x, (-1, *step.options["shape"])),
    "transpose": lambda tf, step, arrays, x: tf.transpose(x, step.options["perm"]),
    "concat": lambda tf, step, arrays, *parts: tf.concat(parts, step.options["axis"]),
    "pad": _pad,
    "slice": _slice,
    "embedding": lambda tf, step, arrays, x: tf.gather(arrays["table"], x),
    "resize_nearest": _resize,
    "above": lambda tf, step, arrays, x: tf.reduce_sum(x) > step.options["than"],
    "lstm": _lstm,
}

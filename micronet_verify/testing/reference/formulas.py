"""The formula of every operator of the notation but those with bodies, on arrays [batch, …] in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from micronet_verify.testing.program import Array, Step, pair
from micronet_verify.testing.reference.windows import conv, conv_transposed, pool


def _double(step: Step, name: str) -> Array:
    return step.arrays[name].astype(np.float64)


def _linear(step: Step, x: Array) -> Array:
    return np.asarray(x @ _double(step, "weight").T + step.arrays.get("bias", 0.0))


def _quantized_linear(step: Step, x: Array) -> Array:
    zero = _double(step, "zero")[:, None] if "zero" in step.arrays else 0.0
    weight = (_double(step, "codes") - zero) * _double(step, "scale")[:, None]
    return np.asarray(x @ weight.T + step.arrays.get("bias", 0.0))


def _quantize(step: Step, x: Array) -> Array:
    scale, zero = float(step.arrays["scale"]), step.arrays.get("zero", np.int8(0))
    ends = np.iinfo(zero.dtype)
    return np.asarray(scale * (np.clip(np.round(x / scale) + int(zero), ends.min, ends.max) - int(zero)))


def _batch_norm(step: Step, x: Array) -> Array:
    scale, shift, mean, variance = (
        _double(step, name).reshape(-1, *(1,) * (x.ndim - 2)) for name in ("scale", "shift", "mean", "variance")
    )
    return np.asarray(scale * (x - mean) / np.sqrt(variance + step.options["eps"]) + shift)


def _layer_norm(step: Step, x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + step.options["eps"])
    return np.asarray(step.arrays["scale"] * centred / deviation + step.arrays["shift"])


def _softmax(step: Step, x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _log_softmax(step: Step, x: Array) -> Array:
    below = x - x.max(-1, keepdims=True)
    return np.asarray(below - np.log(np.exp(below).sum(-1, keepdims=True)))


def _pad(step: Step, x: Array) -> Array:
    height, width = pair(step.options["padding"])
    return np.pad(x, ((0, 0), (0, 0), (height, height), (width, width)))


def _slice(step: Step, x: Array) -> Array:
    options = step.options
    return np.take(x, range(options["start"], options["end"], options.get("step", 1)), options["axis"])


def _resize(step: Step, x: Array) -> Array:
    height, width = pair(step.options["scale"])
    return x.repeat(height, 2).repeat(width, 3)


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _lstm(step: Step, x: Array) -> Array:
    w_ih, w_hh, bias = (_double(step, name) for name in ("w_ih", "w_hh", "bias"))
    h = c = np.zeros((len(x), w_hh.shape[1]))
    states = []
    for time in range(x.shape[1]):
        i, f, g, o = np.split(x[:, time] @ w_ih.T + h @ w_hh.T + bias, 4, 1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, 1)


FORMULAS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "linear": _linear,
        "quantized_linear": _quantized_linear,
        "quantize": _quantize,
        "conv": conv,
        "conv_transposed": conv_transposed,
        "batch_norm": _batch_norm,
        "layer_norm": _layer_norm,
        "relu": lambda step, x: np.maximum(x, 0),
        "relu6": lambda step, x: np.clip(x, 0, 6),
        "sigmoid": lambda step, x: _sigmoid(x),
        "tanh": lambda step, x: np.tanh(x),
        "hard_swish": lambda step, x: x * np.clip(x + 3, 0, 6) / 6,
        "softmax": _softmax,
        "log_softmax": _log_softmax,
        "add": lambda step, x, y: x + y,
        "sub": lambda step, x, y: x - y,
        "mul": lambda step, x, y: x * y,
        "div": lambda step, x, y: x / y,
        "matmul": lambda step, x, y: x @ y,
        "max_pool": pool,
        "average_pool": pool,
        "global_average": lambda step, x: x.mean((2, 3)),
        "mean": lambda step, x: x.mean(step.options["axis"]),
        "reshape": lambda step, x: x.reshape(len(x), *step.options["shape"]),
        "transpose": lambda step, x: x.transpose(step.options["perm"]),
        "concat": lambda step, *parts: np.concatenate(parts, step.options["axis"]),
        "pad": _pad,
        "slice": _slice,
        "embedding": lambda step, x: _double(step, "table")[x],
        "resize_nearest": _resize,
        "above": lambda step, x: x.sum() > step.options["than"],
        "lstm": _lstm,
    }
)

"""What a program computes, in numpy and float64: the answers that a plugin's predictions are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from micronet_verify.testing.program import Array, Program, Step


def examples(program: Program, count: int) -> Array:
    """Inputs [count, …] for a program, the same at every call."""
    source = np.random.default_rng(7)
    if program.words:
        return source.integers(0, program.words, (count, *program.shape))
    return source.normal(size=(count, *program.shape)).astype(np.float32)


def run(program: Program, inputs: Array) -> Array:
    """The answers [count, …] float64."""
    values: dict[str, Array] = {"x": inputs if program.words else np.asarray(inputs, np.float64)}
    for step in program.steps:
        values[step.name] = _FORMULAS[step.op](step, *(values[name] for name in step.inputs))
    return np.asarray(values["y"], np.float64)


def _linear(step: Step, x: Array) -> Array:
    return np.asarray(x @ step.arrays["weight"].astype(np.float64).T + step.arrays.get("bias", 0.0))


def _quantized_linear(step: Step, x: Array) -> Array:
    weight = step.arrays["codes"].astype(np.float64) * step.arrays["scale"].astype(np.float64)[:, None]
    return np.asarray(x @ weight.T + step.arrays.get("bias", 0.0))


def _quantize(step: Step, x: Array) -> Array:
    scale = float(step.arrays["scale"])
    return np.asarray(scale * np.clip(np.round(x / scale), -128, 127))


def _conv(step: Step, x: Array) -> Array:
    weight, options = step.arrays["weight"].astype(np.float64), step.options
    outputs, each, kernel, _ = weight.shape
    padding, dilation, groups, stride = (options.get(name, default) for name, default in _CONV)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    extent = dilation * (kernel - 1) + 1
    windows = sliding_window_view(padded, (extent, extent), (2, 3))[:, :, ::stride, ::stride, ::dilation, ::dilation]
    per_group = outputs // groups
    parts = [
        np.einsum("bchwij,ocij->bohw", windows[:, g * each : (g + 1) * each], weight[g * per_group : (g + 1) * per_group])
        for g in range(groups)
    ]
    return np.concatenate(parts, 1) + (step.arrays["bias"][:, None, None] if "bias" in step.arrays else 0.0)


_CONV = (("padding", 0), ("dilation", 1), ("groups", 1), ("stride", 1))


def _batch_norm(step: Step, x: Array) -> Array:
    scale, shift, mean, variance = (
        step.arrays[name].astype(np.float64).reshape(-1, *(1,) * (x.ndim - 2)) for name in ("scale", "shift", "mean", "variance")
    )
    return np.asarray(scale * (x - mean) / np.sqrt(variance + step.options["eps"]) + shift)


def _layer_norm(step: Step, x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + step.options["eps"])
    return np.asarray(step.arrays["scale"] * centred / deviation + step.arrays["shift"])


def _softmax(step: Step, x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _pool(step: Step, x: Array) -> Array:
    kernel, stride = step.options["kernel"], step.options["stride"]
    windows = sliding_window_view(x, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
    return np.asarray(windows.max((-2, -1)) if step.op == "max_pool" else windows.mean((-2, -1)))


def _pad(step: Step, x: Array) -> Array:
    side = step.options["padding"]
    return np.pad(x, ((0, 0), (0, 0), (side, side), (side, side)))


def _slice(step: Step, x: Array) -> Array:
    options = step.options
    return np.take(x, range(options["start"], options["end"]), options["axis"])


def _resize(step: Step, x: Array) -> Array:
    return x.repeat(step.options["scale"], 2).repeat(step.options["scale"], 3)


_FORMULAS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "linear": _linear,
        "quantized_linear": _quantized_linear,
        "quantize": _quantize,
        "conv": _conv,
        "batch_norm": _batch_norm,
        "layer_norm": _layer_norm,
        "relu": lambda step, x: np.maximum(x, 0),
        "relu6": lambda step, x: np.clip(x, 0, 6),
        "sigmoid": lambda step, x: 1 / (1 + np.exp(-x)),
        "tanh": lambda step, x: np.tanh(x),
        "hard_swish": lambda step, x: x * np.clip(x + 3, 0, 6) / 6,
        "softmax": _softmax,
        "add": lambda step, x, y: x + y,
        "mul": lambda step, x, y: x * y,
        "matmul": lambda step, x, y: x @ y,
        "max_pool": _pool,
        "average_pool": _pool,
        "global_average": lambda step, x: x.mean((2, 3)),
        "reshape": lambda step, x: x.reshape(len(x), *step.options["shape"]),
        "transpose": lambda step, x: x.transpose(step.options["perm"]),
        "concat": lambda step, *parts: np.concatenate(parts, step.options["axis"]),
        "pad": _pad,
        "slice": _slice,
        "embedding": lambda step, x: step.arrays["table"].astype(np.float64)[x],
        "resize_nearest": _resize,
    }
)

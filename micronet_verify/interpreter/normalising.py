"""``normalise``: values with their mean taken off and divided by their spread, in the groupings of the usual layers."""

from __future__ import annotations

from math import prod

import numpy as np

from micronet_verify.facts.shapes import integer, ints, number, text
from micronet_verify.interpreter.node_call import DOUBLE, Array, Missing, NodeCall, Operands


def normalise(call: NodeCall, operands: Operands) -> Array:
    """x [N, C, *space], or channels last, and the operands of its ``op``."""
    op, x = text(call.attributes, "op"), operands[0].astype(call.dtype, copy=False)
    if op == "batch_norm":
        return _batch_norm(call, x, operands)
    if op == "local_response_norm":
        return _local_response_norm(call, x)
    if op in ("layer_norm", "rms_norm"):
        axes = ints(call.attributes, "axes")
        y = _spread_taken_off(x, axes, number(call.attributes, "eps"), centred=op == "layer_norm")
        return _scaled(call, y, operands, tuple(x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)))
    if op in ("group_norm", "instance_norm"):
        return _group_norm(call, x, operands)
    raise Missing(call.node, f"normalise {op}")


def _channel(call: NodeCall, x: Array) -> int:
    return x.ndim - 1 if call.attributes.get("channels_last") else 1


def _column(call: NodeCall, x: Array) -> tuple[int, ...]:
    """The shape in which numbers of the channels stand beside ``x``."""
    return tuple(-1 if axis == _channel(call, x) else 1 for axis in range(x.ndim))


def _batch_norm(call: NodeCall, x: Array, operands: Operands) -> Array:
    """y = a·x + b: a = scale / √(variance + eps), b = shift − mean·a (Ioffe & Szegedy, 2015)."""
    mean, variance = (operand.astype(DOUBLE) for operand in operands[1:3])
    a = 1 / np.sqrt(variance + number(call.attributes, "eps"))
    if call.has(3):
        a = a * operands[3].astype(DOUBLE)
    b = -mean * a
    if call.has(4):
        b = b + operands[4].astype(DOUBLE)
    column = _column(call, x)
    y: Array = x * a.astype(call.dtype).reshape(column)
    y += b.astype(call.dtype).reshape(column)
    return y


def _spread_taken_off(x: Array, axes: tuple[int, ...], eps: float, centred: bool = True) -> Array:
    if centred:
        x = x - np.mean(x, axis=axes, keepdims=True)
    square = np.mean(x * x, axis=axes, keepdims=True)
    return np.asarray(x / np.sqrt(square + np.asarray(eps, x.dtype)))


def _scaled(call: NodeCall, y: Array, operands: Operands, shape: tuple[int, ...]) -> Array:
    """``y`` times the scale plus the shift, which lie along the axes of ``shape``, or broadcast where they have other sizes."""
    for at, join in ((1, np.multiply), (2, np.add)):
        if not call.has(at):
            continue
        numbers = operands[at].astype(call.dtype, copy=False)
        if call.attributes["op"] == "group_norm" and numbers.size == call.attributes.get("groups"):
            numbers = np.repeat(numbers.reshape(-1), prod(shape) // numbers.size)  # ONNX before opset 21: one for each group
        y = join(y, numbers.reshape(shape) if numbers.size == prod(shape) else numbers)
    return y


def _group_norm(call: NodeCall, x: Array, operands: Operands) -> Array:
    """Groups of neighbouring channels of each example; ``instance_norm`` has one channel in each."""
    y = np.moveaxis(x, -1, 1) if call.attributes.get("channels_last") else x
    groups = integer(call.attributes, "groups", 1) if call.attributes["op"] == "group_norm" else y.shape[1]
    parts = y.reshape(y.shape[0], groups, -1)
    y = _spread_taken_off(parts, (2,), number(call.attributes, "eps")).reshape(y.shape)
    if call.attributes.get("channels_last"):
        y = np.moveaxis(y, 1, -1)
    return _scaled(call, y, operands, tuple(x.shape[axis] if axis == _channel(call, x) else 1 for axis in range(x.ndim)))


def _local_response_norm(call: NodeCall, x: Array) -> Array:
    """x / (bias + alpha/size · Σ x²)^beta over ⌊(size−1)/2⌋ channels before and ⌈(size−1)/2⌉ behind (Krizhevsky et al., 2012)."""
    size, channel = integer(call.attributes, "size"), _channel(call, x)
    square = np.moveaxis(x * x, channel, 0)
    total = np.zeros_like(square)
    for offset in range(-((size - 1) // 2), (size - 1) - (size - 1) // 2 + 1):
        count = len(square) - abs(offset)
        if count > 0:
            total[max(-offset, 0) : max(-offset, 0) + count] += square[max(offset, 0) : max(offset, 0) + count]
    alpha, beta, bias = (number(call.attributes, name, default) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    return np.asarray(x / np.power(np.moveaxis(bias + alpha / size * total, 0, channel), np.asarray(beta, x.dtype)))

"""``reduce``, ``softmax`` and ``cumulative``: values along axes brought together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from micronet_verify.facts.shapes import integer, ints, number, text
from micronet_verify.interpreter.node_call import DOUBLE, Array, Missing, NodeCall, Operands

Axes = tuple[int, ...]


def reduce(call: NodeCall, operands: Operands) -> Array:
    """Integers are summed and multiplied in 64 bits, then wrapped around; their means are truncated."""
    op, axes, keep = text(call.attributes, "op"), ints(call.attributes, "axes"), bool(call.attributes["keepdims"])
    x = operands[0]
    if op in ("any", "all"):
        return np.asarray(_TRUTH[op](x.astype(bool), axis=axes, keepdims=keep))
    if op in ("max", "min") and call.result.format.family != "float":
        return np.asarray(_EXTREMES[op](x, axis=axes, keepdims=keep))
    if call.result.format.family == "float":
        x = x.astype(call.dtype, copy=False)
    elif op in ("mean", "var", "l2", "logsumexp"):
        x = x.astype(DOUBLE)
    else:
        x = x.astype(np.uint64 if x.dtype.kind == "u" else np.int64)
    if op == "var":
        return np.asarray(np.var(x, axis=axes, keepdims=keep, ddof=number(call.attributes, "correction")))
    if op not in _SUMS:
        raise Missing(call.node, f"reduce {op}")
    return np.asarray(_SUMS[op](x, axes, keep))


def _logsumexp(x: Array, axes: Axes, keep: bool) -> Array:
    top = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, np.zeros((), x.dtype))
    total = np.log(np.sum(np.exp(x - top), axis=axes, keepdims=True)) + top
    return np.asarray(total if keep else np.squeeze(total, axes))


_TRUTH: dict[str, Callable[..., Any]] = {"any": np.any, "all": np.all}
_EXTREMES: dict[str, Callable[..., Any]] = {"max": np.max, "min": np.min}
_SUMS: dict[str, Callable[[Array, Axes, bool], Any]] = {
    "sum": lambda x, axes, keep: np.sum(x, axis=axes, keepdims=keep),
    "mean": lambda x, axes, keep: np.mean(x, axis=axes, keepdims=keep),
    "max": lambda x, axes, keep: np.max(x, axis=axes, keepdims=keep),
    "min": lambda x, axes, keep: np.min(x, axis=axes, keepdims=keep),
    "prod": lambda x, axes, keep: np.prod(x, axis=axes, keepdims=keep),
    "sum_square": lambda x, axes, keep: np.sum(x * x, axis=axes, keepdims=keep),
    "l1": lambda x, axes, keep: np.sum(np.abs(x), axis=axes, keepdims=keep),
    "l2": lambda x, axes, keep: np.sqrt(np.sum(x * x, axis=axes, keepdims=keep)),
    "logsumexp": _logsumexp,
}


def softmax(call: NodeCall, operands: Operands) -> Array:
    """e^x / Σ e^x along an axis, with the maximum taken off; ``log_softmax`` its logarithm."""
    axis, x = integer(call.attributes, "axis"), operands[0].astype(call.dtype, copy=False)
    most = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    if call.attributes.get("safe"):
        seen = most != -np.inf
        x = np.where(seen, x - np.where(seen, most, 0), -np.inf)
        total = np.sum(np.exp(x), axis=axis, keepdims=True)
        return np.asarray(np.exp(x) / np.where(seen, total, 1))
    x = x - most
    y = np.exp(x)
    total = np.sum(y, axis=axis, keepdims=True)
    if call.attributes["op"] == "log_softmax":
        return np.asarray(x - np.log(total))
    return np.asarray(np.divide(y, total, out=y))


def cumulative(call: NodeCall, operands: Operands) -> Array:
    """Running sums or products along an axis."""
    op, axis, x = text(call.attributes, "op"), integer(call.attributes, "axis"), operands[0]
    x = x.astype(call.dtype, copy=False) if call.result.format.family == "float" else x.astype(np.int64)
    if call.attributes.get("reverse"):
        x = np.flip(x, axis)
    y = np.cumsum(x, axis) if op == "cumsum" else np.cumprod(x, axis)
    if call.attributes.get("exclusive"):
        first = np.full_like(np.take(y, [0], axis), 0 if op == "cumsum" else 1) if y.shape[axis] else y
        y = np.concatenate([first, np.delete(y, -1, axis)], axis) if y.shape[axis] else y
    return np.flip(y, axis) if call.attributes.get("reverse") else y

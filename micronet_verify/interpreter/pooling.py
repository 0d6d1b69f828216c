"""``pool``: averages and maxima of windows."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from micronet_verify.facts.shapes import integer, ints, text
from micronet_verify.interpreter.convolution import padded, taps
from micronet_verify.interpreter.node_call import DOUBLE, Array, NodeCall, Operands


def pool(call: NodeCall, operands: Operands) -> Array:
    """x [N, C, *space], or channels last. Averages of integers are truncated."""
    x, last, op = operands[0], bool(call.attributes.get("channels_last")), text(call.attributes, "op")
    if last:
        x = np.moveaxis(x, -1, 1)
    if op == "average" or call.result.format.family == "float":
        x = x.astype(call.dtype if call.result.format.family == "float" else DOUBLE, copy=False)
    shape = call.result.shape
    out = shape[1:-1] if last else shape[2:]
    y = _adaptive(op, x, out) if "adaptive" in call.attributes else _windows(call, op, x, out)
    return np.moveaxis(y, 1, -1) if last else y


def _adaptive(op: str, x: Array, out: tuple[int, ...]) -> Array:
    """Windows from floor(i·size/outputs) to ceil((i+1)·size/outputs), one axis after the other."""
    join: Callable[..., Any] = np.mean if op == "average" else np.max
    for axis, count in enumerate(out, 2):
        size = x.shape[axis]
        cuts = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        x = np.stack([join(x[(slice(None),) * axis + (slice(start, end),)], axis=axis) for start, end in cuts], axis)
    return x


def _windows(call: NodeCall, op: str, x: Array, out: tuple[int, ...]) -> Array:
    kernel, stride, padding = (ints(call.attributes, name) for name in ("kernel", "stride", "padding"))
    dilation = ints(call.attributes, "dilation") if "dilation" in call.attributes else (1,) * len(kernel)
    rank, space = len(kernel), x.shape[2:]
    # The last window may lie over the end of the padded input.
    needed = [(out[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 for i in range(rank)]
    ends = [max(padding[rank + i], needed[i] - space[i] - padding[i]) for i in range(rank)]
    fill = 0 if op == "average" else -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    x = padded(x, (*padding[:rank], *ends), fill)
    if prod(out) == 1:  # one window: the reduction of a part
        whole: tuple[Any, ...] = (..., *(slice(0, needed[i], dilation[i]) for i in range(rank)))
        part = x[whole]
        axes = tuple(range(2, 2 + rank))
        total = np.sum(part, axis=axes, keepdims=True) if op == "average" else np.max(part, axis=axes, keepdims=True)
    else:
        join: Callable[..., Any] = np.add if op == "average" else np.maximum
        places = list(taps(kernel, stride, dilation, out))
        total = x[places[0]].copy()
        for place in places[1:]:
            join(total, x[place], out=total)
    if op == "max":
        return np.asarray(total)
    counts = np.ones((), np.int64)
    counting_padding = bool(call.attributes.get("counts_padding"))
    for i in range(rank):
        begin, end = (0, space[i] + padding[i] + padding[rank + i]) if counting_padding else (padding[i], padding[i] + space[i])
        at = np.arange(out[i])[:, None] * stride[i] + np.arange(kernel[i]) * dilation[i]
        inside = ((at >= begin) & (at < end)).sum(axis=1)
        counts = counts[..., None] * inside
    divisor = integer(call.attributes, "divisor") or counts
    return np.asarray(total / np.asarray(divisor, total.dtype))

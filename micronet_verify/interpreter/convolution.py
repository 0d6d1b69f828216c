"""``conv``: products of windows with kernels. 1×1 as a plain product, depthwise tap by tap, the rest as im2col and a product per group."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from micronet_verify.facts.shapes import integer, ints
from micronet_verify.interpreter.linear import exact_products, product
from micronet_verify.interpreter.node_call import Array, NodeCall, Operands

# Most elements of unrolled windows at a time.
_MOST = 1 << 24
# Elements of maps that are worked on at a time.
_CACHED = 1 << 15


def conv(call: NodeCall, operands: Operands) -> Array:
    """x [N, C, *space] (or channels last), weight, bias? as ``facts/kinds`` has them."""
    x, weight = operands[0], operands[1]
    last = bool(call.attributes.get("channels_last"))
    if last:
        x = np.moveaxis(x, -1, 1)
    dtype, integers = exact_products(call, prod(weight.shape[2:]) * weight.shape[1])
    y = _transposed(call, x.astype(dtype, copy=False), weight) if call.attributes.get("transposed") else _plain(call, x, weight, dtype)
    if integers:
        y = y.astype(np.int64, copy=False)
    if call.has(2):
        y = y + operands[2].astype(y.dtype, copy=False).reshape(-1, *(1,) * (y.ndim - 2))
    return np.moveaxis(y, 1, -1) if last else y


def padded(x: Array, padding: tuple[int, ...], fill: float, lead: int = 2) -> Array:
    """``x`` with begins and ends added behind its first ``lead`` axes; negative ones are cut off."""
    rank = len(padding) // 2
    pairs = [(0, 0)] * lead + [(padding[i], padding[rank + i]) for i in range(rank)]
    if any(begin < 0 or end < 0 for begin, end in pairs):
        cut = tuple(slice(max(-begin, 0), size - max(-end, 0)) for (begin, end), size in zip(pairs, x.shape, strict=True))
        x, pairs = x[cut], [(max(begin, 0), max(end, 0)) for begin, end in pairs]
    if not any(begin or end for begin, end in pairs):
        return x
    out = np.full([size + begin + end for (begin, end), size in zip(pairs, x.shape, strict=True)], fill, x.dtype)
    out[tuple(slice(begin, begin + size) for (begin, _), size in zip(pairs, x.shape, strict=True))] = x
    return out


def taps(kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], out: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """For each place of a kernel, in row-major order, the padded positions that it meets, over all windows."""
    for tap in np.ndindex(*kernel):
        fields = zip(tap, dilation, out, stride, strict=True)
        yield (..., *(slice(at * gap, at * gap + (count - 1) * hop + 1, hop) for at, gap, count, hop in fields))


def _plain(call: NodeCall, x: Array, weight: Array, dtype: np.dtype[np.generic]) -> Array:
    stride, padding, dilation = (ints(call.attributes, name) for name in ("stride", "padding", "dilation"))
    groups, kernel = integer(call.attributes, "groups", 1), weight.shape[2:]
    shape = call.result.shape
    out = shape[1:-1] if call.attributes.get("channels_last") else shape[2:]
    x = padded(x.astype(dtype, copy=False), padding, 0)
    if prod(kernel) == 1:
        places = next(taps(kernel, stride, dilation, out))
        return _grouped(x[places], weight.reshape(weight.shape[:2]), groups, out)
    if weight.shape[1] == 1 and groups > 1:
        return _depthwise(x, weight.astype(dtype, copy=False), groups, list(taps(kernel, stride, dilation, out)))
    return _unrolled(x, weight, groups, stride, dilation, out)


def _grouped(x: Array, weight: Array, groups: int, out: tuple[int, ...]) -> Array:
    """x [N, C, *out] and weight [C_out, C/groups] to [N, C_out, *out]."""
    columns = x.reshape(len(x), groups, -1, prod(out))
    y = product(weight.reshape(groups, -1, weight.shape[1]), columns)
    return y.reshape(len(x), weight.shape[0], *out)


def _depthwise(x: Array, weight: Array, groups: int, places: list[tuple[Any, ...]]) -> Array:
    """One input channel a group: each tap is a multiply of whole maps, of so many channels at a time that they stay in a cache."""
    times = weight.shape[0] // groups
    if times > 1:
        x = np.repeat(x, times, axis=1)
    kernels = weight.reshape(weight.shape[0], -1, *(1,) * (x.ndim - 2))
    total = np.empty((*x.shape[:2], *x[places[0]].shape[2:]), np.result_type(x, weight))
    channels = max(1, _CACHED * x.shape[1] // max(1, total.size))
    part = np.empty_like(total[:, :channels])
    for start in range(0, x.shape[1], channels):
        maps, sums, some = x[:, start : start + channels], total[:, start : start + channels], kernels[start : start + channels]
        products = part[:, : sums.shape[1]]
        np.multiply(maps[places[0]], some[:, 0], out=sums)
        for at, place in enumerate(places[1:], 1):
            np.multiply(maps[place], some[:, at], out=products)
            sums += products
    return total


def _unrolled(x: Array, weight: Array, groups: int, stride: tuple[int, ...], dilation: tuple[int, ...], out: tuple[int, ...]) -> Array:
    """im2col: the windows of some rows of the output at a time, as columns, times the kernels as rows."""
    kernel, examples = weight.shape[2:], len(x)
    channels = x.shape[1]
    rows = weight.reshape(groups, weight.shape[0] // groups, -1)
    y = np.empty((examples, weight.shape[0], *out), x.dtype)
    at_once = max(1, _MOST // max(1, examples * channels * prod(kernel) * prod(out[1:])))
    for start in range(0, out[0], at_once):
        count = min(at_once, out[0] - start)
        part = x[:, :, start * stride[0] : (start + count - 1) * stride[0] + dilation[0] * (kernel[0] - 1) + 1]
        columns = np.empty((examples, channels, prod(kernel), count, *out[1:]), x.dtype)
        for at, place in enumerate(taps(kernel, stride, dilation, (count, *out[1:]))):
            columns[:, :, at] = part[place]
        found = product(rows, columns.reshape(examples, groups, rows.shape[2], -1))
        y[:, :, start : start + count] = found.reshape(examples, weight.shape[0], count, *out[1:])
    return y


def _transposed(call: NodeCall, x: Array, weight: Array) -> Array:
    """Every input value writes its kernel into the output: weight [C_in, C_out/groups, *kernel]."""
    stride, padding, dilation = (ints(call.attributes, name) for name in ("stride", "padding", "dilation"))
    groups, kernel, space = integer(call.attributes, "groups", 1), weight.shape[2:], x.shape[2:]
    rank = len(kernel)
    columns = x.reshape(len(x), groups, x.shape[1] // groups, -1)
    rows = weight.reshape(groups, weight.shape[0] // groups, -1).swapaxes(1, 2)
    made = product(rows, columns).reshape(len(x), groups * weight.shape[1], prod(kernel), *space)
    extra = ints(call.attributes, "output_padding") if "output_padding" in call.attributes else (0,) * rank
    full = [(size - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 for i, size in enumerate(space)]
    y = np.zeros((*made.shape[:2], *full), made.dtype)
    for at, place in enumerate(taps(kernel, stride, dilation, space)):
        y[place] += made[:, :, at]
    return padded(y, (*(-begin for begin in padding[:rank]), *(extra[i] - padding[rank + i] for i in range(rank))), 0)

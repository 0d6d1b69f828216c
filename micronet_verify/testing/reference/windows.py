"""Convolutions and pools, by windows that slide over the padded input."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from micronet_verify.testing.program import Array, Step, pair

_DEFAULTS = {"padding": 0, "output_padding": 0}


def numbers(step: Step, name: str) -> tuple[int, int]:
    """An option for height and width; 1 where it is absent, or 0 of a padding."""
    return pair(step.options.get(name, _DEFAULTS.get(name, 1)))


def sides(step: Step) -> tuple[int, int, int, int]:
    """Padding at the top, on the left, at the bottom, on the right."""
    begin = numbers(step, "padding")
    return (*begin, *pair(step.options.get("padding_end", begin)))


def conv(step: Step, x: Array) -> Array:
    weight, groups = step.arrays["weight"].astype(np.float64), step.options.get("groups", 1)
    windows = _windows(_padded(x, sides(step), 0.0), weight.shape[2:], numbers(step, "stride"), numbers(step, "dilation"))
    each, made = weight.shape[1], len(weight) // groups
    parts = [
        np.einsum("bchwij,ocij->bohw", windows[:, g * each : (g + 1) * each], weight[g * made : (g + 1) * made]) for g in range(groups)
    ]
    return np.asarray(np.concatenate(parts, 1) + _bias(step))


def conv_transposed(step: Step, x: Array) -> Array:
    """Every input adds its multiple of the kernel to the output, at its place times the stride."""
    weight, groups = step.arrays["weight"].astype(np.float64), step.options.get("groups", 1)
    stride, kernel, extra = numbers(step, "stride"), weight.shape[2:], numbers(step, "output_padding")
    taken, each = len(weight) // groups, weight.shape[1]
    sizes = [(size - 1) * step_ + side + more for size, step_, side, more in zip(x.shape[2:], stride, kernel, extra, strict=True)]
    out = np.zeros((len(x), each * groups, *sizes))
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            place = (slice(row * stride[0], row * stride[0] + kernel[0]), slice(column * stride[1], column * stride[1] + kernel[1]))
            for g in range(groups):
                rows = slice(g * taken, (g + 1) * taken)
                out[:, g * each : (g + 1) * each, *place] += np.einsum("bc,coij->boij", x[:, rows, row, column], weight[rows])
    (top, left), (height, width) = numbers(step, "padding"), out.shape[2:]
    return np.asarray(out[:, :, top : height - top, left : width - left] + _bias(step))


def pool(step: Step, x: Array) -> Array:
    kernel, stride, padding = numbers(step, "kernel"), numbers(step, "stride"), sides(step)
    if step.op == "max_pool":
        return np.asarray(_windows(_padded(x, padding, -np.inf), kernel, stride).max((-2, -1)))
    sums = _windows(_padded(x, padding, 0.0), kernel, stride).sum((-2, -1))
    if step.options.get("counts_padding"):
        return np.asarray(sums / (kernel[0] * kernel[1]))
    return np.asarray(sums / _windows(_padded(np.ones_like(x), padding, 0.0), kernel, stride).sum((-2, -1)))


def _bias(step: Step) -> Array | float:
    return step.arrays["bias"].astype(np.float64)[:, None, None] if "bias" in step.arrays else 0.0


def _padded(x: Array, padding: tuple[int, int, int, int], value: float) -> Array:
    top, left, bottom, right = padding
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def _windows(x: Array, kernel: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> Array:
    """[batch, channels, height, width, kernel, kernel] of a padded input."""
    extent = [each * (size - 1) + 1 for size, each in zip(kernel, dilation, strict=True)]
    found = sliding_window_view(x, extent, (2, 3))
    return found[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]

"""The operators of the contract's notation in PyTorch's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed.*
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, the field's name for it

from micronet_verify.testing import Step, pair
from micronet_verify.testing.program import Array
from micronet_verify.testing.reference.windows import sides

Q = torch.ops.quantized_decomposed
Arrays = Mapping[str, Tensor]


def _float(tensor: Tensor | None) -> Tensor | None:
    return tensor.float() if tensor is not None and tensor.dtype == torch.float16 else tensor


def _quantized_linear(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    codes, bits = arrays["codes"], step.options.get("bits", 8)
    ends = (0, 255) if codes.dtype == torch.uint8 else (-(1 << bits - 1), (1 << bits - 1) - 1)
    return F.linear(x, Q.dequantize_per_channel(codes, arrays["scale"], arrays.get("zero"), 0, *ends, codes.dtype))


def held(name: str, array: Array) -> Tensor:
    """Zero points as exports have them: torch subtracts in their type, in which uint8 would wrap around."""
    return torch.from_numpy(array.astype(np.int64) if name == "zero" and array.ndim else np.array(array))


def _quantize(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    zero = step.arrays.get("zero", np.int8(0))
    ends = np.iinfo(zero.dtype)
    form = (float(step.arrays["scale"]), int(zero), ends.min, ends.max, torch.uint8 if zero.dtype == np.uint8 else torch.int8)
    return Q.dequantize_per_tensor(Q.quantize_per_tensor(x, *form), *form)


def _conv(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    options = {name: step.options[name] for name in ("stride", "padding", "dilation", "groups") if name in step.options}
    if "padding_end" in step.options:
        top, left, bottom, right = sides(step)
        x, options["padding"] = F.pad(x, (left, right, top, bottom)), 0
    return F.conv2d(x, arrays["weight"], arrays.get("bias"), **options)


def _conv_transposed(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    options = {name: step.options[name] for name in ("stride", "padding", "output_padding", "groups") if name in step.options}
    return F.conv_transpose2d(x, arrays["weight"], arrays.get("bias"), **options)


def _batch_norm(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    return F.batch_norm(x, arrays["mean"], arrays["variance"], arrays["scale"], arrays["shift"], eps=step.options["eps"])


def _layer_norm(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], arrays["scale"], arrays["shift"], step.options["eps"])


def _max_pool(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    return F.max_pool2d(x, step.options["kernel"], step.options["stride"], step.options.get("padding", 0))


def _average_pool(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    numbers = (step.options["kernel"], step.options["stride"], step.options.get("padding", 0))
    return F.avg_pool2d(x, *numbers, count_include_pad=bool(step.options.get("counts_padding")))


def _slice(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    places = slice(step.options["start"], step.options["end"], step.options.get("step"))
    return x[(slice(None),) * step.options["axis"] + (places,)]


def _pad(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    height, width = pair(step.options["padding"])
    return F.pad(x, (width, width, height, height))


def _lstm(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    begin = x.new_zeros(1, x.shape[0], arrays["w_hh"].shape[1])
    params = [arrays["w_ih"], arrays["w_hh"], arrays["bias"], torch.zeros_like(arrays["bias"])]
    return torch.lstm(x, [begin, begin], params, True, 1, 0.0, False, False, True)[0]


def _plain(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of the operands alone."""
    return lambda step, arrays, *operands: function(*operands)


_FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hard_swish": F.hardswish,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "matmul": torch.matmul,
}
OPERATORS: Mapping[str, Callable[..., Any]] = {
    **{op: _plain(function) for op, function in _FUNCTIONS.items()},
    "linear": lambda step, arrays, x: F.linear(x, _float(arrays["weight"]), _float(arrays.get("bias"))),
    "quantized_linear": _quantized_linear,
    "quantize": _quantize,
    "conv": _conv,
    "conv_transposed": _conv_transposed,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "softmax": lambda step, arrays, x: F.softmax(x, -1),
    "log_softmax": lambda step, arrays, x: F.log_softmax(x, -1),
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "global_average": lambda step, arrays, x: F.adaptive_avg_pool2d(x, 1).flatten(1),
    "mean": lambda step, arrays, x: x.mean(step.options["axis"]),
    "reshape": lambda step, arrays, x: x.reshape(x.shape[0], *step.options["shape"]),
    "transpose": lambda step, arrays, x: x.permute(step.options["perm"]),
    "concat": lambda step, arrays, *parts: torch.cat(parts, step.options["axis"]),
    "pad": _pad,
    "slice": _slice,
    "embedding": lambda step, arrays, x: F.embedding(x, arrays["table"]),
    "resize_nearest": lambda step, arrays, x: F.interpolate(x, scale_factor=tuple(map(float, pair(step.options["scale"]))), mode="nearest"),
    "above": lambda step, arrays, x: x.sum() > step.options["than"],
    "lstm": _lstm,
}

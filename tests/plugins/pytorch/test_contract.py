"""The contract that every plugin passes, for PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed.*
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it

from micronet_verify.testing import Plugin, PluginContract, Program, Step
from micronet_verify.testing.reference import examples
from tests.plugins.pytorch.support import exported, save

Q = torch.ops.quantized_decomposed


class TestPyTorch(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        return Plugin("pytorch", "micronet_verify_pytorch", write, write_unknown)


class Written(nn.Module):
    """A program as a module: its arrays are buffers, one for a tensor that two steps share."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.names: dict[tuple[str, str], str] = {}
        stored: dict[int, str] = {}
        for step in program.steps:
            for name, array in step.arrays.items():
                if id(array) not in stored:
                    stored[id(array)] = f"{step.name}_{name}"
                    self.register_buffer(stored[id(array)], torch.from_numpy(array.copy()))
                self.names[step.name, name] = stored[id(array)]

    def forward(self, x: Tensor) -> Tensor:
        values = {"x": x}
        for step in self.program.steps:
            arrays = {name: getattr(self, self.names[step.name, name]) for name in step.arrays}
            values[step.name] = _OPERATORS[step.op](step, arrays, *(values[name] for name in step.inputs))
        return values["y"]


Arrays = Mapping[str, Tensor]


def _quantized_linear(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    weight = Q.dequantize_per_channel(arrays["codes"], arrays["scale"], None, 0, -128, 127, torch.int8)
    return F.linear(x, weight)


def _quantize(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    form = (float(step.arrays["scale"]), 0, -128, 127, torch.int8)
    return Q.dequantize_per_tensor(Q.quantize_per_tensor(x, *form), *form)


def _conv(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    options = {name: step.options[name] for name in ("stride", "padding", "dilation", "groups") if name in step.options}
    return F.conv2d(x, arrays["weight"], arrays.get("bias"), **options)


def _batch_norm(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    return F.batch_norm(x, arrays["mean"], arrays["variance"], arrays["scale"], arrays["shift"], eps=step.options["eps"])


def _layer_norm(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], arrays["scale"], arrays["shift"], step.options["eps"])


def _slice(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    return x.narrow(step.options["axis"], step.options["start"], step.options["end"] - step.options["start"])


def _pad(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    return F.pad(x, (step.options["padding"],) * 4)


_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "linear": lambda step, arrays, x: F.linear(x, arrays["weight"], arrays.get("bias")),
    "quantized_linear": _quantized_linear,
    "quantize": _quantize,
    "conv": _conv,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "relu": lambda step, arrays, x: F.relu(x),
    "relu6": lambda step, arrays, x: F.relu6(x),
    "sigmoid": lambda step, arrays, x: torch.sigmoid(x),
    "tanh": lambda step, arrays, x: torch.tanh(x),
    "hard_swish": lambda step, arrays, x: F.hardswish(x),
    "softmax": lambda step, arrays, x: F.softmax(x, -1),
    "add": lambda step, arrays, x, y: x + y,
    "mul": lambda step, arrays, x, y: x * y,
    "matmul": lambda step, arrays, x, y: x @ y,
    "max_pool": lambda step, arrays, x: F.max_pool2d(x, step.options["kernel"], step.options["stride"]),
    "average_pool": lambda step, arrays, x: F.avg_pool2d(x, step.options["kernel"], step.options["stride"]),
    "global_average": lambda step, arrays, x: F.adaptive_avg_pool2d(x, 1).flatten(1),
    "reshape": lambda step, arrays, x: x.reshape(x.shape[0], *step.options["shape"]),
    "transpose": lambda step, arrays, x: x.permute(step.options["perm"]),
    "concat": lambda step, arrays, *parts: torch.cat(parts, step.options["axis"]),
    "pad": _pad,
    "slice": _slice,
    "embedding": lambda step, arrays, x: F.embedding(x, arrays["table"]),
    "resize_nearest": lambda step, arrays, x: F.interpolate(x, scale_factor=step.options["scale"], mode="nearest"),
}


def write(program: Program, folder: Path) -> Path:
    return save(exported(Written(program), torch.from_numpy(examples(program, 2))), folder)


def write_unknown(folder: Path) -> tuple[Path, str]:
    class Unheard(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.special.bessel_j0(x)

    return save(exported(Unheard(), torch.randn(2, 4)), folder), "bessel_j0"

"""Random networks as PyTorch modules, exported to ``.pt2``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.random_networks.network import Network, Op


class _Module(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        for at, op in enumerate(network.ops):
            for name, array in op.arrays.items():
                self.register_buffer(f"{name}_{at}", torch.from_numpy(array.copy()))

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for at, op in enumerate(self.network.ops):
            arrays = {name: getattr(self, f"{name}_{at}") for name in op.arrays}
            values.append(_RULES[op.name](op, [values[place] for place in op.inputs], arrays))
        return values[-1] * 1 if values[-1] is x else values[-1]


def write(network: Network, folder: Path) -> Path:
    path = folder / "model.pt2"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch warns about its own classes
        torch.export.save(torch.export.export(_Module(network).eval(), (torch.zeros(network.shape),)), path)
    return path


def _conv(op: Op, x: list[Tensor], a: dict[str, Tensor]) -> Tensor:
    o = op.options
    return functional.conv2d(x[0], a["weight"], a.get("bias"), o["stride"], o["padding"], o["dilation"], o["groups"])


def _pool(op: Op, x: list[Tensor], a: dict[str, Tensor]) -> Tensor:
    o = op.options
    if op.name == "max_pool":
        return functional.max_pool2d(x[0], o["kernel"], o["stride"], o["padding"])
    return functional.avg_pool2d(x[0], o["kernel"], o["stride"], o["padding"], count_include_pad=o["counts"])


def _pad(op: Op, x: list[Tensor], a: dict[str, Tensor]) -> Tensor:
    top, bottom, left, right = op.options["sides"]
    value = op.options["value"] if op.options["mode"] == "constant" else None
    return functional.pad(x[0], (left, right, top, bottom), op.options["mode"], value)


def _slice(op: Op, x: list[Tensor], a: dict[str, Tensor]) -> Tensor:
    o = op.options
    return x[0][(slice(None),) * o["axis"] + (slice(o["start"], o["end"], o["step"]),)]


def _shuffle(op: Op, x: list[Tensor], a: dict[str, Tensor]) -> Tensor:
    _, channels, height, width = op.options["shape"]
    groups = op.options["groups"]
    return x[0].reshape(1, groups, channels // groups, height, width).transpose(1, 2).reshape(1, channels, height, width)


def _scatter(op: Op, x: list[Tensor], a: dict[str, Tensor]) -> Tensor:
    updates = x[0][:, : len(a["index"])]
    return x[0].index_copy(1, a["index"], updates) if op.options["op"] == "replace" else x[0].index_add(1, a["index"], updates)


def _resize(op: Op, x: list[Tensor], a: dict[str, Tensor]) -> Tensor:
    if op.options["op"] == "nearest":
        return functional.interpolate(x[0], scale_factor=2, mode="nearest")
    return functional.interpolate(x[0], scale_factor=2, mode="bilinear", align_corners=False)


def _attention(op: Op, x: list[Tensor], a: dict[str, Tensor]) -> Tensor:
    rows = x[0].flatten(2)
    return (torch.softmax(rows @ rows.transpose(1, 2), -1) @ rows).reshape(x[0].shape)


def _reduce(op: Op, x: list[Tensor], a: dict[str, Tensor]) -> Tensor:
    functions: dict[str, Callable[..., Tensor]] = {"mean": torch.mean, "max": torch.amax, "sum": torch.sum, "min": torch.amin}
    return functions[op.options["op"]](x[0], op.options["axes"], keepdim=True)


_TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"add": torch.add, "mul": torch.mul, "sub": torch.sub, "max": torch.maximum}
_RULES: dict[str, Callable[[Op, list[Tensor], dict[str, Tensor]], Any]] = {
    "conv": _conv,
    "conv_transposed": lambda op, x, a: functional.conv_transpose2d(x[0], a["weight"], stride=op.options["stride"]),
    "batch_norm": lambda op, x, a: functional.batch_norm(x[0], a["mean"], a["variance"], a["scale"], a["shift"], eps=op.options["eps"]),
    "relu": lambda op, x, a: functional.relu(x[0]),
    "relu6": lambda op, x, a: functional.relu6(x[0]),
    "sigmoid": lambda op, x, a: torch.sigmoid(x[0]),
    "tanh": lambda op, x, a: torch.tanh(x[0]),
    "hard_swish": lambda op, x, a: functional.hardswish(x[0]),
    "silu": lambda op, x, a: functional.silu(x[0]),
    "leaky_relu": lambda op, x, a: functional.leaky_relu(x[0], 0.25),
    "elu": lambda op, x, a: functional.elu(x[0]),
    "softplus": lambda op, x, a: functional.softplus(x[0]),
    "abs": lambda op, x, a: torch.abs(x[0]),
    "square": lambda op, x, a: x[0] * x[0],
    "neg": lambda op, x, a: -x[0],
    "gelu": lambda op, x, a: functional.gelu(x[0]),
    "max_pool": _pool,
    "average_pool": _pool,
    "reduce": _reduce,
    "pad": _pad,
    "constant": lambda op, x, a: _TWO[op.options["op"]](x[0], a["other"]),
    "join": lambda op, x, a: _TWO[op.options["op"]](x[0], x[1]),
    "concat": lambda op, x, a: torch.cat(x, 1),
    "slice": _slice,
    "flip": lambda op, x, a: torch.flip(x[0], (op.options["axis"],)),
    "shuffle": _shuffle,
    "gather": lambda op, x, a: torch.index_select(x[0], op.options["axis"], a["index"]),
    "gather_elements": lambda op, x, a: torch.gather(x[0], 1, a["index"]),
    "scatter": _scatter,
    "resize": _resize,
    "softmax": lambda op, x, a: torch.softmax(x[0], op.options["axis"]),
    "quantize": lambda op, x, a: torch.fake_quantize_per_tensor_affine(x[0], op.options["scale"], 0, -128, 127),
    "flatten": lambda op, x, a: torch.flatten(x[0], 1),
    "linear": lambda op, x, a: functional.linear(x[0], a["weight"], a.get("bias")),
    "layer_norm": lambda op, x, a: functional.layer_norm(x[0], (x[0].shape[-1],), a["scale"], a["shift"], op.options["eps"]),
    "topk": lambda op, x, a: torch.topk(x[0], op.options["k"], 1)[0],
    "cumsum": lambda op, x, a: torch.cumsum(x[0], op.options["axis"]),
    "where": lambda op, x, a: torch.where(x[0] > op.options["bound"], x[0], torch.tensor(op.options["other"])),
    "attention": _attention,
    "branch": lambda op, x, a: torch.cond(x[0].sum() > 0, lambda x: functional.relu(x), lambda x: -x, (x[0],)),
}

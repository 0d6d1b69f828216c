"""The contract's programs as modules, exported and saved as ``.pt2``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed.*
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it

from micronet_verify.testing import Program, Step, pair
from micronet_verify.testing.program import Array
from micronet_verify.testing.reference import examples
from micronet_verify.testing.reference.windows import sides
from tests.plugins.pytorch.support import exported, save

Q = torch.ops.quantized_decomposed
Arrays = Mapping[str, Tensor]


class Written(nn.Module):
    """A program as a module: its arrays are buffers, one for a tensor that two steps share. Loops are written out, as exports have them."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.names: dict[tuple[int, str], str] = {}
        stored: dict[int, str] = {}
        for step in program.all_steps():
            for name, array in step.arrays.items():
                if id(array) not in stored:
                    place = _place(step.name, name)
                    stored[id(array)] = f"{place}_{len(stored)}" if place in stored.values() else place
                    self._store(stored[id(array)], _stored(name, array))
                self.names[id(step), name] = stored[id(array)]

    def _store(self, place: str, tensor: Tensor) -> None:
        path, _, name = place.rpartition(".")
        if path and path not in self._modules:
            self.add_module(path, nn.Module())
        (self._modules[path] if path else self).register_buffer(name, tensor)  # type: ignore[union-attr]

    def forward(self, x: Tensor, *states: Tensor) -> Any:
        values = {"x": x, **{state.name: tensor for state, tensor in zip(self.program.states, states, strict=True)}}
        y = self.run(self.program.steps, values)
        return (y, *(values[state.after] for state in self.program.states)) if states else y

    def run(self, steps: Sequence[Step], values: dict[str, Tensor]) -> Tensor:
        """Adds what each step makes to ``values``; the last step's result."""
        for step in steps:
            operands = [values[name] for name in step.inputs]
            if step.op == "branch":
                values[step.name] = self._branch(step, operands[0], values)
            elif step.op == "loop":
                values[step.name] = self._loop(step, operands, values)
            else:
                arrays = {name: self.get_buffer(self.names[id(step), name]) for name in step.arrays}
                values[step.name] = _OPERATORS[step.op](step, arrays, *operands)
        return values[steps[-1].name]

    def _branch(self, step: Step, predicate: Tensor, values: Mapping[str, Tensor]) -> Tensor:
        names = sorted({name for body in step.bodies for name in _read(body)} & values.keys())

        def body(steps: Sequence[Step], *operands: Tensor) -> Tensor:
            return self.run(steps, dict(zip(names, operands, strict=True)))

        return torch.cond(predicate, *(partial(body, steps) for steps in step.bodies), tuple(values[name] for name in names))

    def _loop(self, step: Step, operands: Sequence[Tensor], values: Mapping[str, Tensor]) -> Tensor:
        state, turns = operands[0], []
        for turn in range(step.options["trips"]):
            seen = dict(zip(("state", "slice"), (state, *(x[:, turn] for x in operands[1:])), strict=False))
            state = self.run(step.bodies[0], {**values, **seen})
            turns.append(state)
        return torch.stack(turns, 1) if step.options.get("collected") else state


def _place(step: str, name: str) -> str:
    """Where an array is kept. Names with a mark lie in a module of their own, so that flattened they come to one name."""
    if "-" in step:
        return f"{step.replace('-', '_')}.{name}"
    return f"{step}_{name}"


def _read(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        yield from step.inputs
        for body in step.bodies:
            yield from _read(body)


def _float(tensor: Tensor | None) -> Tensor | None:
    return tensor.float() if tensor is not None and tensor.dtype == torch.float16 else tensor


def _quantized_linear(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    codes, bits = arrays["codes"], step.options.get("bits", 8)
    ends = (0, 255) if codes.dtype == torch.uint8 else (-(1 << bits - 1), (1 << bits - 1) - 1)
    return F.linear(x, Q.dequantize_per_channel(codes, arrays["scale"], arrays.get("zero"), 0, *ends, codes.dtype))


def _stored(name: str, array: Array) -> Tensor:
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
    return x.narrow(step.options["axis"], step.options["start"], step.options["end"] - step.options["start"])


def _pad(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    height, width = pair(step.options["padding"])
    return F.pad(x, (width, width, height, height))


def _lstm(step: Step, arrays: Arrays, x: Tensor) -> Tensor:
    begin = x.new_zeros(1, x.shape[0], arrays["w_hh"].shape[1])
    params = [arrays["w_ih"], arrays["w_hh"], arrays["bias"], torch.zeros_like(arrays["bias"])]
    return torch.lstm(x, [begin, begin], params, True, 1, 0.0, False, False, True)[0]


_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "linear": lambda step, arrays, x: F.linear(x, _float(arrays["weight"]), _float(arrays.get("bias"))),
    "quantized_linear": _quantized_linear,
    "quantize": _quantize,
    "conv": _conv,
    "conv_transposed": _conv_transposed,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "relu": lambda step, arrays, x: F.relu(x),
    "relu6": lambda step, arrays, x: F.relu6(x),
    "sigmoid": lambda step, arrays, x: torch.sigmoid(x),
    "tanh": lambda step, arrays, x: torch.tanh(x),
    "hard_swish": lambda step, arrays, x: F.hardswish(x),
    "softmax": lambda step, arrays, x: F.softmax(x, -1),
    "log_softmax": lambda step, arrays, x: F.log_softmax(x, -1),
    "add": lambda step, arrays, x, y: x + y,
    "sub": lambda step, arrays, x, y: x - y,
    "mul": lambda step, arrays, x, y: x * y,
    "div": lambda step, arrays, x, y: x / y,
    "matmul": lambda step, arrays, x, y: x @ y,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "global_average": lambda step, arrays, x: F.adaptive_avg_pool2d(x, 1).flatten(1),
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


def write(program: Program, folder: Path) -> Path:
    module, x = Written(program), torch.from_numpy(examples(program, 2))
    if program.states:
        return save(_of_step(module, program), folder)
    return save(exported(module, x[:1] if program.branches else x, dynamic=not program.branches), folder)


def _of_step(module: Written, program: Program) -> torch.export.ExportedProgram:
    states = [torch.zeros(1, *state.shape) for state in program.states]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch warns about its own classes
        return torch.export.export(module.eval(), (torch.zeros(1, dtype=torch.int64), *states)).run_decompositions({})


def write_unknown(folder: Path) -> tuple[Path, str]:
    class Unheard(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.special.bessel_j0(x)

    return save(exported(Unheard(), torch.randn(2, 4)), folder), "bessel_j0"

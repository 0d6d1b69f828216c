"""The contract's programs as modules, exported and saved as ``.pt2``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from micronet_verify.testing import Program, Step
from micronet_verify.testing.reference import examples
from tests.plugins.pytorch.program_layers import OPERATORS, held
from tests.plugins.pytorch.support import exported, save


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
                    self._store(stored[id(array)], held(name, array))
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
                values[step.name] = OPERATORS[step.op](step, arrays, *operands)
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

"""Walks a program in numpy: its steps, the bodies of its branches and loops, and the states of a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from micronet_verify.testing.program import Array, Program, Step
from micronet_verify.testing.reference.formulas import FORMULAS

NOT_REACHED = -1


@dataclass(frozen=True, slots=True)
class Answers:
    """``outputs`` [examples, …], and which body each example took (0, 1, or −1: not reached) by the name of the branching step."""

    outputs: Array
    taken: Mapping[str, tuple[int, ...]]


def run(program: Program, inputs: Array) -> Array:
    """The answers [count, …] float64."""
    return answer(program, inputs).outputs


def answer(program: Program, inputs: Array) -> Answers:
    """The answers with what each branch did. A program that branches is run one example at a time."""
    if not program.branches:
        return Answers(values_of(program, inputs, {})["y"], {})
    rows, records = [], []
    for at in range(len(inputs)):
        records.append(dict.fromkeys(program.branches, NOT_REACHED))
        rows.append(values_of(program, inputs[at : at + 1], records[-1])["y"])
    return Answers(np.concatenate(rows), {name: tuple(record[name] for record in records) for name in program.branches})


def read(program: Program, words: Array) -> Array:
    """The answers [words, …] of a language model's step that reads a text, word by word; states begin as zeros."""
    states = {state.name: np.zeros((1, *state.shape)) for state in program.states}
    rows = []
    for word in words.reshape(-1):
        values = values_of(program, np.array([word]), {}, states)
        states = {state.name: values[state.after] for state in program.states}
        rows.append(values["y"])
    return np.concatenate(rows)


def values_of(program: Program, inputs: Array, taken: dict[str, int], states: Mapping[str, Array] | None = None) -> dict[str, Array]:
    """What every step makes of ``inputs``; ``taken`` receives which body each branch took."""
    values: dict[str, Any] = {"x": inputs if program.words else np.asarray(inputs, np.float64), **(states or {})}
    _walk(program.steps, values, taken)
    return values


def _walk(steps: Sequence[Step], values: dict[str, Array], taken: dict[str, int]) -> Array:
    """Adds what each step makes to ``values``; the last step's result."""
    for step in steps:
        way: Callable[..., Array] | None = {"branch": _branch, "loop": _loop}.get(step.op)
        operands = [values[name] for name in step.inputs]
        values[step.name] = FORMULAS[step.op](step, *operands) if way is None else way(step, operands, values, taken)
    return values[steps[-1].name]


def _branch(step: Step, operands: Sequence[Array], values: Mapping[str, Array], taken: dict[str, int]) -> Array:
    chosen = 0 if bool(operands[0]) else 1
    taken[step.name] = chosen
    return _walk(step.bodies[chosen], dict(values), taken)


def _loop(step: Step, operands: Sequence[Array], values: Mapping[str, Array], taken: dict[str, int]) -> Array:
    state, turns = operands[0], []
    for turn in range(step.options["trips"]):
        inner = {**values, "state": state}
        if len(operands) > 1:
            inner["slice"] = operands[1][:, turn]
        state = _walk(step.bodies[0], inner, taken)
        turns.append(state)
    return np.stack(turns, 1) if step.options.get("collected") else state

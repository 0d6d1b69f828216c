"""Mistakes of a translator, as changes of a program: what the plugin of the notation then counts, or runs, is another program.

A change that finds nothing to do returns the very program that it was given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from micronet_verify.testing import Program, Step, pair
from micronet_verify.testing.program import Array

Change = Callable[[Program], Program]
Steps = Step | Iterable[Step]


def every(ops: str, change: Callable[[Step], Steps]) -> Change:
    """Change each step of these operators, also in bodies, to one or several others."""

    def walk(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        found: list[Step] = []
        for step in steps:
            bodies = tuple(walk(body) for body in step.bodies)
            inner = step if all(old is new for old, new in zip(step.bodies, bodies, strict=True)) else replace(step, bodies=bodies)
            changed = change(inner) if step.op in ops.split() else inner
            found.extend([changed] if isinstance(changed, Step) else changed)
        return steps if len(found) == len(steps) and all(old is new for old, new in zip(steps, found, strict=True)) else tuple(found)

    def changed(program: Program) -> Program:
        steps = walk(program.steps)
        return program if steps is program.steps else replace(program, steps=steps)

    return changed


def options(step: Step, /, **numbers: Any) -> Step:
    """The step with other options; itself where they are what they were."""
    return (
        step
        if all(step.options.get(name) == value for name, value in numbers.items())
        else replace(step, options={**step.options, **numbers})
    )


def arrays(step: Step, change: Callable[[Array], Array], *names: str) -> Step:
    """The step with these of its arrays changed; itself where they are what they were."""
    changed = {name: change(array) if name in names else array for name, array in step.arrays.items()}
    return step if all(_same(changed[name], array) for name, array in step.arrays.items()) else replace(step, arrays=changed)


def _same(one: Array, other: Array) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def without(step: Step, name: str) -> Step:
    """The step without one of its arrays."""
    return replace(step, arrays={key: array for key, array in step.arrays.items() if key != name}) if name in step.arrays else step


def swapped(step: Step, one: str, other: str) -> Step:
    """The step with two of its arrays in each other's place."""
    if not {one, other} <= step.arrays.keys():
        return step
    return replace(step, arrays={**step.arrays, one: step.arrays[other], other: step.arrays[one]})


def other(op: str, **numbers: Any) -> Callable[[Step], Step]:
    """Another operator in the place of this one, with these options and its own."""
    return lambda step: replace(step, op=op, options={**step.options, **numbers})


def nothing(step: Step) -> Step:
    """A step that hands its first operand on: it joins it with nothing."""
    return Step("concat", step.inputs[:1], {}, {"axis": 1}, step.name)


def along_rows(step: Step) -> Steps:
    """The function along the axis before the last, where it is as long as that."""
    turned, inner = f"{step.name}.turned", f"{step.name}.inner"
    if step.options.get("rank", 3) != 3:
        return step
    turn = {"perm": (0, 2, 1)}
    return (
        Step("transpose", step.inputs, {}, turn, turned),
        replace(step, inputs=(turned,), name=inner),
        Step("transpose", (inner,), {}, turn, step.name),
    )


def turned_over(array: Array) -> Array:
    """Outputs and inputs of a square weight swapped."""
    return array.swapaxes(0, 1) if array.ndim > 1 and array.shape[0] == array.shape[1] else array


def pairs_swapped(step: Step, *names: str) -> Step:
    """Numbers for height and width in each other's place."""
    numbers = {name: pair(step.options[name])[::-1] for name in names if name in step.options}
    return step if all(number == pair(step.options[name]) for name, number in numbers.items()) else options(step, **numbers)


def first_group(step: Step) -> Step:
    """The weights of the first group for all of them."""
    groups = step.options.get("groups", 1)
    if groups == 1:
        return step
    return arrays(step, lambda weight: np.concatenate([weight[: len(weight) // groups]] * groups), "weight")


def gates(order: str) -> Callable[[Step], Step]:
    """The gates of an LSTM taken in another order than ``ifgo``."""
    places = ["ifgo".index(gate) for gate in order]
    return lambda step: arrays(step, lambda array: np.concatenate([np.split(array, 4)[place] for place in places]), "w_ih", "w_hh", "bias")


def scaled_inputs(step: Step) -> Step:
    """Scales of outputs taken for those of inputs, where there are as many."""
    codes, scale = step.arrays["codes"], step.arrays["scale"]
    if codes.shape[0] != codes.shape[1]:
        return step
    return replace(step, op="linear", arrays={"weight": (codes * scale).astype(np.float32)})


def nibbles(step: Step) -> Step:
    """Two numbers of four bits that share a byte, in each other's place."""
    if step.options.get("bits") != 4:
        return step
    return arrays(step, lambda codes: codes.reshape(-1, 2)[:, ::-1].reshape(codes.shape), "codes")


def colliding(program: Program) -> Program:
    """Tensors by names from which marks were taken away: the first of a name stands for all."""
    known: dict[str, Array] = {}

    def named(step: Step) -> Step:
        found = {name: known.setdefault(re.sub(r"\W", "_", f"{step.name}.{name}"), array) for name, array in step.arrays.items()}
        return step if all(_same(found[name], array) for name, array in step.arrays.items()) else replace(step, arrays=found)

    return every("linear", named)(program)


def as_reshape(program: Program) -> Program:
    """A transpose of the input, or of what has its shape, only gives it another shape."""
    sizes = (0, *program.shape)

    def flat(step: Step) -> Step:
        return replace(step, op="reshape", options={"shape": tuple(sizes[axis] for axis in step.options["perm"][1:])})

    return every("transpose", flat)(program)

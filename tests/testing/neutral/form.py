"""Programs as files: ``model.notation``, JSON of the steps, and ``model.weights``, their arrays one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.testing import OPERATORS, Program, State, Step
from micronet_verify.testing.program import Array

WEIGHTS = "model.weights"
_ALIGNED = 64


@dataclass(frozen=True)
class Placed(Mapping[str, Array]):
    """Arrays of a step as they lie in the file of weights, read when they are asked for; ``offsets`` of each, in bytes."""

    folder: Path
    places: Mapping[str, tuple[int, tuple[int, ...], str]]

    def __getitem__(self, name: str) -> Array:
        offset, shape, kind = self.places[name]
        return np.fromfile(self.folder / WEIGHTS, kind, int(np.prod(shape)), offset=offset).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def offset(self, name: str) -> int:
        return self.places[name][0]


def write(program: Program, folder: Path) -> Path:
    """The program as two files; an array that two steps share is stored once."""
    offsets: dict[int, int] = {}
    data = bytearray()

    def placed(array: Array) -> list[Any]:
        if id(array) not in offsets:
            data.extend(bytes(-len(data) % _ALIGNED))
            offsets[id(array)] = len(data)
            data.extend(np.ascontiguousarray(array).tobytes())
        return [offsets[id(array)], list(array.shape), array.dtype.name]

    def steps(each: tuple[Step, ...]) -> list[dict[str, Any]]:
        return [
            {
                "op": step.op,
                "inputs": step.inputs,
                "arrays": {name: placed(array) for name, array in step.arrays.items()},
                "options": dict(step.options),
                "name": step.name,
                "bodies": [steps(body) for body in step.bodies],
            }
            for step in each
        ]

    states = [[state.name, state.shape, state.after] for state in program.states]
    text = {"shape": program.shape, "words": program.words, "states": states, "steps": steps(program.steps), "bytes": len(data)}
    (folder / WEIGHTS).write_bytes(bytes(data))
    path = folder / "model.notation"
    path.write_text(json.dumps(text), encoding="utf-8")
    return path


def read(path: Path) -> Program:
    """The program in a file. Raises ``SubmissionFault`` with what is wrong in it."""
    with told(path.name):
        data = json.loads(path.read_bytes())
        weights = path.parent / WEIGHTS
        held = weights.stat().st_size if weights.exists() else -1
        if held != data["bytes"]:
            raise SubmissionFault(Problem(f"{held} bytes of weights", f"be {data['bytes']}", WEIGHTS))
        states = tuple(State(name, tuple(shape), after) for name, shape, after in data["states"])
        return Program(path.stem, tuple(data["shape"]), _steps(data["steps"], path.parent, held), data["words"], states=states)


@contextmanager
def told(where: str) -> Iterator[None]:
    """What a file that makes no sense raises, as a sentence."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise SubmissionFault(Problem(f"a file that cannot be read ({error!r})", "be a program in the notation", where)) from None


def _steps(data: Any, folder: Path, held: int) -> tuple[Step, ...]:
    found = []
    for item in data:
        if item["op"] not in OPERATORS:
            raise SubmissionFault(Problem(f"the operator {item['op']!r}", "be one of the notation", str(item["name"])))
        places = {name: (offset, tuple(shape), kind) for name, (offset, shape, kind) in item["arrays"].items()}
        for offset, shape, kind in places.values():
            if min((offset, *shape)) < 0 or offset + int(np.prod(shape)) * np.dtype(kind).itemsize > held:
                raise ValueError("a tensor outside of its file")
        options = {name: tuple(value) if isinstance(value, list) else value for name, value in item["options"].items()}
        bodies = tuple(_steps(body, folder, held) for body in item["bodies"])
        found.append(Step(item["op"], tuple(item["inputs"]), Placed(folder, places), options, item["name"], bodies))
    return tuple(found)

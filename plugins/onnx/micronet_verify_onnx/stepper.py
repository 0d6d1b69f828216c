"""Language models a token at a time: one session of onnxruntime, its memory bound once and for all.

A step reads its states from one set of buffers and writes the new ones to another; two bindings take turns, so that nothing is
allocated or copied for a token but its row of log-probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import (
    TRIED,
    Form,
    Port,
    Problem,
    SubmissionFault,
    check_chunk,
    check_rows,
    check_step,
    chunk_length,
    rows_format,
    whole_chunk,
    zeros,
)
from micronet_verify_onnx.branches import Record, names_of
from micronet_verify_onnx.session import checked, fault, open_session

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "tensor(float)": "float32",
        "tensor(float16)": "float16",
        "tensor(double)": "float64",
        "tensor(bool)": "bool",
        **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    }
)


class _Open:
    """An open file, tried once from zeros to see the shapes of its results."""

    def __init__(self, artifact: Path, threads: int) -> None:
        names = names_of(artifact, checked(artifact).model)
        self.session, self.records = open_session(artifact, threads, names)
        self.where = artifact.name
        self.inputs = [_port(given) for given in self.session.get_inputs()]
        made = self.session.get_outputs()
        self.names = [str(output.name) for output in made[: len(made) - len(self.records)]]

    def tried(self, tokens: int) -> tuple[list[Port], list[NDArray[Any]]]:
        """The outputs for ``tokens`` tokens, every other input at zero."""
        fed = {}
        for place, port in enumerate(self.inputs):
            shape = [(tokens if place == 0 else 1) if size is None else size for size in port.shape]
            if place == 0 and len(shape) > 1 and port.shape[0] is None:
                shape[0] = 1
            fed[port.name] = np.zeros(shape, port.format)
        found = run(self.session, self.names, fed)
        return [Port(name, array.shape, array.dtype.name) for name, array in zip(self.names, found, strict=True)], found


class OnnxStep:
    """The ``Stepper`` of a step."""

    def __init__(self, artifact: Path, words: int, threads: int) -> None:
        opened = _Open(artifact, threads)
        self._session, self._records = opened.session, opened.records
        inputs = [Port(port.name, tuple(1 if size is None else size for size in port.shape), port.format) for port in opened.inputs]
        outputs, found = opened.tried(1) if inputs else ([], [])
        self.form: Form = check_step(inputs, outputs, words, opened.where)
        self.branches = bool(self._records)
        self.rows_format = rows_format(outputs[0].format)
        self._token = zeros(inputs[0])
        self._answer = np.zeros_like(found[0])
        self._taken = [np.zeros(1, np.int64) for _ in self._records]
        self._states = [[zeros(state) for state in self.form.states] for _ in range(2)]
        self._bindings = [self._bound(inputs, outputs, side) for side in (0, 1)]
        self._side = 0

    def _bound(self, inputs: Sequence[Port], outputs: Sequence[Port], side: int) -> Any:
        """Reads the states of ``side`` and writes those of the other."""
        binding = self._session.io_binding()
        for port, array in zip(inputs, (self._token, *self._states[side]), strict=True):
            binding.bind_input(port.name, "cpu", 0, array.dtype.type, list(array.shape), array.ctypes.data)
        names = [*(port.name for port in outputs), *(record.output for record in self._records)]
        buffers: tuple[NDArray[Any], ...] = (self._answer, *self._states[1 - side], *self._taken)
        for name, array in zip(names, buffers, strict=True):
            binding.bind_output(name, "cpu", 0, array.dtype.type, list(array.shape), array.ctypes.data)
        return binding

    def start(self, states: Sequence[NDArray[Any]] | None = None) -> None:
        self._side = 0
        for place, array in enumerate(self._states[0]):
            array[...] = 0 if states is None else states[place]

    def feed(self, tokens: NDArray[np.int64], rows: NDArray[Any]) -> Mapping[str, tuple[int, ...]]:
        session_run, token, answer, side = self._session.run_with_iobinding, self._token.reshape(-1), self._answer.reshape(-1), self._side
        first, second = self._bindings
        paths: list[list[int]] = [[] for _ in self._records]
        try:
            for place, number in enumerate(tokens.tolist()):
                token[0] = number
                session_run(second if side else first)
                side ^= 1
                rows[place] = answer
                for path, taken in zip(paths, self._taken, strict=True):
                    path.append(int(taken[0]))
        except Exception as error:  # onnxruntime's exceptions share no base class
            fault(error, "a step that fails on a token", "answer every token")
        self._side = side
        return _paths(self._records, paths)

    def state(self) -> tuple[NDArray[Any], ...]:
        return tuple(array.copy() for array in self._states[self._side])


class OnnxChunk:
    """The ``Stepper`` of a chunk."""

    branches = False

    def __init__(self, artifact: Path, words: int, threads: int) -> None:
        opened = _Open(artifact, threads)
        length = chunk_length(opened.inputs, opened.where, bool(opened.records))
        tried = length or TRIED
        outputs, _ = opened.tried(tried)
        self.form: Form = check_chunk(opened.inputs, outputs, words, tried, opened.where)
        self.rows_format = rows_format(outputs[0].format)
        self._session, self._names = opened.session, opened.names
        self._inputs, self._axes, self._words = [port.name for port in opened.inputs], len(opened.inputs[0].shape), words
        self.start()

    def start(self, states: Sequence[NDArray[Any]] | None = None) -> None:
        given = [None] * len(self.form.states) if states is None else states
        self._states = [
            zeros(port) if array is None else np.array(array, port.format) for port, array in zip(self.form.states, given, strict=True)
        ]

    def feed(self, tokens: NDArray[np.int64], rows: NDArray[Any]) -> Mapping[str, tuple[int, ...]]:
        whole = whole_chunk(tokens, self.form.length)
        fed = dict(zip(self._inputs, (whole if self._axes == 1 else whole[None], *self._states), strict=True))
        answer, *self._states = run(self._session, self._names, fed)
        check_rows(answer.shape, len(whole), self._words)
        rows[:] = answer.reshape(-1, self._words)[: len(tokens)]
        return {}

    def state(self) -> tuple[NDArray[Any], ...]:
        return tuple(array.copy() for array in self._states)


def run(session: Any, names: Sequence[str], fed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    try:
        return session.run(names, fed)  # type: ignore[no-any-return]
    except Exception as error:  # onnxruntime's exceptions share no base class
        fault(error, "a model that fails on tokens and states of the shapes that it declares", "answer them")


def _port(given: Any) -> Port:
    shape = tuple(size if isinstance(size, int) else None for size in given.shape)
    if given.type not in _TYPES:
        raise SubmissionFault(Problem(f"an input of type {given.type}", f"be one of {', '.join(_TYPES)}", f"input {given.name!r}"))
    return Port(str(given.name), shape, _TYPES[given.type])


def _paths(records: Sequence[Record], paths: Sequence[Sequence[int]]) -> Mapping[str, tuple[int, ...]]:
    return {record.name: tuple(path) for record, path in zip(records, paths, strict=True)}

"""Language models a token at a time: the form that a model file has, and what a plugin's loader implements to run one.

A *step* takes (token, state…) and gives (log-probabilities, state…); a *chunk* takes T tokens and gives T rows. Both kinds of
file run through a ``Stepper``. The judge asks the loader for one where the track's metric is perplexity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.framework.requests import StepRequest

ADVICE = "a step is (token, state…) → (log-probabilities, state…), with every state out as it goes in, and in the same order"
TOKEN = "int64"
TRIED = 3
"""Tokens with which a chunk of free length is tried: neither 1 nor a usual number."""
ANSWERS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a model: its name, its shape (``None``: an axis left free) and the name of its number format."""

    name: str
    shape: tuple[int | None, ...]
    format: str


def zeros(port: Port) -> NDArray[Any]:
    """An array for a port of fixed shape."""
    return np.zeros(tuple(size for size in port.shape if size is not None), port.format)


def rows_format(answers: str) -> str:
    """The format of rows of log-probabilities, by that of the answers."""
    return "float64" if answers == "float64" else "float32"


def whole_chunk(tokens: NDArray[np.int64], length: int | None) -> NDArray[np.int64]:
    """Tokens for a chunk, with zeros behind them where it takes more."""
    return np.concatenate([tokens, np.zeros((length or len(tokens)) - len(tokens), np.int64)])


def check_rows(shape: tuple[int, ...], tokens: int, words: int) -> None:
    """Raises ``SubmissionFault`` for answers of a chunk that are not one row for each token."""
    if prod(shape) != tokens * words:
        raise SubmissionFault(Problem(f"log-probabilities of shape {shape} for {tokens} tokens", "be one row for each"))


@dataclass(frozen=True, slots=True)
class Form:
    """A checked step or chunk. ``length``: tokens at a time, 1 of a step; ``None`` of a chunk whose length is free."""

    states: tuple[Port, ...]
    length: int | None


class Stepper(Protocol):
    """One open model, in one state. ``rows_format`` is the type of the rows that ``feed`` fills.

    ``branches``: whether the data decides a branch somewhere, so that ``feed`` tells which body each token took.
    """

    form: Form
    branches: bool
    rows_format: str

    def start(self, states: Sequence[NDArray[Any]] | None = None) -> None:
        """Begin anew from ``states``, in the order of ``form.states``; from zeros where there are none."""
        ...

    def feed(self, tokens: NDArray[np.int64], rows: NDArray[Any]) -> Mapping[str, tuple[int, ...]]:
        """Feed ``tokens`` [n], each when the one before has been answered; log-probabilities go to ``rows`` [n, words].

        A chunk gets at most ``form.length`` tokens, and is fed them in one call; where it gets fewer, its state afterwards means
        nothing. Returns branch id → body for each token, −1 where it never came there. Raises ``SubmissionFault`` where the
        model fails.
        """
        ...

    def state(self) -> tuple[NDArray[Any], ...]:
        """The states after the last token, as copies."""
        ...


@runtime_checkable
class Stepping(Protocol):
    """A ``Loader`` that runs language models, too."""

    def stepper(self, request: StepRequest) -> Stepper:
        """Open a step (or a chunk). Raises ``SubmissionFault`` where the model has another form."""
        ...


def check_step(inputs: Sequence[Port], outputs: Sequence[Port], words: int, where: str) -> Form:
    """The form of a step. Raises ``SubmissionFault`` with everything in which it is none."""
    problems = list(_token_problems(inputs, ((1,), (1, 1)), "[1] or [1, 1]"))
    problems += _answer_problems(outputs, ((words,), (1, words)), f"[{words}] or [1, {words}]")
    problems += _state_problems(inputs[1:], outputs[1:])
    if problems:
        raise SubmissionFault(_at(problems, where))
    return Form(tuple(inputs[1:]), 1)


def chunk_length(inputs: Sequence[Port], where: str, branches: bool = False) -> int | None:
    """How many tokens a chunk takes, ``None`` where that is free. Raises ``SubmissionFault`` where its first input is not of tokens,
    or where it branches: no record can tell its tokens apart."""
    if branches:
        raise SubmissionFault(Problem("a chunk that branches on its data", "have no branch", where))
    token = inputs[0] if inputs else None
    if token is None or len(token.shape) not in (1, 2) or (len(token.shape) == 2 and token.shape[0] not in (1, None)):
        raise SubmissionFault(_at(list(_token_problems(inputs, (), "[T] or [1, T]")), where))
    return token.shape[-1]


def check_chunk(inputs: Sequence[Port], outputs: Sequence[Port], words: int, tried: int, where: str) -> Form:
    """The form of a chunk whose ``outputs`` are those for ``tried`` tokens. Raises ``SubmissionFault`` as ``check_step`` does."""
    length = chunk_length(inputs, where)
    problems = list(_token_problems(inputs, (inputs[0].shape,), "[T] or [1, T]"))
    problems += _answer_problems(outputs, ((tried, words), (1, tried, words)), f"[T, {words}] or [1, T, {words}], of {tried} tokens here,")
    problems += _state_problems(inputs[1:], outputs[1:])
    if problems:
        raise SubmissionFault(_at(problems, where))
    return Form(tuple(inputs[1:]), length)


def check_states(given: Mapping[str, tuple[tuple[int, ...], str]], wanted: Sequence[Port]) -> None:
    """Compare initial states, name → (shape, format), with the state inputs of a model. Raises ``SubmissionFault``."""
    where, names = "initial states", [port.name for port in wanted]
    if sorted(given) != sorted(names):
        got, should = ", ".join(sorted(given)) or "none", ", ".join(names) or "none"
        raise SubmissionFault(Problem(f"initial states named {got}", f"be named like the model's state inputs: {should}", where))
    problems = [
        Problem(f"{port.name!r} of {given[port.name][1]} {list(given[port.name][0])}", f"be {port.format} {list(port.shape)}", where)
        for port in wanted
        if given[port.name] != (port.shape, port.format)
    ]
    if problems:
        raise SubmissionFault(problems)


def _token_problems(inputs: Sequence[Port], shapes: Sequence[tuple[int | None, ...]], wanted: str) -> list[Problem]:
    if not inputs:
        return [Problem("a model without inputs", f"take the token first, {TOKEN} of shape {wanted}", advice=ADVICE)]
    token = inputs[0]
    if token.format == TOKEN and token.shape in shapes:
        return []
    got = f"a first input {token.name!r} of {token.format} and shape {_shape(token.shape)}"
    return [Problem(got, f"be the token, {TOKEN} of shape {wanted}", advice=ADVICE)]


def _answer_problems(outputs: Sequence[Port], shapes: Sequence[tuple[int, ...]], wanted: str) -> list[Problem]:
    if not outputs:
        return [Problem("a model without outputs", f"give the log-probabilities first, of shape {wanted}", advice=ADVICE)]
    answer = outputs[0]
    if answer.format in ANSWERS and answer.shape in shapes:
        return []
    got = f"a first output of {answer.format} and shape {_shape(answer.shape)}"
    return [Problem(got, f"be the log-probabilities of all words, floats of shape {wanted}", advice=ADVICE)]


def _state_problems(given: Sequence[Port], made: Sequence[Port]) -> list[Problem]:
    problems = []
    if len(given) != len(made):
        problems.append(Problem(f"{_states(len(given))} in and {_states(len(made))} out", "be as many", advice=ADVICE))
    for number, (before, after) in enumerate(zip(given, made, strict=False), 1):
        if None in before.shape:
            problems.append(Problem(f"state {number}, {before.name!r}, of shape {_shape(before.shape)}", "have a fixed size on every axis"))
        elif (before.shape, before.format) != (after.shape, after.format):
            got = f"state {number}, {before.name!r}, of {before.format} {_shape(before.shape)} that comes out as {after.format} "
            problems.append(Problem(got + _shape(after.shape), "keep its shape and type", advice=ADVICE))
    return problems


def _at(problems: Sequence[Problem], where: str) -> list[Problem]:
    return [Problem(problem.got, problem.should, where, problem.advice) for problem in problems]


def _states(count: int) -> str:
    return f"{count} state{'' if count == 1 else 's'}"


def _shape(shape: Sequence[int | None]) -> str:
    return f"[{', '.join('free' if size is None else str(size) for size in shape)}]"

"""Language models a token at a time: the function that ``runner`` builds, fed with its own states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
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
)
from micronet_verify_pytorch.counter import names_of_branches
from micronet_verify_pytorch.expressions import symbol_name
from micronet_verify_pytorch.program import Program, Ref, read_program
from micronet_verify_pytorch.runner import Taken, build

_FAILURES = (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError)
Tensors = tuple[torch.Tensor, ...]


class _Open:
    """An open archive, and its inputs as it declares them."""

    def __init__(self, artifact: Path, threads: int, step: bool) -> None:
        torch.set_num_threads(threads)
        program = read_program(artifact)
        self.where, self.taken = artifact.name, Taken(names_of_branches(program))
        model = build(program, self.taken)
        self.forward, self.branches = model.forward, model.branches
        wrong = [output for output in program.graph.outputs if not isinstance(output, Ref)]
        if wrong:
            raise SubmissionFault(
                Problem(f"an output {wrong[0]!r}", "be a tensor", artifact.name, "return log-probabilities and states alone")
            )
        free = _free(program, 0) if step else None
        self.inputs = [_port(program, name, free) for name in program.inputs]

    def tried(self, tokens: int) -> list[Port]:
        """The outputs for ``tokens`` tokens, every other input at zero."""
        fed = [_zeros(port, tokens if place == 0 else 1) for place, port in enumerate(self.inputs)]
        found = run(self.forward, fed[0], tuple(fed[1:]))
        self.taken.clear()
        return [Port(f"output {place}", tuple(made.shape), _name(made.dtype)) for place, made in enumerate(found)]


class TorchStep:
    """The ``Stepper`` of a step."""

    def __init__(self, artifact: Path, words: int, threads: int) -> None:
        opened = _Open(artifact, threads, step=True)
        outputs = opened.tried(1) if opened.inputs else []
        self.form: Form = check_step(opened.inputs, outputs, words, opened.where)
        self.branches, self.rows_format = opened.branches, rows_format(outputs[0].format)
        self._forward, self._taken, self._words = opened.forward, opened.taken, words
        self._token = opened.inputs[0].shape
        self.start()

    def start(self, states: Sequence[NDArray[Any]] | None = None) -> None:
        self._states = _begun(self.form, states)

    def feed(self, tokens: NDArray[np.int64], rows: NDArray[Any]) -> Mapping[str, tuple[int, ...]]:
        forward, taken, states = self._forward, self._taken, self._states
        answers: list[torch.Tensor] = []
        paths: list[list[int]] = []
        try:
            with torch.inference_mode():
                for token in torch.from_numpy(tokens).reshape(len(tokens), *self._token).unbind(0):
                    answer, *states = forward(token, *states)  # type: ignore[assignment]
                    answers.append(answer)
                    if self.branches:
                        paths.append(taken.clear())
                torch.from_numpy(rows).copy_(torch.stack(answers).reshape(len(tokens), self._words))
        except _FAILURES as error:
            raise _failed(error) from None
        self._states = _kept(self.form, states)
        return {name: tuple(path[place] for path in paths) for place, name in enumerate(taken.names)}

    def state(self) -> tuple[NDArray[Any], ...]:
        return tuple(map(_array, self._states))


class TorchChunk:
    """The ``Stepper`` of a chunk."""

    branches = False

    def __init__(self, artifact: Path, words: int, threads: int) -> None:
        opened = _Open(artifact, threads, step=False)
        length = chunk_length(opened.inputs, opened.where, opened.branches)
        tried = length or TRIED
        outputs = opened.tried(tried)
        self.form: Form = check_chunk(opened.inputs, outputs, words, tried, opened.where)
        self.rows_format = rows_format(outputs[0].format)
        self._forward, self._words, self._axes = opened.forward, words, len(opened.inputs[0].shape)
        self.start()

    def start(self, states: Sequence[NDArray[Any]] | None = None) -> None:
        self._states = _begun(self.form, states)

    def feed(self, tokens: NDArray[np.int64], rows: NDArray[Any]) -> Mapping[str, tuple[int, ...]]:
        whole = torch.from_numpy(whole_chunk(tokens, self.form.length))
        answer, *states = run(self._forward, whole if self._axes == 1 else whole[None], self._states)
        check_rows(tuple(answer.shape), len(whole), self._words)
        torch.from_numpy(rows).copy_(answer.reshape(-1, self._words)[: len(tokens)])
        self._states = _kept(self.form, states)
        return {}

    def state(self) -> tuple[NDArray[Any], ...]:
        return tuple(map(_array, self._states))


def run(forward: Callable[..., Tensors], tokens: torch.Tensor, states: Tensors) -> Tensors:
    try:
        with torch.inference_mode():
            return forward(tokens, *states)
    except _FAILURES as error:
        raise _failed(error) from None


def _failed(error: BaseException) -> SubmissionFault:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return SubmissionFault(Problem(f"a model that fails on tokens and states of the shapes that it declares ({reason})", "answer"))


def _free(program: Program, axis: int) -> str | None:
    """The symbol of the token's first axis: the batch of a step, which is one."""
    meta = program.graph.metas.get(program.inputs[0]) if program.inputs else None
    size = meta.sizes[axis] if meta is not None and meta.sizes else 1
    return symbol_name(size) if isinstance(size, str) else None


def _port(program: Program, name: str, one: str | None) -> Port:
    """An input as declared; the symbol ``one`` stands for 1, any other for a free size."""
    meta = program.graph.metas.get(name)
    if meta is None or meta.format is None:
        raise SubmissionFault(Problem(f"the input {name!r}", "be a tensor of real numbers", program.path.name))
    sizes = [size if isinstance(size, int) else 1 if one is not None and symbol_name(size) == one else None for size in meta.sizes]
    return Port(name, tuple(sizes), meta.format.name)


def _zeros(port: Port, free: int) -> torch.Tensor:
    return torch.zeros([free if size is None else size for size in port.shape], dtype=getattr(torch, port.format))


def _begun(form: Form, states: Sequence[NDArray[Any]] | None) -> Tensors:
    begun = tuple(_zeros(port, 1) for port in form.states)
    for tensor, array in zip(begun, states or (), strict=states is not None):
        tensor.copy_(torch.from_numpy(np.array(array)))
    return begun


def _kept(form: Form, states: Sequence[torch.Tensor]) -> Tensors:
    """States after some tokens. Raises ``SubmissionFault`` for one that has changed its shape or type."""
    for number, (port, tensor) in enumerate(zip(form.states, states, strict=True), 1):
        if tuple(tensor.shape) != port.shape or _name(tensor.dtype) != port.format:
            got = f"state {number}, {port.name!r}, that has become {_name(tensor.dtype)} {list(tensor.shape)}"
            raise SubmissionFault(Problem(got, f"stay {port.format} {list(port.shape)}"))
    return tuple(states)


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    """A copy; formats that numpy lacks are exact in float32."""
    wide = tensor.to(torch.float32) if tensor.is_floating_point() and tensor.dtype not in _PLAIN else tensor
    return wide.numpy().copy()  # type: ignore[no-any-return]


_PLAIN = (torch.float16, torch.float32, torch.float64)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

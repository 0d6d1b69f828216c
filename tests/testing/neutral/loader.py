"""The loader: runs programs with the formulas of the kit, and language models word by word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.framework.protocols import Answer, as_batches
from micronet_verify.framework.requests import PredictRequest, StepRequest
from micronet_verify.framework.stepping import Form, Port
from micronet_verify.testing import Program
from micronet_verify.testing.program import Array
from micronet_verify.testing.reference import answer
from micronet_verify.testing.reference.walk import values_of
from tests.testing.neutral.form import read, told

Change = Callable[[Program], Program]


class NeutralLoader:
    """Runs what ``change`` makes of the program in a file."""

    def __init__(self, change: Change = lambda program: program) -> None:
        self._change = change

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        artifact, inputs = request.artifact, request.inputs
        program = self._change(read(artifact))
        if inputs.shape[1:] != program.shape:
            raise SubmissionFault(Problem(f"inputs of shape {inputs.shape[1:]}", f"be {program.shape}", artifact.name))
        for batch in as_batches(inputs, request.batch_size):
            with told(artifact.name):
                found = answer(program, batch)
            yield Answer(found.outputs.astype(np.float32), found.taken)

    def stepper(self, request: StepRequest) -> NeutralStepper:
        return NeutralStepper(self._change(read(request.artifact)))


class NeutralStepper:
    """One open step of a language model."""

    branches, rows_format = False, "float32"

    def __init__(self, program: Program) -> None:
        self._program = program
        self.form = Form(tuple(Port(state.name, (1, *state.shape), "float32") for state in program.states), 1)
        self.start()

    def start(self, states: Sequence[Array] | None = None) -> None:
        given = states or [np.zeros((1, *state.shape)) for state in self._program.states]
        self._states = dict(zip((state.name for state in self._program.states), given, strict=True))

    def feed(self, tokens: Array, rows: Array) -> Mapping[str, tuple[int, ...]]:
        for at in range(len(tokens)):
            values = values_of(self._program, tokens[at : at + 1], {}, self._states)
            self._states = {state.name: values[state.after] for state in self._program.states}
            rows[at] = values["y"][0]
        return {}

    def state(self) -> tuple[Array, ...]:
        return tuple(state.astype(np.float32) for state in self._states.values())

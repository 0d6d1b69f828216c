"""The step of a language model: its state is all that it remembers, it begins anew when it is told to, and goes on from where it was."""

from __future__ import annotations

import numpy as np
import pytest

from micronet_verify.framework.requests import StepRequest
from micronet_verify.framework.stepping import Stepper, Stepping
from micronet_verify.testing.cases import Case
from micronet_verify.testing.cases.control import STEPS
from micronet_verify.testing.contract.fixtures import Fixtures
from micronet_verify.testing.contract.programs import are_close
from micronet_verify.testing.made import Made, inputs_of
from micronet_verify.testing.program import Array

each_step = pytest.mark.parametrize("case", STEPS, ids=lambda case: case.program.name)


class Steps(Fixtures):
    """Tests of formats that can say a step and of loaders that have a stepper."""

    @each_step
    def test_a_step_names_its_states(self, made: Made, case: Case) -> None:
        form = _opened(made, case).form
        assert form.length == 1
        assert [(state.shape, state.format) for state in form.states] == [((1, *state.shape), "float32") for state in case.program.states]

    @each_step
    def test_a_step_begins_anew(self, made: Made, case: Case) -> None:
        stepper = _opened(made, case)
        once, again = (_fed(stepper, case, inputs_of(case)) for _ in range(2))
        are_close(again, once, "answers to a text that is read again", "those before")

    @each_step
    def test_a_step_goes_on_from_its_state(self, made: Made, case: Case) -> None:
        """Another stepper that starts from the state after three words answers as the one that read them."""
        one, other, words = _opened(made, case), _opened(made, case), inputs_of(case)
        _fed(one, case, words[:3])
        states = one.state()
        assert len(states) == len(case.program.states)
        are_close(_fed(other, case, words[3:], states), made.expected(case).outputs[3:], "answers from a state", "numpy's")
        are_close(
            _fed(one, case, words[3:], states), made.expected(case).outputs[3:], "answers from a state, by the same stepper,", "numpy's"
        )


def _opened(made: Made, case: Case) -> Stepper:
    artifact, loader = made.artifact(case), made.plugin.framework.loader()
    if not isinstance(loader, Stepping):
        pytest.skip(f"{made.plugin.name} has no stepper")
    return loader.stepper(StepRequest(artifact, case.program.words, 1))


def _fed(stepper: Stepper, case: Case, words: Array, states: tuple[Array, ...] | None = None) -> Array:
    stepper.start(states)
    rows = np.zeros((len(words), case.program.words), stepper.rows_format)
    stepper.feed(words.astype(np.int64), rows)
    return rows.astype(np.float32)

"""The programs of the kit show what they are there to show: bounds are hit, nothing hangs on a tie, and no mistake is small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from micronet_verify.testing import OPERATORS, Program, Step
from micronet_verify.testing.cases import CASES, EXAMPLES, Case
from micronet_verify.testing.contract.programs import CLOSE
from micronet_verify.testing.made import inputs_of
from micronet_verify.testing.program import Array
from micronet_verify.testing.reference import answer, read
from micronet_verify.testing.reference.walk import values_of
from tests.testing.defects import CHANGES
from tests.testing.planted import affected

BY_NAME = {case.program.name: case for case in CASES}


def operands(op: str) -> Iterator[tuple[Program, Step, Array]]:
    """Every step of an operator, of programs without bodies, with what it reads for the examples."""
    for case in CASES:
        program = case.program
        if op in {step.op for step in program.steps} and not (program.branches or program.states):
            values = values_of(program, inputs_of(case), {})
            yield from ((program, step, values[step.inputs[0]]) for step in program.steps if step.op == op)


def test_names_are_unique_and_every_operator_has_a_program() -> None:
    assert len(BY_NAME) == len(CASES)
    assert {op for case in CASES for op in case.program.operators} == set(OPERATORS)


@pytest.mark.parametrize(("op", "low", "high"), [("relu6", 0, 6), ("hard_swish", -3, 3)])
def test_examples_reach_over_both_bounds(op: str, low: float, high: float) -> None:
    ((_, _, x),) = operands(op)
    assert (x < low).any()
    assert (x > high).any()
    assert ((x > low) & (x < high)).any()


def test_codes_reach_over_both_ends_and_no_code_hangs_on_a_tie() -> None:
    ends = set()
    for program, step, x in operands("quantize"):
        quotient, zero = x / float(step.arrays["scale"]), step.arrays.get("zero", np.int8(0))
        from_tie = np.abs(quotient - np.floor(quotient) - 0.5)
        assert (from_tie == 0).any() == bool(program.unit)
        assert from_tie[from_tie > 0].min() > 1e-3
        limits = np.iinfo(zero.dtype)
        ends |= {(quotient + int(zero) < limits.min).any() and "low", (quotient + int(zero) > limits.max).any() and "high"}
    assert {"low", "high"} <= ends


@pytest.mark.parametrize("name", ["branch", "branch-nested"])
def test_examples_take_both_bodies_as_often_as_the_price_says_and_none_by_a_hair(name: str) -> None:
    case = BY_NAME[name]
    found = answer(case.program, inputs_of(case))
    shares = {step: (bodies.count(0), sum(body >= 0 for body in bodies)) for step, bodies in found.taken.items()}
    assert shares == case.shares
    assert all(0 < first < reached <= EXAMPLES for first, reached in shares.values())
    thresholds = [step for step in case.program.all_steps() if step.op == "above"]
    for example in inputs_of(case):
        values = values_of(case.program, example[None], {})
        assert all(abs(values[step.inputs[0]].sum() - step.options["than"]) > 0.05 for step in thresholds if step.inputs[0] in values)


def test_no_square_weight_is_its_transpose_and_no_kernel_its_mirror_image() -> None:
    for case in CASES:
        for step in case.program.all_steps():
            weight = step.arrays.get("weight", np.zeros((1, 2)))
            if weight.ndim == 2 and weight.shape[0] == weight.shape[1]:
                assert not np.array_equal(weight, weight.T)
            if weight.ndim == 4 and weight.shape[2] > 1:
                assert not np.array_equal(weight, weight[:, :, ::-1, ::-1])


def _answers(program: Program, inputs: Array) -> Array:
    return read(program, inputs) if program.states else answer(program, inputs).outputs


@pytest.mark.parametrize("name", CHANGES)
def test_no_mistake_is_as_small_as_rounding(name: str) -> None:
    """The least that a change of the table moves an answer, in what the contract lets pass: hundreds of times as much."""

    def moved(case: Case) -> float:
        should = _answers(case.program, inputs_of(case))
        try:
            got = _answers(CHANGES[name](case.program), inputs_of(case))
        except (ValueError, IndexError):  # shapes that do not fit
            return np.inf
        return np.inf if got.shape != should.shape else float(np.abs(got - should).max() / (CLOSE * np.abs(should).max()))

    assert max(map(moved, affected(CHANGES[name]))) > 200

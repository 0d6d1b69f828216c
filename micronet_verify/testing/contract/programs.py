"""Every program costs what arithmetic says, and file, graph and numpy give the same answers.

Three answers to the same examples are compared: numpy's, in float64, from the program; the loader's, from the file; and the
interpreter's, from the translated graph. What is counted is what is evaluated only where all three agree: a defect in loader
and counter alike still differs from numpy.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.facts.nested import branch_ids
from micronet_verify.stages.branches import share_of
from micronet_verify.testing.cases import CASES, Case
from micronet_verify.testing.contract.fixtures import Fixtures
from micronet_verify.testing.made import Made, inputs_of
from micronet_verify.testing.program import Array
from micronet_verify.testing.reference import Answers

CLOSE = 2.0**-15
"""How far answers may lie apart, in the largest of them.

float32 rounds each result by at most 2⁻²⁴ of it. The longest program here adds about a hundred terms in a row, a few times over; errors
of both signs add up like √n, and functions of frameworks are good to a few units in the last place. That comes to some 2⁻¹⁹. The
rest is kept for kernels that order or fuse sums otherwise, and the weights and examples are such that every mistake in a formula
moves an answer by hundreds of times as much (``tests/testing``): no norm's eps, no bias and no bound is smaller than that.
"""
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.program.name)


class Programs(Fixtures):
    """The tests that are run for each program; those that a format cannot say are skipped."""

    @each_case
    def test_a_program_costs_what_arithmetic_says(self, made: Made, case: Case) -> None:
        translated = made.translated(case)
        taken = made.predicted(case).taken if case.shares else {}
        count = translated.count({name: share_of(bodies) for name, bodies in taken.items()})
        assert case.regime in count.ledgers, f"not priced in the regime {case.regime}: {count.forfeited}"
        ledger = count.ledgers[case.regime]
        lines = "\n".join(f"{line.axis} {line.subject}: {line.formula} of {line.bits} bits {line.operation}" for line in ledger.lines)
        got = {operation: ledger.quantity("operations", operation) for operation in ("multiply", "add")}
        assert got == {"multiply": case.multiplies, "add": case.adds}, lines
        assert ledger.storage == Fraction(case.storage, 32), lines
        assert ledger.operations == Fraction(case.operation_bits) / 32, lines

    @each_case
    def test_a_program_answers_what_numpy_answers(self, made: Made, case: Case) -> None:
        are_close(made.predicted(case).outputs, made.expected(case).outputs, "the loader's answers", "numpy's")

    @each_case
    def test_the_graph_computes_what_numpy_computes(self, made: Made, case: Case) -> None:
        are_close(made.computed(case).outputs, made.expected(case).outputs, "the graph's answers", "numpy's")

    @each_case
    def test_the_graph_computes_what_the_loader_answers(self, made: Made, case: Case) -> None:
        are_close(made.computed(case).outputs, made.predicted(case).outputs, "the graph's answers", "the loader's")

    @each_case
    def test_examples_take_the_bodies_that_numpy_takes(self, made: Made, case: Case) -> None:
        ids, expected = tuple(branch_ids(made.translated(case).graph)), made.expected(case)
        assert len(set(ids)) == len(case.program.branches), f"got branches {ids} but should be {case.program.branches}"
        told = dict(zip(ids, expected.taken.values(), strict=True))
        assert _ordered(made.predicted(case)) == told, "bodies that the loader says were taken"
        assert _ordered(made.computed(case)) == told, "bodies that the graph takes"

    @each_case
    def test_the_graph_is_of_one_example_and_tells_its_places(self, made: Made, case: Case) -> None:
        graph = made.translated(case).graph
        first, *states = (graph.values[name] for name in graph.inputs)
        if case.program.states:
            assert first.shape in ((1,), (1, 1))
        else:
            assert first.shape == (1, *inputs_of(case).shape[1:])
        assert first.format.name == case.program.input_format
        assert [state.shape for state in states] == [(1, *state.shape) for state in case.program.states]
        assert len(graph.outputs) == 1 + len(states)
        assert graph.values[graph.outputs[0]].shape == (1, *made.expected(case).outputs.shape[1:])
        assert [node.kind for node in graph.nodes if not node.source] == []


def _ordered(answers: Answers) -> dict[str, tuple[int, ...]]:
    return {name: tuple(int(body) for body in bodies) for name, bodies in answers.taken.items()}


def are_close(got: Array, should: Array, name: str, other: str) -> None:
    """Fail unless two arrays have one shape and lie within ``CLOSE`` of the largest number of the second."""
    assert got.shape == should.shape, f"{name} of shape {got.shape} beside {other} of shape {should.shape}"
    assert np.isfinite(got).all(), f"{name} are not finite"
    apart = np.abs(got.astype(np.float64) - should)
    most = CLOSE * float(np.abs(should).max())
    where = tuple(int(place) for place in np.unravel_index(apart.argmax(), apart.shape))
    assert apart.max() <= most, (
        f"{name} {got[where]} beside {other} {should[where]} at {where}: apart {apart.max():.3g}, at most {most:.3g}"
    )

"""How the graph as translated is judged against the framework, branch by branch of the decision."""

from __future__ import annotations

import numpy as np
import pytest

from micronet_verify.facts.graph import Node
from micronet_verify.proof.decisions import Replay
from micronet_verify.proof.second import decide as decide_freebie
from micronet_verify.proof.terms import Terms
from micronet_verify.proof.translated import FLIPS, allowed, decide

LIMIT = 1e-5


def of(differences: list[float], settled: int = 0, flips: float = 0.0, ties: bool = True) -> str:
    return decide(np.array(differences), LIMIT, settled, flips, ties, 8.0).outcome


def test_the_limit_is_the_yardstick_times_a_factor_with_a_floor_and_a_cap() -> None:
    assert allowed(1e-6, 1e-7, 8, 1e-3) == pytest.approx(8e-6)
    assert allowed(0, 1e-7, 8, 1e-3) == 1e-7
    assert allowed(0.1, 1e-7, 8, 1e-3) == 1e-3


def test_without_decisions_every_example_agrees() -> None:
    assert of([1e-6, 9e-6, 0], ties=False) == "holds"
    assert of([1e-6, 2e-5, 0], settled=3, flips=1.0, ties=False) == "differs"


def test_ties_excuse_no_whole_network() -> None:
    """8 of 8 examples settled: with eight times as many flips, (8/8)⁸ = 1 of them would be, and half of that agrees closely at least."""
    assert of([0.01] * 5 + [0] * 3, settled=8, flips=1.0) == "differs"
    assert of([0.01] * 4 + [0] * 4, settled=8, flips=1.0) == "holds"


def test_where_decisions_hang_on_the_last_bits_fewer_can_agree() -> None:
    """48 of 64 settled: 64 · (48/64)⁸ / 2 = 3.2, so 3 agree closely at least; 8 of 64: none can be asked for."""
    assert of([0.01] * 61 + [0] * 3, settled=48, flips=1.0) == "holds"
    assert of([0.01] * 62 + [0] * 2, settled=48, flips=1.0) == "differs"
    assert of([0.01] * 64, settled=8, flips=1.0) == "holds"


def test_no_example_differs_by_more_than_ties_explain() -> None:
    assert of([0.01] * 3 + [0] * 5, settled=8, flips=0.01 / FLIPS) == "holds"
    assert of([0.011] * 3 + [0] * 5, settled=8, flips=0.01 / FLIPS) == "differs"
    assert of([0.01] * 3 + [0] * 5, settled=8, flips=0.0) == "differs"


def test_nan_is_infinitely_far() -> None:
    assert of([np.inf] + [0] * 7, settled=8, flips=1.0) == "differs"


CHANCES = np.array([[0.01, 0.02, 0.01], [0.02, 0.01, 0.01]])


@pytest.mark.parametrize(("times", "outcome"), [(0.7, "holds"), (1.9, "holds"), (2.1, "differs")])
def test_the_freebie_explains_twice_what_chance_does(times: float, outcome: str) -> None:
    mean = np.sqrt(np.mean(CHANCES**2, axis=1).max())
    assert decide_freebie(np.full(3, times * mean), CHANCES, LIMIT, Terms()).outcome == outcome


def test_one_example_may_not_hide_among_many() -> None:
    chances = np.full((2, 64), 0.01)
    differences = np.full(64, 0.005)
    differences[3] = 0.05
    assert np.sqrt(np.mean(differences**2)) < 2 * 0.01
    assert decide_freebie(differences, chances, LIMIT, Terms()).outcome == "differs"


def test_what_rounding_itself_may_do_is_bounded() -> None:
    assert decide_freebie(np.full(3, 0.16), np.full((2, 3), 0.16), LIMIT, Terms()).outcome == "differs"
    assert decide_freebie(np.full(3, 0.14), np.full((2, 3), 0.14), LIMIT, Terms()).outcome == "holds"


def test_numbers_that_overflow_at_16_bits() -> None:
    assert decide_freebie(np.array([np.inf, 0]), np.zeros((2, 2)), LIMIT, Terms()).outcome == "differs"


def test_exact_rounding_still_leaves_the_last_bits() -> None:
    assert decide_freebie(np.full(3, 9e-6), np.zeros((2, 3)), LIMIT, Terms()).outcome == "holds"
    assert decide_freebie(np.full(3, 2e-5), np.zeros((2, 3)), LIMIT, Terms()).outcome == "differs"


def test_places_decide_and_values_do_not() -> None:
    """The values of a top-k differ in their last bits; had they counted as decisions, no example of such a network were ever settled."""
    node = Node("select", ("x",), ("values", "places"), {"op": "topk", "axis": 0, "k": 2})
    before = np.array([3.0, 2.0], np.float32), np.array([4, 1])
    exact, other = (np.array([3.0, 2.0]) + 1e-8, np.array([4, 1])), (np.array([3.0, 2.0]) + 1e-8, np.array([4, 2]))
    alike, apart = Replay({("values", 1): before}), Replay({("values", 1): before})
    assert alike(node, exact) is exact
    assert alike.changed == 0
    assert apart(node, other) is before
    assert apart.changed == 1

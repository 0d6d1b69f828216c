"""Differences are in the spread between examples: what all classes or all examples have in common hides nothing."""

from __future__ import annotations

import numpy as np
import pytest

from micronet_verify.proof.spread import Measure, apart, centred, levels_apart, size_of, spread_of

ROWS = np.array([[1.0, 2, 3], [2, 4, 0], [0, 0, 6]])


def test_centred() -> None:
    assert centred(ROWS).tolist() == [[-1, 0, 1], [0, 2, -2], [-2, -2, 4]]
    assert centred(np.array([[5.0], [7.0]])).tolist() == [[5], [7]]  # one number has nothing in common with others


def test_the_spread_is_between_examples() -> None:
    columns = np.array([[-1, 0, 1], [0, 2, -2], [-2, -2, 4]])
    assert spread_of(ROWS) == pytest.approx(np.sqrt(np.mean((columns - columns.mean(axis=0)) ** 2)))


@pytest.mark.parametrize("term", [1e3, 1e6])
def test_a_term_of_all_classes_or_all_examples_changes_nothing(term: float) -> None:
    common = np.array([[term], [-term], [term / 2]])
    of_examples = np.array([[0.0, 5, -5]])
    assert spread_of(ROWS + common + of_examples) == pytest.approx(spread_of(ROWS))
    other = ROWS + np.eye(3) * 0.01
    unit = spread_of(ROWS)
    assert apart(ROWS + common, other + common, unit) == pytest.approx(apart(ROWS, other, unit), rel=1e-5)
    assert size_of(ROWS + common) == pytest.approx(4)


def test_answers_of_one_kind_have_no_spread() -> None:
    assert spread_of(np.tile(ROWS[:1], (5, 1))) == 0
    rounding = 1e-8 * np.random.default_rng(0).normal(size=(5, 3))
    assert spread_of(np.tile(ROWS[:1], (5, 1)) + rounding) == 0
    assert spread_of(ROWS[:1]) == 0
    assert spread_of(np.full((4, 3), np.nan)) == 0


def test_nan_is_no_agreement_and_infinities_must_match() -> None:
    inf = -np.inf
    one = np.array([[0.0, 1, inf], [0, 1, 2], [0, 1, inf], [0, np.nan, 2]])
    other = np.array([[0.0, 1, inf], [0, np.nan, 2], [0, 1, 2], [0, np.nan, 2]])
    assert apart(one, other, 1.0).tolist() == [0, np.inf, np.inf, np.inf]


def test_answers_of_another_number_of_classes_are_no_answers() -> None:
    assert apart(ROWS, ROWS[:, :2], 1.0).tolist() == [np.inf] * 3


def test_what_all_classes_have_in_common_has_a_yardstick_of_its_own() -> None:
    """A log-softmax that is left out changes nothing but each row's mean: by 2 here, where 0.5 is rounding."""
    common = np.array([[2.0], [0.1]])
    measure = Measure(spread=4.0, limit=1e-5, level=0.5)
    assert apart(ROWS[:2] + common, ROWS[:2], 4.0) == pytest.approx([0, 0], abs=1e-12)
    assert measure.apart(ROWS[:2] + common, ROWS[:2]) == pytest.approx([4e-5, 0.2e-5])
    assert levels_apart(ROWS[:2, :1] + common, ROWS[:2, :1]).tolist() == [0, 0]

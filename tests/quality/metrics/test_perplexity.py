from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, SubmissionFault
from micronet_verify.quality.metrics.perplexity import exact_sum, perplexity
from micronet_verify.quality.metrics.thresholds import Level, level

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
THIRTY_FIVE = Fraction(35)


@given(st.lists(FINITE, max_size=50))
def test_the_sum_is_exact(numbers: list[float]) -> None:
    assert exact_sum(np.array(numbers, np.float64)) == sum(map(Fraction, numbers), Fraction(0))


def test_the_sum_of_many() -> None:
    numbers = -np.random.default_rng(0).exponential(3.5, 245_569)
    total = exact_sum(numbers)
    assert float(total) == math.fsum(numbers)  # both are the exact sum, rounded once
    assert total != Fraction(float(total))  # and a double could not hold it


def test_the_sum_of_float32_is_that_of_their_values() -> None:
    numbers = np.array([-0.1, -3.3, -1e-30], np.float32)
    assert exact_sum(numbers) == sum(Fraction(float(number)) for number in numbers)


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=60))
def test_the_value_is_exp_of_the_mean(numbers: list[float]) -> None:
    found = perplexity(np.array(numbers), THIRTY_FIVE)
    assert float(found.value) == pytest.approx(math.exp(-math.fsum(numbers) / len(numbers)), rel=1e-14)
    assert found.of == len(numbers)


def uniform(words: int, tokens: int = 1000) -> NDArray[np.float64]:
    """A model that knows nothing has a perplexity of its vocabulary's size, as nearly as doubles say so."""
    return np.full(tokens, -math.log(words))


def nearest(bound: Fraction) -> float:
    """−ln(bound) rounded to a double."""
    with localcontext(prec=40):
        return -float((Decimal(bound.numerator) / Decimal(bound.denominator)).ln())


@pytest.mark.parametrize("bound", [Fraction(35), Fraction("34.1"), Fraction(1000), Fraction("1.5"), Fraction(1, 2)])
def test_the_gate_is_decided_on_the_sum_and_not_on_a_print(bound: Fraction) -> None:
    """The two doubles around −ln(bound) differ in the last place only; one passes, the other does not, for any number of tokens."""
    middle = nearest(bound)
    above, below = sorted((math.nextafter(middle, -math.inf), math.nextafter(middle, math.inf)))
    for tokens in (1, 7, 1000):
        if bound > 1:
            worse, better = perplexity(np.full(tokens, above), bound), perplexity(np.full(tokens, below), bound)
            assert (worse.met, better.met) == (False, True)
            assert worse.words != better.words  # as many places as it takes
        else:  # no model is better than certain
            assert not perplexity(np.full(tokens, 0.0), bound).met


def test_a_bound_of_one_is_certainty() -> None:
    assert perplexity(np.zeros(5), Fraction(1)).met
    assert not perplexity(np.array([0.0, -1e-300]), Fraction(1)).met


def test_one_token_of_a_quarter_million_decides() -> None:
    numbers = np.full(245_569, math.nextafter(nearest(THIRTY_FIVE), math.inf))
    assert perplexity(numbers, THIRTY_FIVE).met
    numbers[17] = -4
    assert not perplexity(numbers, THIRTY_FIVE).met
    numbers[18] = -3
    assert perplexity(numbers, THIRTY_FIVE).met


@pytest.mark.parametrize(
    ("words", "bound", "text", "margin"),
    [
        (35.05, 35, "perplexity 35.05", "0.05 perplexity above"),
        (34.0, 35, "perplexity 34.00", "1.00 perplexity below"),
        (1200.0, 35, "perplexity 1,200.00", "1,165.00 perplexity above"),
        (35.000_4, 35, "perplexity 35.0004", "0.00040 perplexity above"),
        (35.000_000_012, 35, "perplexity 35.00000001", "0.000000012 perplexity above"),
    ],
)
def test_margins_in_words(words: float, bound: int, text: str, margin: str) -> None:
    found = perplexity(np.full(10, -math.log(words)), Fraction(bound))
    assert (found.words, found.margin, found.met) == (text, margin, words <= bound)


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_an_impossible_token_is_named(value: float) -> None:
    numbers = uniform(10)
    numbers[[3, 700]] = value
    with pytest.raises(SubmissionFault) as caught:
        perplexity(numbers, THIRTY_FIVE)
    assert str(caught.value) == (
        "got NaN or infinity as log-likelihood of 2 tokens, first of token 3, but should be finite: no token is impossible "
        "[log-likelihoods]"
    )


def test_a_probability_above_one() -> None:
    numbers = uniform(10)
    numbers[5] = 0.1
    with pytest.raises(SubmissionFault, match=r"^got a probability above 1 of 1 tokens, first of token 5, but should be at most 1 "):
        perplexity(numbers, THIRTY_FIVE)
    numbers[5] = 1e-7  # what float32 makes of certainty
    assert perplexity(numbers, THIRTY_FIVE).met


@pytest.mark.parametrize("numbers", [np.zeros((3, 2)), np.zeros(0), np.zeros(3, int)])
def test_other_shapes_and_types(numbers: NDArray[np.float64]) -> None:
    with pytest.raises(SubmissionFault, match=r"^got log-likelihoods of shape .* but should be one float for each token"):
        perplexity(numbers, THIRTY_FIVE)


def test_the_worst_of_models_still_has_a_number() -> None:
    found = perplexity(np.full(3, -1e38), THIRTY_FIVE)
    assert not found.met
    assert float(found.value) == pytest.approx(math.exp(700))


def test_levels_of_plugins() -> None:
    least = level("f1", Fraction(3, 4), 500, Fraction(0), Fraction("0.8"))
    assert (least.met, least.words, least.margin) == (False, "f1 0.75", "0.05 f1 below")
    assert level("f1", Fraction(9, 10), 500, Fraction(0), Fraction("0.8")).margin == "0.10 f1 above"
    most = level("error", 1, 500, Fraction(1))
    assert (most.met, most.words, most.margin) == (True, "error 1.00", "exactly on the target")
    assert most == Level("error", Fraction(1), 500, Fraction(1), True)
    with pytest.raises(BenchFault, match=r"^got a float from the metric 'f1' but should be a Fraction, which is exact$"):
        level("f1", 0.5, 500, Fraction(1))

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micronet_verify.wording.numbers import decimal, exact, exact_decimal, figure, percent, rounded


@pytest.mark.parametrize(("number", "places", "text"), [
    ("1/2", 0, "1"), ("3/2", 0, "2"), ("-1/2", 0, "-1"), ("1/3", 3, "0.333"), ("2/3", 3, "0.667"), ("-1/3000", 3, "0.000"),
    ("999999/1000", 2, "1000.00"), ("5/1000", 2, "0.01"), ("12", 2, "12.00"),
])  # fmt: skip
def test_half_goes_away_from_zero(number, places, text):
    assert rounded(Fraction(number), places) == text


def test_no_digit_passes_through_a_float():
    # 2^53 + 1 has no float64.
    assert rounded(Fraction(2**53 + 1), 0) == "9007199254740993"
    assert decimal(Fraction(10**30 + 1, 10**12)) == "1000000000000000000.000000000001"


@pytest.mark.parametrize(("number", "text"), [
    ("7/32", "0.21875"), ("1/3", "1/3"), ("4965", "4965"), ("10345/4", "2586.25"), ("1/500", "0.002"), ("0", "0"), ("-3/8", "-0.375"),
])  # fmt: skip
def test_an_amount_is_written_exactly(number, text):
    assert exact_decimal(Fraction(number)) == text


@given(st.fractions())
def test_law_the_exact_forms_read_back_equal(number):
    assert Fraction(exact(number)) == number == Fraction(exact_decimal(number))


@given(st.fractions(), st.integers(0, 15))
def test_law_rounding_is_off_by_at_most_half_a_unit(number, places):
    assert abs(Fraction(rounded(number, places)) - number) <= Fraction(1, 2 * 10**places)


def test_figures_and_shares_for_people():
    assert figure(Fraction(1234567)) == "1,234,567"
    assert figure(Fraction(10345, 4)) == "2,586.250"
    assert percent(Fraction(1, 3), Fraction(1)) == "33.3 %"
    assert percent(Fraction(1), Fraction(0)) == "–"

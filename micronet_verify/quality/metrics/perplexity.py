"""Perplexity: exp of minus the mean log-likelihood of the tokens, in nats, with a sum that loses nothing.

A token's log-likelihood is a binary fraction, so the sum of all is one too and is kept whole. The target is met where
−sum ≤ tokens · ln(target): both sides are compared with as many digits as it takes, because e to the power of a rational
number is rational only at 0.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.quality.metrics.thresholds import Level

WHERE = "log-likelihoods"
# A log-softmax in float32 may say a little more than certain.
LARGEST = 1e-5
# Beyond e^700 no two models need to be told apart; it is what a double can still hold.
WORST = 700
_DIGITS = 50


def perplexity(log_likelihoods: NDArray[Any], at_most: Fraction, largest: float = LARGEST) -> Level:
    """Perplexity of the tokens whose natural log-likelihoods [tokens] the model gave, float32 or float64, none above ``largest``.

    Raises ``SubmissionFault`` for another shape, for NaN or infinity (a token that was said to be impossible) and for
    probabilities above 1, with how many tokens and the first.
    """
    if log_likelihoods.ndim != 1 or not len(log_likelihoods) or log_likelihoods.dtype not in (np.float32, np.float64):
        got = f"log-likelihoods of shape {log_likelihoods.shape} and type {log_likelihoods.dtype}"
        raise SubmissionFault(Problem(got, "be one float for each token", WHERE))
    _refuse(~np.isfinite(log_likelihoods), "NaN or infinity as log-likelihood", "be finite: no token is impossible")
    _refuse(log_likelihoods > largest, "a probability above 1", "be at most 1")
    tokens, total = len(log_likelihoods), exact_sum(log_likelihoods)
    return Level("perplexity", _value(total, tokens), tokens, at_most, _met(total, tokens, at_most))


def exact_sum(numbers: NDArray[Any]) -> Fraction:
    """The sum of finite floats, exactly.

    Each is mantissa · 2^exponent with a mantissa of 53 bits; mantissas of one exponent are added in two halves, so that
    64-bit integers hold up to 2^36 of them.
    """
    mantissas, exponents = np.frexp(numbers.astype(np.float64))
    whole = (mantissas * 2.0**53).astype(np.int64)
    total = Fraction(0)
    for exponent in np.unique(exponents):
        chosen = whole[exponents == exponent]
        added = (int((chosen >> 26).sum()) << 26) + int((chosen & ((1 << 26) - 1)).sum())
        total += Fraction(added) * Fraction(2) ** (int(exponent) - 53)
    return total


def _refuse(wrong: NDArray[np.bool_], got: str, should: str) -> None:
    if wrong.any():
        count = int(np.count_nonzero(wrong))
        raise SubmissionFault(Problem(f"{got} of {count:,} tokens, first of token {int(wrong.argmax()):,},", should, WHERE))


def _value(total: Fraction, tokens: int) -> Fraction:
    mean = min(-total / tokens, Fraction(WORST))
    with localcontext(prec=_DIGITS):
        return Fraction((Decimal(mean.numerator) / Decimal(mean.denominator)).exp())


def _met(total: Fraction, tokens: int, bound: Fraction) -> bool:
    """exp(−total / tokens) ≤ bound."""
    if bound == 1:
        return total >= 0
    digits = _DIGITS
    while True:
        with localcontext(prec=digits):
            left = Decimal(-total.numerator) / Decimal(total.denominator)
            right = tokens * (Decimal(bound.numerator) / Decimal(bound.denominator)).ln()
            # Every step above is right to a unit in its last digit; this allows for a thousand of them.
            error = (abs(left) + abs(right) + tokens) * Decimal(10) ** (3 - digits)
            if abs(left - right) > error:
                return left < right
        digits *= 2

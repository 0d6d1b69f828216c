"""Whether two runs of one language model agree: rows of log-probabilities, and states.

Kernels of different sizes differ in the last bits, and such a difference can tip a quantizer over to its next code, whose effect a
state may carry on. Hence half of the tokens must agree closely, and all of them roughly, as in ``alone``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.sandbox.asked_alone import CLOSE, ROUGH

# What is less likely than e^-20 is as good as impossible: one part in a billion of a sum.
FLOOR = -20.0


class Agreement:
    """Differences token by token; ``check`` refuses too large ones, naming the token that differs most."""

    def __init__(self, got: str, advice: str, close: float = CLOSE, rough: float = ROUGH) -> None:
        self._got, self._advice, self._close, self._rough = got, advice, close, rough
        self._tokens: list[int] = []
        self._differences: list[float] = []

    def add(self, first: int, differences: NDArray[np.float64]) -> None:
        """Differences [n] for the tokens from number ``first`` on."""
        self._tokens.extend(range(first, first + len(differences)))
        self._differences.extend(differences.tolist())

    def check(self) -> None:
        """Raise ``SubmissionFault`` if more than half of the differences are not close, or one not even rough."""
        if not self._differences:
            return
        found = np.array(self._differences)
        if np.median(found) > self._close or found.max() > self._rough:
            worst = int(found.argmax())
            got = f"{self._got} for token {self._tokens[worst]:,} (apart by {found[worst]:.2g})"
            raise SubmissionFault(Problem(got, "be the same answer", "stage predict", self._advice))


def rows_apart(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Of rows of log-probabilities [n, words], the largest difference of each, [n]."""
    apart: NDArray[np.float64] = np.abs(np.maximum(one, FLOOR) - np.maximum(other, FLOOR)).max(axis=1).astype(np.float64)
    return np.where(np.isnan(apart), np.inf, apart)


def states_apart(one: Sequence[NDArray[Any]], other: Sequence[NDArray[Any]]) -> float:
    """The largest difference of any state, relative to that state's largest value (but at least to 1)."""
    most = 0.0
    for first, second in zip(one, other, strict=True):
        a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
        if a.size:
            with np.errstate(invalid="ignore"):
                apart = np.where(a == b, 0.0, np.abs(a - b)).max() / max(1.0, np.abs(a).max())
            most = max(most, float("inf") if np.isnan(apart) else float(apart))
    return most

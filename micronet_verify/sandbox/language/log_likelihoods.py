"""Of each row of log-probabilities one number is kept: that of the token which came. That the row is a distribution is checked here.

Rows come a buffer at a time, so that the check costs one exponential and one add for each word and nothing for each token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault

WHERE = "stage predict"
# Numbers in a buffer of rows: 2 MB of float32, which stay in a processor's caches.
BUFFER = 1 << 19
MOST_ROWS = 512
# A sum that is off by less comes of rounding.
_ROUNDED = 0.01


def buffer_rows(words: int) -> int:
    """How many rows of ``words`` numbers are checked together."""
    return max(1, min(MOST_ROWS, BUFFER // words))


class Likelihoods:
    """Writes log-likelihoods [tokens], float64, to a ``.npy`` file as rows come in, in order."""

    def __init__(self, path: Path, tokens: int, words: int, tolerance: float) -> None:
        self.kept: NDArray[np.float64] = np.lib.format.open_memmap(path, "w+", np.float64, (tokens,))
        self._tolerance, self._rows = tolerance, buffer_rows(words)
        self._scratch: NDArray[Any] = np.empty((0, words), np.float32)
        self.done = 0

    def take(self, rows: NDArray[Any], targets: NDArray[np.int64]) -> None:
        """``rows`` [n, words], natural log-probabilities; ``targets`` [n], the tokens that came.

        Raises ``SubmissionFault`` for a row whose probabilities do not sum to one, NaN among them, naming the token.
        """
        for start in range(0, len(rows), self._rows):
            self._check(rows[start : start + self._rows])
        count = len(rows)
        self.kept[self.done : self.done + count] = rows[np.arange(count), targets]
        self.done += count

    def _check(self, rows: NDArray[Any]) -> None:
        if self._scratch.dtype != rows.dtype or len(self._scratch) < len(rows):
            self._scratch = np.empty_like(rows)
        with np.errstate(over="ignore"):
            powers = np.exp(rows, out=self._scratch[: len(rows)])
            # Pairwise, as numpy adds along the last axis: exact to a few units in the last place.
            sums = powers.sum(axis=1)
        wrong = ~(np.abs(sums - 1) <= self._tolerance)  # NaN is wrong
        if wrong.any():
            row = int(wrong.argmax())
            raise _fault(rows[row], float(sums[row]), self.done + row, self._tolerance)


def _fault(row: NDArray[Any], total: float, token: int, tolerance: float) -> SubmissionFault:
    at = f"token {token:,}"
    if np.isnan(row).any():
        count = int(np.count_nonzero(np.isnan(row)))
        return SubmissionFault(Problem(f"NaN as log-probability of {count:,} of {len(row):,} words", "be numbers", at))
    got = f"log-probabilities whose probabilities sum to {total:.7g}"
    if (row >= 0).all() and abs(float(row.sum(dtype=np.float64)) - 1) <= _ROUNDED:
        advice = "these are probabilities: end the step with log_softmax, or take their natural logarithm"
    elif abs(total - 1) <= _ROUNDED:
        advice = "compute log_softmax in float32 or wider, as the last operation"
    else:
        advice = "end the step with log_softmax: raw scores are not log-probabilities"
    return SubmissionFault(Problem(got, f"sum to 1 within {np.format_float_positional(tolerance)}", at, advice))

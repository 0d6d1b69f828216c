"""Whole rows of a language model, from two stretches of the text, beside the one number for each token that is kept of the others.

The count is proved on them: the judge's own run of the graph begins with the states that the model had there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.framework.stepping import Stepper
from micronet_verify.sandbox.jobs import ROWS
from micronet_verify.sandbox.sampling import random_for

States = Sequence[NDArray[Any]]


class Shown:
    """Copies the rows of ``tokens`` tokens: half of them from the beginning, half from one of the ``starts`` that ``seed`` draws."""

    def __init__(self, starts: Sequence[int], tokens: int, seed: str) -> None:
        others = [start for start in starts if start > 0]
        drawn = [int(random_for(seed, "proof").choice(others))] if others and tokens > 1 else []
        self.starts = (0, *drawn) if tokens else ()
        self._each = -(-tokens // max(1, len(self.starts)))
        if drawn:  # the first stretch ends where the second begins
            self._each = min(self._each, drawn[0])
        self._states: dict[int, tuple[NDArray[Any], ...]] = {}
        self._rows: dict[int, list[NDArray[Any]]] = {start: [] for start in self.starts}

    def before(self, start: int, states: States) -> None:
        """The ``states`` that a model has before it is fed token ``start``."""
        if start in self._rows and start not in self._states:
            self._states[start] = tuple(np.array(state) for state in states)

    def take(self, start: int, rows: NDArray[Any]) -> None:
        """The ``rows`` of the tokens from ``start`` on, in order of the text."""
        for begin, kept in self._rows.items():
            first, last = max(begin, start), min(begin + self._each, start + len(rows))
            if first < last and len(kept) == first - begin:
                kept.append(np.array(rows[first - start : last - start]).reshape(last - first, *rows.shape[1:]))

    def read(self, step: Stepper, start: int, states: States, fed: NDArray[np.int64], words: int) -> None:
        """Have the ``step`` read as many of the tokens ``fed`` as are wanted, from a place where a stretch begins."""
        if start in self._rows:
            self.before(start, states)
            rows = np.empty((min(self._each, len(fed)), words), step.rows_format)
            step.start(states)
            step.feed(fed[: len(rows)], rows)
            self._rows[start] = [rows]

    def write(self, folder: Path) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
        """The file of all rows, those of the states, and where each stretch begins in the text and among the rows; "" without any."""
        if not self.starts:
            return "", (), ()
        found = [np.concatenate(self._rows[start]) for start in self.starts]
        np.save(folder / ROWS, np.concatenate(found), allow_pickle=False)
        names = []
        for start in self.starts:
            for number, state in enumerate(self._states[start]):
                names.append(f"state{start}-{number}.npy")
                np.save(folder / names[-1], state, allow_pickle=False)
        places = [place for start, rows in zip(self.starts, found, strict=True) for place in (start, len(rows))]
        return ROWS, tuple(names), tuple(places)

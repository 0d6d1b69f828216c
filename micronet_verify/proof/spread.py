"""How far answers lie apart, in units of what tells examples apart.

Each row's mean is taken out, and the unit is the standard deviation between examples: a term that all classes have in common, or
all examples, makes no difference smaller. Hence nothing here is relative to the largest answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rows = NDArray[np.float64]
# A spread below this share of the size of a row's own differences is rounding.
CONSTANT = 1e-6


def centred(rows: Array) -> Rows:
    """Rows [n, …] as [n, numbers] without their means; a row of one number keeps it. What is not finite stays what it is."""
    flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
    if flat.shape[1] < 2:
        return flat
    finite = np.isfinite(flat)
    with np.errstate(invalid="ignore"):
        counts = np.maximum(finite.sum(axis=1, keepdims=True), 1)
        means = np.where(finite, flat, 0).sum(axis=1, keepdims=True) / counts
        found: Rows = np.where(finite, flat - means, flat)
    return found


def spread_of(rows: Array) -> float:
    """The standard deviation between examples of centred ``rows``; 0 where all examples get one answer, or nothing is finite."""
    inside = centred(rows)
    finite = np.isfinite(inside).all(axis=0)
    inside = inside[:, finite]
    if inside.size == 0 or len(inside) < 2:
        return 0.0
    within = float(np.sqrt(np.mean(np.square(inside))))
    between = float(np.sqrt(np.mean(np.square(inside - inside.mean(axis=0)))))
    return between if between > CONSTANT * within else 0.0


def size_of(rows: Array) -> float:
    """The largest number of the centred rows."""
    inside = centred(rows)
    inside = inside[np.isfinite(inside)]
    return float(np.abs(inside).max()) if inside.size else 0.0


def largest(rows: Array) -> float:
    """The largest finite number."""
    flat = np.abs(np.asarray(rows, np.float64))
    return float(flat[np.isfinite(flat)].max(initial=0.0))


def apart(one: Array, other: Array, unit: float) -> Rows:
    """Of rows [n, …], each row's largest difference in ``unit``s, [n]: infinite for a NaN, and where one is infinite alone."""
    return np.asarray(_differences(one, other).max(axis=1, initial=0.0) / unit, np.float64)


def apart_in_the_mean(one: Array, other: Array, unit: float) -> Rows:
    """The same with each row's root mean square."""
    found = _differences(one, other)
    return np.asarray(np.sqrt(np.mean(np.square(found), axis=1)) / unit if found.size else np.zeros(len(found)), np.float64)


def _differences(one: Array, other: Array) -> Rows:
    first, second = np.asarray(one, np.float64).reshape(len(one), -1), np.asarray(other, np.float64).reshape(len(other), -1)
    if first.shape != second.shape:
        return np.full((len(first), 1), np.inf)
    with np.errstate(invalid="ignore"):
        both = np.isfinite(first) & np.isfinite(second)
        # Only where both are finite a difference can be centred; elsewhere both must be the same infinity.
        found: Rows = np.abs(centred(np.where(both, first - second, 0.0)) if both.any() else np.zeros(first.shape))
        return np.where(both, found, np.where(first == second, 0.0, np.inf))


def levels_apart(one: Array, other: Array) -> Rows:
    """How far the means of rows [n, …] lie apart, as numbers, [n]; 0 for rows of one number, whose difference ``apart`` has whole."""
    first, second = np.asarray(one, np.float64).reshape(len(one), -1), np.asarray(other, np.float64).reshape(len(other), -1)
    if first.shape != second.shape or first.shape[1] < 2:
        return np.zeros(len(first))
    both = np.isfinite(first) & np.isfinite(second)
    with np.errstate(invalid="ignore"):
        totals = np.where(both, first - second, 0.0).sum(axis=1)
    return np.asarray(np.abs(totals) / np.maximum(both.sum(axis=1), 1), np.float64)


@dataclass(frozen=True, slots=True)
class Measure:
    """How far answers lie apart, in spreads between examples: without each row's mean; and its mean, by what rounding explains of it.

    A mean has a yardstick of its own (``level``, as a number, counts like ``limit``): what all classes have in common may be large, and
    rounds accordingly. Were means left out, a log-softmax could be missing.
    """

    spread: float
    limit: float
    level: float

    def apart(self, one: Array, other: Array) -> Rows:
        """Of rows [n, …], [n]."""
        return np.maximum(apart(one, other, self.spread), levels_apart(one, other) * (self.limit / self.level))

"""How far a framework's answers are from the interpreter's, in a yardstick.

The yardstick is what rounding explains: the interpreter's own float32 − float64 difference on the same examples, but at least
one unit in the last place of the answers' size, because a graph of one operator may round nowhere. Frameworks lie at about 1
to 3 of it; a translation that says something else than its file lies at thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
CLOSE = 8.0
"""Units of the yardstick within which a framework and the interpreter agree."""


@dataclass(frozen=True)
class Difference:
    """One output, all examples: how far the framework is from the float64 run, as a ``ratio`` to the ``yardstick``."""

    ratio: float
    yardstick: float


def difference(answers: Array, single: Sequence[Array], double: Sequence[Array], nan: bool = False) -> Difference:
    """Of the framework's ``answers`` [examples, …] and both runs of the interpreter, example by example, from the float64 run."""
    exact = np.concatenate([np.asarray(array).reshape(1, -1) for array in double])
    assert answers.size == exact.size, f"got answers of shape {answers.shape} but should hold {exact.size} numbers"
    theirs, mine = (np.asarray(each).reshape(exact.shape) for each in (answers, np.concatenate([array.reshape(1, -1) for array in single])))
    if exact.dtype.kind in "iub":
        wrong = np.count_nonzero(theirs != exact)
        return Difference(np.inf if wrong else 0.0, 1.0)
    theirs, mine, exact = (each.astype(np.float64) for each in (theirs, mine, exact))
    finite = np.isfinite(exact)
    same = (theirs == exact) | (np.isnan(theirs) & np.isnan(exact) & nan)
    if not same[~finite].all() or not np.isfinite(theirs[finite]).all():
        return Difference(np.inf, 1.0)
    size = float(np.sqrt(np.mean(exact[finite] ** 2))) if finite.any() else 0.0
    fraction = np.finfo(answers.dtype).eps if answers.dtype.name in ("float16", "float32", "float64") else 2.0**-8
    yardstick = max(float(np.abs(mine[finite] - exact[finite]).max(initial=0)), max(float(fraction), 2.0**-23) * size, 1e-30)
    return Difference(float(np.abs(theirs[finite] - exact[finite]).max(initial=0)) / yardstick, yardstick)

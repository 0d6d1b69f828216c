"""An answer depends on its own example alone.

The count is of one example. A model that tells batches from single examples, or that reads its neighbours, would be
evaluated as something else than was counted, so a few examples are asked again: one at a time, in another order, in a
fresh session. Kernels of different batch sizes differ in the last bits, and such a difference can tip a quantizer
over to its next code: hence half of the examples must agree closely, and all of them roughly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.sandbox.sampling import sample

SAMPLE = 32
CLOSE = 1e-4
ROUGH = 5e-2


def sample_alone(seed: str, examples: int) -> tuple[int, ...]:
    """Which examples are asked again, and in what order."""
    return sample(seed, "alone", SAMPLE, examples)


def check_alone(outputs: NDArray[Any], again: NDArray[Any], indices: Sequence[int], where: str) -> None:
    """Compare ``again`` [len(indices), …] with the rows ``indices`` of ``outputs``, relative to each row's largest value.

    Raises ``SubmissionFault`` naming the example that differs most.
    """
    first = np.asarray(outputs[list(indices)], np.float64)
    second = np.asarray(again, np.float64)
    if second.shape != first.shape:
        raise SubmissionFault(Problem(f"answers of shape {again.shape} for examples asked alone", f"be {first.shape}", where))
    rows = first.reshape(len(first), -1), second.reshape(len(second), -1)
    with np.errstate(invalid="ignore"):
        apart = np.where(rows[0] == rows[1], 0.0, np.abs(rows[0] - rows[1]))
    # NaN and infinity are told by the metric; here they only must stay what they were.
    apart[~np.isfinite(rows[0]) & ~np.isfinite(rows[1])] = 0.0
    apart[np.isnan(apart)] = np.inf
    size = np.maximum(np.abs(np.where(np.isfinite(rows[0]), rows[0], 0.0)).max(axis=1, initial=0), 1.0)
    difference = apart.max(axis=1, initial=0) / size
    if np.median(difference) > CLOSE or difference.max() > ROUGH:
        worst = indices[int(difference.argmax())]
        got = f"a different answer for example {worst} alone than in its batch"
        advice = "an answer may depend only on its own example, not on the others or on how many there are"
        raise SubmissionFault(Problem(got, "be the same answer", where, advice))

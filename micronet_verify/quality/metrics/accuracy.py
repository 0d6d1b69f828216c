"""Quality as an exact ratio of whole numbers; rounding is for printing."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.quality.metrics.thresholds import Level

_BLOCK = 1 << 22
WHERE = "outputs"


@dataclass(frozen=True, slots=True)
class Quality:
    """``correct`` right answers ``of`` so many, where ``target`` are needed.

    ``ties``: how many answers are wrong only because another class has the very same score as the right one.
    """

    metric: str
    correct: int
    of: int
    target: int
    ties: int = 0

    @property
    def value(self) -> Fraction:
        return Fraction(self.correct, self.of)

    @property
    def words(self) -> str:
        return f"{self.correct:,} of {self.of:,} correct"

    @property
    def met(self) -> bool:
        return self.correct >= self.target

    @property
    def margin(self) -> str:
        """``19 images short``, ``3 images above``, ``exactly on the target``."""
        distance = self.correct - self.target
        if distance == 0:
            return "exactly on the target"
        return f"{abs(distance):,} image{'s' if abs(distance) > 1 else ''} {'above' if distance > 0 else 'short'}"


AnyQuality: TypeAlias = Quality | Level
"""What was measured: right answers counted, or a number with a bound."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The first ``examples`` of a test set of ``of``: a smoke run, which says nothing about the target.

    ``measured`` on them: its number, and nothing else of it, means something; ``None`` where the answers could not be judged.
    """

    examples: int
    of: int
    measured: AnyQuality | None = None

    @property
    def share(self) -> str:
        """``10 of 10,000``."""
        return f"{self.examples:,} of {self.of:,}"

    @property
    def words(self) -> str:
        """``7 of 10 (partial: 10 of 10,000)``."""
        if isinstance(self.measured, Quality):
            found = f"{self.measured.correct:,} of {self.measured.of:,}"
        else:
            found = self.measured.words if self.measured else "not measured"
        return f"{found} (partial: {self.share})"


def top1(outputs: NDArray[Any], labels: NDArray[Any], classes: int, target: int) -> Quality:
    """Top-1 accuracy: ``outputs`` [examples, classes] floats, ``labels`` [examples] integers, ``target`` right answers needed.

    An answer is right where the label's score is larger than every other. A tie with the label is wrong, unlike under
    ``argmax``, whose lowest index would let constant outputs collect every example of class 0.

    Raises ``SubmissionFault`` for another shape, and for NaN or infinity with how many rows and the first.
    """
    examples = len(labels)
    if examples == 0 or labels.min() < 0 or labels.max() >= classes:
        raise BenchFault(Problem(f"{examples:,} labels, not all in 0…{classes - 1}", "be one class for each example", "labels"))
    if outputs.shape != (examples, classes):
        raise SubmissionFault(Problem(f"outputs of shape {outputs.shape}", f"be {(examples, classes)}", WHERE))
    step = max(1, _BLOCK // classes)
    starts = range(0, examples, step)
    bad = np.concatenate([~np.isfinite(outputs[start : start + step]).all(1) for start in starts])
    if bad.any():
        rows = int(np.count_nonzero(bad))
        got = f"NaN or infinity in {rows:,} of {examples:,} rows of outputs, first for example {int(bad.argmax())}"
        raise SubmissionFault(Problem(got, "be finite numbers", WHERE))
    correct = ties = 0
    for start in starts:
        scores, right = outputs[start : start + step], labels[start : start + step]
        own = scores[np.arange(len(right)), right][:, None]
        best = ~(scores > own).any(1)
        alone = (scores == own).sum(1) == 1
        correct += int(np.count_nonzero(best & alone))
        ties += int(np.count_nonzero(best & ~alone))
    return Quality("top1", correct, examples, target, ties)

"""The score: two exact ratios and their sum (COUNTING_RULES, first formula)."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from micronet_verify.counting.ledger import Ledger
from micronet_verify.track.track import Baseline


class Score(NamedTuple):
    """``storage`` and ``operations`` as shares of the baseline's; lower is better, a dense fp32 baseline has 2."""

    storage: Fraction
    operations: Fraction

    @classmethod
    def of(cls, ledger: Ledger, baseline: Baseline) -> Score:
        """The score of one ledger against the track's baseline."""
        return cls(ledger.storage / baseline.parameters, ledger.operations / baseline.operations)

    @property
    def value(self) -> Fraction:
        return self.storage + self.operations

    @property
    def improvement(self) -> Fraction | None:
        """2 / score: how many times better than the baseline; ``None`` for a score of 0."""
        return 2 / self.value if self.value else None

"""A score as JSON."""

from __future__ import annotations

from typing import Any

from micronet_verify.counting.ledger import Ledger
from micronet_verify.counting.score import Score
from micronet_verify.track.track import Baseline
from micronet_verify.wording.numbers import number


def score_data(ledger: Ledger, baseline: Baseline) -> dict[str, Any]:
    """The score and what it is made of, exact."""
    score = Score.of(ledger, baseline)
    return {
        "score": number(score.value),
        "storage_ratio": number(score.storage),
        "operations_ratio": number(score.operations),
    }

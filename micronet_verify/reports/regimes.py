"""Which regime an entry is priced in, and what the other would have cost, in a sentence."""

from __future__ import annotations

from micronet_verify.counting.count import Count
from micronet_verify.counting.ledger import Ledger
from micronet_verify.counting.score import Score
from micronet_verify.track.track import Baseline
from micronet_verify.wording.numbers import figure, rounded

MEANING = {"freebie": "parameters and multiplications count 16 bits", "quantized": "everything counts its measured width"}


def regime_words(count: Count, ledger: Ledger, baseline: Baseline | None) -> str:
    """``ledger`` is the one of ``count`` that is shown."""
    words = f"Regime: {ledger.regime} ({MEANING[ledger.regime]})."
    if count.forfeited:
        return f"{words} The freebie is forfeited: {count.forfeited} (S5)."
    for regime, other in count.ledgers.items():
        if regime != ledger.regime and baseline is not None:
            return f"{words} In the {regime} regime the score would be {rounded(Score.of(other, baseline).value, 6)}."
        if regime != ledger.regime:
            return f"{words} In the {regime} regime: {figure(other.storage)} words, {figure(other.operations)} operations."
    return words

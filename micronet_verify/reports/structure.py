"""How much of an entry is in its wiring (rule S9), as data and, where it is much, in a sentence."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from micronet_verify.evaluation import Evaluation
from micronet_verify.wording.numbers import exact, figure, percent

MUCH = Fraction(5, 100)
"""A larger share of the charged storage is worth a sentence."""


def structure_data(evaluation: Evaluation) -> dict[str, Any] | None:
    """Bits, and their share of the storage that is charged for anything else (``None`` where nothing else is)."""
    found = _bits_and_words(evaluation)
    if found is None:
        return None
    bits, words = found
    return {"bits": bits, "of_storage": exact(Fraction(bits, 32) / words) if words else None}


def structure_words(evaluation: Evaluation) -> str:
    """A sentence where the wiring is more than 5 % of what is stored, or an empty string."""
    found = _bits_and_words(evaluation)
    if found is None or Fraction(found[0], 32) <= MUCH * found[1]:
        return ""
    bits, words = found
    share = (
        f"as much as {percent(Fraction(bits, 32), words)} of the {figure(words)} words of constants"
        if words
        else "and there are no constants"
    )
    charged = evaluation.track is not None and evaluation.track.rules.structure == "charged"
    edition = "charges it" if charged else "does not charge it"
    return f"The wiring of the graph (which node reads what) holds {bits:,} bits, {share}. The edition {edition} (S9)."


def _bits_and_words(evaluation: Evaluation) -> tuple[int, Fraction] | None:
    count, ledger = evaluation.count, evaluation.ledger
    if count is None or ledger is None or ledger.regime not in count.structure:
        return None
    return count.structure[ledger.regime], sum(
        (line.amount for line in ledger.lines if line.axis == "storage" and line.rule != "S9"), Fraction(0)
    )

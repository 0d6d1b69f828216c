"""Has the entry a score that ranks? Asked last: it passes only where counting, sealing, the proof and quality all hold."""

from __future__ import annotations

from micronet_verify.checks import proof, quality, sealing
from micronet_verify.checks.reach import lost, not_reached, partly
from micronet_verify.checks.rules.laws import RULE_CHECKS
from micronet_verify.checks.verdict import Verdict
from micronet_verify.evaluation import Evaluation
from micronet_verify.wording.numbers import exact, grouped

NAME = "score"
PLACES = 6


def check(evaluation: Evaluation) -> Verdict:
    """Never failed: what keeps an entry from ranking fails under its own name, and here the answer is skipped with that name."""
    if (blocked := not_reached(NAME, evaluation, "count", "quality")) is not None:
        return blocked
    score, ledger = evaluation.score, evaluation.ledger
    if score is None or ledger is None:
        return lost(NAME, "score")
    value = grouped(score.value, PLACES)
    evidence = {
        "score": exact(score.value),
        "score_decimal": value,
        "storage_ratio": exact(score.storage),
        "operations_ratio": exact(score.operations),
        "regime": ledger.regime,
    }
    asked = {"sealing": sealing.check, "proof": proof.check, "quality": quality.check}
    for name, question in {**asked, **{f"rule {r}": c for r, c in RULE_CHECKS.items()}}.items():
        verdict = question(evaluation)
        if verdict.outcome in ("failed", "error"):
            return Verdict(NAME, "skipped", f"not ranked: the check {name!r} did not pass; the score would be {value}", evidence)
    if evaluation.partial is not None:
        taken = "with the branches that these took " if evaluation.shares else ""
        why = f"partial: {evaluation.partial.share} examples; not ranked; the score {taken}is {value}"
        return partly(NAME, evaluation.partial, why, evidence)
    shares = f"storage {grouped(score.storage, PLACES)} + operations {grouped(score.operations, PLACES)}"
    return Verdict(NAME, "passed", f"{value} = {shares}, in the {ledger.regime} regime", evidence)

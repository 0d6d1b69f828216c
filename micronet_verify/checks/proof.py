"""Is what was charged enough to compute the answers? The network that was priced is run, and must give them."""

from __future__ import annotations

from micronet_verify.checks.numbers import amount, exact, many
from micronet_verify.checks.reach import lost, not_reached, partly, told
from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation
from micronet_verify.facts.proof import Compared, Proof

NAME = "proof"


def check(evaluation: Evaluation) -> Verdict:
    """Failed where the graph as translated is not what the framework runs, or what is charged does not give its answers.

    Failed, too, where that cannot be shown: an operator that the interpreter lacks, answers that do not tell examples apart.
    """
    if (blocked := not_reached(NAME, evaluation, "count", "predict")) is not None:
        return blocked
    if "prove" in evaluation.faults:
        return told(NAME, evaluation.faults["prove"])
    proof, ledger = evaluation.proof, evaluation.ledger
    if proof is None or ledger is None:
        return lost(NAME, "proof")
    if evaluation.partial is not None and proof.examples < 2:
        return partly(NAME, evaluation.partial, "one example proves nothing: the answers of two at least tell whether they differ")
    what = _examples(evaluation, proof)
    evidence = _evidence(proof)
    for compared, subject in ((proof.translated, "the graph that was counted"), (proof.priced, "the network rebuilt from what is charged")):
        if compared is not None and compared.outcome != "holds":
            return Verdict(NAME, "failed", str(_problem(compared, subject, what)), evidence)
    priced = proof.priced
    if priced is None:
        return lost(NAME, "proof of the price")
    yardstick = "what rounding explains" if ledger.regime == "freebie" else "what float32 leaves open"
    message = (
        f"the network rebuilt from the {amount(ledger.storage)} words that are charged gives the answers of {what}; "
        f"largest difference {priced.share:.2g} of {yardstick}"
    )
    return Verdict(NAME, "passed", message, {**evidence, "words": exact(ledger.storage)})


def _examples(evaluation: Evaluation, proof: Proof) -> str:
    text = evaluation.predictions is not None and evaluation.track is not None and evaluation.track.target.metric == "perplexity"
    noun = "token" if text else "example"
    partial = f" of the first {evaluation.partial.examples:,}" if evaluation.partial else ""
    return f"{many(proof.examples, noun)}{partial}"


def _problem(compared: Compared, subject: str, what: str) -> Problem:
    advice = f"rebuilt: {compared.constant}" if compared.constant else ""
    if compared.outcome == "unproved":
        return Problem(f"a count that cannot be proved: {compared.words},", f"give the answers of {what}", compared.place, advice)
    return Problem(f"{subject} with {compared.words},", f"give the answers of {what}", compared.place, advice)


def _evidence(proof: Proof) -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {"examples": proof.examples, "noise": proof.noise, "settled": proof.settled}
    for name, compared in (("translated", proof.translated), ("priced", proof.priced)):
        if compared is not None:
            found |= {f"{name}_difference": compared.difference, f"{name}_allowed": compared.allowed, f"{name}_outcome": compared.outcome}
            if compared.place:
                found["first_node"] = compared.place
            if compared.constant:
                found["rebuilt_from"] = compared.constant
    return found | {"codes_on_ties": proof.codes, "codes": proof.codes_of}

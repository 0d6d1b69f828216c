"""Is what was charged enough to compute the answers? The network that was priced is run, and must give them."""

from __future__ import annotations

from micronet_verify.checks.reach import lost, not_reached, partly, told
from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation
from micronet_verify.facts.proof import Compared, Proof
from micronet_verify.wording.numbers import amount, exact, many

NAME = "proof"
TRANSLATION = "organizers: the count read this file wrongly, or the answers depend on the last bits; please report it with the file"
CHARGE = "entrant: the answers need more than what is charged; store what they need as plain weights, or ask the organizers"


def check(evaluation: Evaluation) -> Verdict:
    """Failed where the graph as translated is not what the framework runs, or what is charged does not give its answers.

    Failed, too, where that cannot be shown: an operator that the interpreter does not have, answers that do not tell examples apart.
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
    if proof.translated.outcome != "holds":
        return Verdict(NAME, "failed", str(_translated(proof.translated, what)), evidence)
    if proof.priced is not None and proof.priced.outcome != "holds":
        return Verdict(NAME, "failed", str(_charged(proof.priced, what)), evidence)
    priced = proof.priced
    if priced is None:
        return lost(NAME, "proof of the price")
    message = (
        f"the network rebuilt from the {amount(ledger.storage)} words that are charged gives the answers of {what}; "
        f"largest difference {priced.share:.2g} of what rounding explains"
    )
    return Verdict(NAME, "passed", message, {**evidence, "words": exact(ledger.storage)})


def _examples(evaluation: Evaluation, proof: Proof) -> str:
    text = evaluation.predictions is not None and evaluation.track is not None and evaluation.track.target.metric == "perplexity"
    noun = "token" if text else "example"
    if evaluation.partial is None:
        return many(proof.examples, noun)
    return f"{proof.examples:,} of the first {many(evaluation.partial.examples, noun)}"


def _translated(compared: Compared, what: str) -> Problem:
    if compared.outcome == "unproved":
        return _unproved(compared, what)
    should = f"give the framework's answers to {what}"
    return Problem(f"the graph that was counted, with {compared.words},", should, compared.place, compared.advice or TRANSLATION)


def _charged(compared: Compared, what: str) -> Problem:
    if compared.outcome == "unproved":
        return _unproved(compared, what)
    advice = "; ".join(filter(None, (f"rebuilt: {compared.constant}" if compared.constant else "", compared.advice or CHARGE)))
    should = f"give the file's answers to {what}"
    return Problem(f"the network rebuilt from what is charged, with {compared.words},", should, compared.place, advice)


def _unproved(compared: Compared, what: str) -> Problem:
    return Problem(f"a count that cannot be proved: {compared.words},", f"be proved on {what}", compared.place, compared.advice)


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

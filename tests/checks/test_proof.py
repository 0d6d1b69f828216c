"""The check ``proof``: one sentence where the count is proved, and what differs, where and in which constant, where it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from micronet_verify.checks import proof, score
from micronet_verify.facts.proof import Compared, Proof
from micronet_verify.quality.metrics.accuracy import Partial
from tests.checks.facts import PROOF, small

APART = Compared("differs", 0.5, 0.1, "answers that differ by 0.5", "Conv in stem", "conv.weight of 36 values of 16 bits, plain")


def test_one_sentence() -> None:
    found = proof.check(small())
    assert found.outcome == "passed"
    assert found.message == (
        "the network rebuilt from the 20 words that are charged gives the answers of 64 examples; "
        "largest difference 0.38 of what rounding explains"
    )
    assert found.evidence["words"] == "20/1"  # 4·9 weights and 4 biases at 16 bits
    assert found.evidence["examples"] == 64
    assert found.evidence["translated_outcome"] == found.evidence["priced_outcome"] == "holds"


def test_the_charged_network_gives_other_answers() -> None:
    evaluation = small(proof=replace(PROOF, priced=APART))
    found = proof.check(evaluation)
    assert found.outcome == "failed"
    assert found.message == (
        "got the network rebuilt from what is charged, with answers that differ by 0.5, but should give the file's answers to 64 examples "
        "[Conv in stem] (rebuilt: conv.weight of 36 values of 16 bits, plain; entrant: the answers need more than what is charged; "
        "store what they need as plain weights, or ask the organizers)"
    )
    assert found.evidence["first_node"] == "Conv in stem"
    ranked = score.check(evaluation)
    assert ranked.outcome == "skipped"
    assert ranked.message.startswith("not ranked: the check 'proof' did not pass")


def test_the_graph_that_was_counted_is_another() -> None:
    found = proof.check(small(proof=Proof(64, 1e-6, 64, APART)))
    assert found.outcome == "failed"
    assert found.message.startswith(
        "got the graph that was counted, with answers that differ by 0.5, but should give the framework's answers to 64 examples"
    )


@pytest.mark.parametrize("where", ["translated", "priced"])
def test_what_cannot_be_proved_says_so_and_fails(where: str) -> None:
    words = "the graph cannot be run, because the interpreter does not have scatter"
    unproved = Compared("unproved", 0.0, 0.0, words, "Scatter in head", advice="entrant: export without it")
    found = proof.check(small(proof=replace(PROOF, **{where: unproved})))
    assert found.outcome == "failed"
    assert found.message == (
        "got a count that cannot be proved: the graph cannot be run, because the interpreter does not have scatter, "
        "but should be proved on 64 examples [Scatter in head] (entrant: export without it)"
    )


def test_on_the_first_examples_it_says_so_and_one_proves_nothing() -> None:
    some = small(quality=None, partial=Partial(10, 500, None), proof=replace(PROOF, examples=10))
    assert "the answers of 10 of the first 10 examples;" in proof.check(some).message
    one = proof.check(replace(some, proof=replace(PROOF, examples=1)))
    assert one.outcome == "skipped"
    assert one.message.startswith("one example proves nothing")

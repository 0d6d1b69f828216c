"""Claims are compared at the places that were claimed; quality and score are exact and said in words."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from micronet_verify.checks import claims, quality, score
from micronet_verify.counting.score import Score
from micronet_verify.evaluation import Evaluation
from micronet_verify.quality.metrics.accuracy import Quality
from micronet_verify.submission.manifest import Claim
from micronet_verify.wording.numbers import amount, grouped, to_unit, unit_of
from tests.checks.facts import faulty, small, submission
from tests.checks.networks import branching

# small_net under the freebie: 36 + 4 values of 16 bits; 64·4·9 multiplies and 64·4 compares of 16 bits, 64·4·(8 + 1) adds of 32.
STORAGE = Fraction((36 + 4) * 16, 32)
OPERATIONS = Fraction((64 * 4 * 9 + 64 * 4) * 16, 32) + 64 * 4 * 9
SCORE = STORAGE / 9930 + OPERATIONS / 623104


def claiming(**written: str) -> Evaluation:
    exact = {name: Fraction(text) for name, text in written.items()}
    return small(submission=submission(Claim(**exact, written=written)))


def test_the_numbers_by_hand() -> None:
    found = small()
    assert found.ledger is not None
    assert found.score is not None
    assert (found.ledger.storage, found.ledger.operations) == (STORAGE, OPERATIONS) == (20, 3584)
    assert found.score.value == SCORE
    assert grouped(SCORE, 6) == "0.007766"


def test_no_claims_is_skipped() -> None:
    verdict = claims.check(small())
    assert (verdict.outcome, verdict.message) == ("skipped", "the entry claims no numbers")


@pytest.mark.parametrize("written", ["0.007766", "0.00777", "0.0078", "0.008", "0.01", "7.766e-3"])
def test_a_claim_is_compared_at_its_own_places(written) -> None:
    verdict = claims.check(claiming(score=written))
    assert (verdict.outcome, verdict.message) == ("passed", f"claims.score: {written} as measured")


def test_a_score_better_than_measured_fails_and_names_the_largest_charges() -> None:
    verdict = claims.check(claiming(score="0.0051"))
    assert verdict.outcome == "failed"
    assert verdict.message == (
        "got claims.score: 0.0051 but should be 0.0078 as measured [submission.yaml:17] (the largest charges in the freebie regime: "
        "conv 2,048 operations (O1), conv 1,152 operations (O1), conv.weight 18 words (S5))"
    )
    assert verdict.evidence["score_measured"] == f"{SCORE.numerator}/{SCORE.denominator}"


TOO_GOOD = {
    ("parameter_storage", "19"): "got claims.parameter_storage: 19 but should be 20 as measured [submission.yaml:15] (the largest charges ",
    ("math_operations", "3583"): "got claims.math_operations: 3583 but should be 3,584 as measured [submission.yaml:16] (the largest ",
    ("quality", "0.981"): "got claims.quality: 0.981 but should be 0.98 as measured [submission.yaml:18] (490 of 500 are right)",
}


@pytest.mark.parametrize(("name", "written"), TOO_GOOD)
def test_a_claim_one_unit_too_good_fails(name, written) -> None:
    verdict = claims.check(claiming(**{name: written}))
    assert verdict.outcome == "failed"
    assert verdict.message.startswith(TOO_GOOD[name, written])


def test_every_wrong_claim_is_told() -> None:
    verdict = claims.check(claiming(score="0.001", quality="0.99"))
    assert [sentence.partition(":")[0] for sentence in verdict.message.splitlines()] == ["got claims.score", "got claims.quality"]


@pytest.mark.parametrize(
    ("name", "written", "sentence"),
    [
        ("score", "0.0098", "claims.score: 0.0098 leaves 0.002 on the table: measured 0.0078"),
        ("parameter_storage", "40", "claims.parameter_storage: 40 leaves 20 on the table: measured 20"),
        ("quality", "0.95", "claims.quality: 0.95 leaves 0.03 on the table: measured 0.98"),
    ],
)
def test_a_claim_worse_than_measured_passes_and_says_what_was_left(name, written, sentence) -> None:
    verdict = claims.check(claiming(**{name: written}))
    assert (verdict.outcome, verdict.message) == ("passed", sentence)


def test_without_the_written_text_a_claim_is_compared_exactly() -> None:
    assert claims.check(small(submission=submission(Claim(parameter_storage=Fraction(20))))).outcome == "passed"
    verdict = claims.check(small(submission=submission(Claim(score=Fraction(1, 1000)))))
    assert verdict.message.startswith(f"got claims.score: 0.001 but should be {SCORE} as measured")


def test_a_claim_that_could_not_be_compared_never_passes() -> None:
    claimed = submission(Claim(score=Fraction(1), quality=Fraction("0.98"), written={"score": "1", "quality": "0.98"}))
    verdict = claims.check(faulty("translate", submission=claimed))
    assert verdict.outcome == "skipped"
    assert verdict.message == "claims.score not reached: the translate stage gave no result; claims.quality: 0.98 as measured"
    wrong = submission(Claim(score=Fraction(1), quality=Fraction("0.99"), written={"score": "1", "quality": "0.99"}))
    assert claims.check(faulty("translate", submission=wrong)).outcome == "failed"


@pytest.mark.parametrize(
    ("correct", "outcome", "message"),
    [
        (475, "passed", "475 of 500 correct, exactly on the target"),
        (478, "passed", "478 of 500 correct, 3 images above"),
        (474, "failed", "got 474 of 500 correct, 1 image short, but should be at least 475 of 500 correct [track digits]"),
        (456, "failed", "got 456 of 500 correct, 19 images short, but should be at least 475 of 500 correct [track digits]"),
    ],
)
def test_quality_is_a_whole_number_of_images(correct, outcome, message) -> None:
    verdict = quality.check(small(quality=Quality("top1", correct, 500, 475)))
    assert (verdict.outcome, verdict.message) == (outcome, message)
    assert verdict.evidence["correct"] == correct


def test_ties_are_pointed_out_where_the_target_is_missed() -> None:
    verdict = quality.check(small(quality=Quality("top1", 470, 500, 475, ties=6)))
    assert verdict.message.endswith("(6 more would be right, but another class has the very same score)")


def test_score_is_shown_to_six_places_and_kept_exact() -> None:
    verdict = score.check(small(score=Score(Fraction(1, 3), Fraction(1, 4))))
    assert (verdict.outcome, verdict.message) == ("passed", "0.583333 = storage 0.333333 + operations 0.250000, in the freebie regime")
    assert verdict.evidence == {
        "score": "7/12",
        "score_decimal": "0.583333",
        "storage_ratio": "1/3",
        "operations_ratio": "1/4",
        "regime": "freebie",
    }


def test_score_of_an_entry_that_misses_the_target_does_not_rank_and_does_not_fail_twice() -> None:
    verdict = score.check(small(quality=Quality("top1", 474, 500, 475)))
    assert verdict.outcome == "skipped"
    assert verdict.message == "not ranked: the check 'quality' did not pass; the score would be 0.007766"


@pytest.mark.parametrize(
    ("text", "unit"),
    [("0.62", Fraction(1, 100)), ("4965", 1), ("12e3", 1000), ("6.2e-1", Fraction(1, 100)), ("1_000", 1), ("", None), ("nan", None)],
)
def test_the_last_place_of_a_written_number(text, unit) -> None:
    assert unit_of(text) == unit


@pytest.mark.parametrize(
    ("number", "unit", "rounded"),
    [("0.125", "0.01", "0.13"), ("0.124999", "0.01", "0.12"), ("-0.125", "0.01", "-0.13"), ("1499", "1e3", "1e3"), ("1500", "1e3", "2e3")],
)
def test_rounding_is_half_up(number, unit, rounded) -> None:
    assert to_unit(Fraction(number), Fraction(unit)) == Fraction(rounded)


def test_amounts_for_people() -> None:
    assert (amount(Fraction(1234567)), amount(Fraction(10, 3)), grouped(Fraction(-1, 2), 0)) == ("1,234,567", "3.33", "-1")


def test_C4b_operations_behind_a_branch_are_not_compared_before_anybody_predicted() -> None:
    """C4b: without data both bodies are charged in full, and an honest claim is of the mean: open, as with --limit."""
    found = branching(None)
    assert found.ledger is not None
    half = str(found.ledger.operations // 2)
    claimed = replace(found, submission=submission(Claim(math_operations=Fraction(half), written={"math_operations": half})))
    verdict = claims.check(claimed)
    assert (verdict.outcome, verdict.message) == (
        "skipped",
        "claims.math_operations not compared: without predictions nothing says how often each body of a branch is taken",
    )
    weighted = branching(Fraction(1, 3))
    better = replace(weighted, submission=submission(Claim(math_operations=Fraction(1), written={"math_operations": "1"})))
    assert claims.check(better).outcome == "failed"

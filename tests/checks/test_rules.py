"""Each rule's law: what it says of a sound ledger, why it does not apply, and that it sees a forged one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from micronet_verify.checks.judge import judge
from micronet_verify.checks.rules.laws import LAWS, REPORT
from micronet_verify.checks.verdict import Verdict
from micronet_verify.counting.ledger import LedgerLine
from micronet_verify.evaluation import Evaluation
from micronet_verify.facts.graph import Value
from micronet_verify.facts.tensors import TensorRef
from micronet_verify.wording.numbers import grouped
from tests.checks import networks
from tests.checks.facts import line, small, with_lines

Change = Callable[[LedgerLine], LedgerLine | None]
# small_net at 32 bits: 36 + 4 values; 64·4·9 multiplies, 64·4·(8 + 1) adds and 64·4 compares.
QUANTIZED = grouped(Fraction(36 + 4, 9930) + Fraction(64 * 4 * (9 + 9 + 1), 623104), 6)
NETWORKS = [
    small,
    networks.masked,
    networks.tied,
    networks.with_dead_ends,
    networks.normalised,
    networks.charged_norms,
    networks.codebook,
    networks.eight_bits,
    networks.on_a_grid,
    networks.binary,
    networks.residual,
    networks.permuted,
    networks.branching,
]


def of_rule(evaluation: Evaluation, rule: str) -> Verdict:
    return next(verdict for verdict in judge(evaluation) if verdict.check == f"rule {rule}")


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_no_law_is_broken_by_the_count_itself(network) -> None:
    assert [verdict.message for verdict in judge(network()) if verdict.outcome in ("failed", "error")] == []


SAID = [
    ("S1", small, "640 bits in 2 lines are 20 words"),
    ("S2", small, "2 constant operands of linear operators, each with its storage line"),
    # 256 rows of 64 are zero, and 7 values of one more: 64-value rows are no blocks for those, so the whole row stays.
    ("S3", networks.masked, "1 tensor with masks of 512 bits: 16,384 of 32,768 values are stored"),
    ("S4", networks.tied, "1 further use charged nothing: other stored once, as one"),
    ("S5", small, f"every value counts 16 bits: 0.007766; the other regime would score {QUANTIZED}"),
    ("S5", networks.eight_bits, "the freebie is forfeited: quantize quantizes"),
    ("S6", networks.with_dead_ends, "400 values, on which no output depends, are not charged: head.weight"),
    ("S7", networks.normalised, "1 folded into a linear operator next to it, 1 charged"),
    ("S7", networks.charged_norms, "0 folded into a linear operator next to it, 1 charged"),
    ("S8", networks.codebook, "1 codebook: fc.weight with 4-bit indices"),
    ("O1", small, "2,304 multiplies, 100.0 % of the dense work, and 2,304 adds"),
    ("O1", networks.masked, "16,377 multiplies, 50.0 % of the dense work, and 16,121 adds"),
    ("O2", networks.eight_bits, "multiplies by width: 64 of 32 bit"),
    ("O3", networks.binary, "4,096 multiplies flip a sign, at 1 bit each"),
    ("O4", small, "1 line, 256 operations"),
    ("O7", small, "2,560 multiplies at 16 bits and 2,304 adds at 32"),
    ("O8", networks.residual, "8 operations, of at most 8 by the shapes"),
    ("O9", networks.permuted, "1 permutation of 16 elements"),
    ("O12", small, "2,304 adds at 32 bits"),
    ("O13", networks.branching, "share of examples that took the first body: exit 1/3"),
    ("O16", networks.with_dead_ends, "1 operator, on which no output depends, not charged: matmul"),
]


@pytest.mark.parametrize(("rule", "network", "said"), SAID, ids=[f"{rule}-{network.__name__}" for rule, network, _ in SAID])
def test_what_a_rule_says(rule, network, said) -> None:
    verdict = of_rule(network(), rule)
    assert (verdict.outcome, verdict.message) == ("passed", said)


def test_the_regime_that_is_not_taken_is_priced_too() -> None:
    verdict = of_rule(networks.on_a_grid(), "S5")
    assert verdict.outcome == "passed"
    assert verdict.message.startswith("the freebie is not taken: ")
    assert "; the other regime would score " in verdict.message


ABSENT = {
    "S3": "S3 does not apply: no tensor is cheaper with a mask",
    "S4": "S4 does not apply: no tensor is used in several places",
    "S6": "S6 does not apply: every stored value is needed",
    "S7": "S7 does not apply: the model has no batch normalisation",
    "S8": "S8 does not apply: no tensor is cheapest as a codebook",
    "O2": "O2 does not apply: the freebie counts every multiply at 16 bits",
    "O3": "O3 does not apply: no multiply only flips a sign, or the freebie is cheaper",
    "O5": "O5 does not apply: nothing is charged under it",
    "O8": "O8 does not apply: no element-wise operation of two operands is charged",
    "O9": "O9 does not apply: no elements are permuted within an axis",
    "O10": "O10 does not apply: nothing is charged under it",
    "O11": "O11 does not apply: every conversion is between formats that fp32 holds exactly",
    "O13": "O13 does not apply: the model has no branch",
    "O16": "O16 does not apply: every operator is needed",
}


def test_a_rule_that_does_not_apply_is_skipped_and_says_why() -> None:
    skipped = {verdict.check.removeprefix("rule "): verdict for verdict in judge(small()) if verdict.outcome == "skipped"}
    skipped.pop("claims")
    assert {rule: verdict.message for rule, verdict in skipped.items()} == ABSENT
    assert {tuple(verdict.evidence.items()) for verdict in skipped.values()} == {(("applies", 0),)}


def test_rules_that_need_an_entry_of_another_kind() -> None:
    assert of_rule(networks.eight_bits(), "O7").message == "O7 does not apply: the entry is priced in the quantized regime"
    assert of_rule(networks.residual(), "S1").message == "S1 does not apply: the entry stores nothing"
    assert of_rule(networks.residual(), "O1").message == "O1 does not apply: the model has no dot product"


def test_a_bias_of_zeros_needs_no_line() -> None:
    verdict = of_rule(networks.with_a_bias_of_zeros(), "S2")
    assert (verdict.outcome, verdict.message) == (
        "passed",
        "2 constant operands of linear operators, each with its storage line but for 1 of zeros",
    )


def drop(rule: str, subject: str = "") -> Change:
    return lambda item: None if item.rule == rule and item.subject.startswith(subject) else item


def bits(rule: str, width: int, operation: str = "") -> Change:
    return lambda item: replace(item, bits=width) if item.rule == rule and item.operation == operation else item


def times(rule: str, factor: int, operation: str = "") -> Change:
    return lambda item: replace(item, quantity=item.quantity * factor) if item.rule == rule and item.operation == operation else item


def keep(item: LedgerLine) -> LedgerLine:
    return item


FORGED = [
    ("S1", small, bits("S5", 99), (), "should be a whole number of values of 1 to 64 bits [rule S1, conv.weight]"),
    ("S2", small, drop("S5", "conv.weight"), (), "got no storage line for conv.weight but should be charged"),
    ("S3", networks.masked, times("S3", 3), (), "got 1,536 mask bits for 32,768 values but should be one for each"),
    ("S3", networks.masked, lambda i: replace(i, quantity=i.quantity + 1) if i.rule == "S5" else i, (), "should be whole blocks of 64"),
    ("S3", networks.masked, times("S5", 2), (), "got 524,800 bits with a mask but should be at most the 524,288 of the dense form"),
    ("S5", small, bits("S5", 8), (), "got 8 bits but should be 16 under the freebie [rule S5, conv.weight]"),
    ("S6", networks.with_dead_ends, drop("S6"), (), "got 0 unused constants listed but should be 1"),
    ("S6", networks.with_dead_ends, keep, (line("storage", "S6", 4, 32, "more"),), "got 4 words but should be 0: no output"),
    ("S7", networks.normalised, drop("S7"), (), "got 0 folded and 0 charged batch normalisations"),
    ("S8", networks.codebook, lambda i: replace(i, bits=3) if i.bits == 4 else i, (), "got indices of 3 bits into 12 entries"),
    ("O1", small, times("O1", 2, "multiply"), (), "got 4,608 multiplies but should be at most 2,304"),
    ("O1", small, times("O1", 2, "add"), (), "at most 2,304 and a bias for each of 256 outputs"),
    ("O1", small, times("O1", -1, "add"), (), "but should be quantity × bits / 32, and not negative [rule O1, conv]"),
    ("O2", networks.eight_bits, bits("O1", 4, "multiply"), (), "got a multiply of 4 bits but should be at least 8"),
    ("O3", networks.binary, bits("O3", 2, "multiply"), (), "got a sign flip of 2 bits but should be 1 bit [rule O3, matmul]"),
    ("O7", small, bits("O1", 8, "multiply"), (), "got 8 bits for multiply but should be 16 [rule O7, conv]"),
    ("O7", small, bits("O1", 16, "add"), (), "got 16 bits for add but should be 32 [rule O7, conv]"),
    ("O8", networks.residual, times("O8", 3, "add"), (), "got 24 operations but should be at most 8"),
    ("O9", networks.permuted, lambda i: None if i.rule == "O9" and i.quantity == 4 else i, (), "got 1 storage lines for 1"),
    ("O11", small, keep, (line("operations", "O11", 9, 64, operation="multiply"),), "got charged conversions but should be free"),
    ("O12", small, bits("O1", 16, "add"), (), "got an accumulator of 16 bits but should be 32 [rule O12, conv]"),
    ("O13", small, keep, (line("operations", "O4", Fraction(1, 2), 16, "half"),), "got 1/2 operations but should be a whole number"),
    ("O16", networks.with_dead_ends, drop("O16"), (), "got 0 unused operators listed but should be 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "network", "change", "more", "said"), FORGED, ids=[f"{rule}-{index}" for index, (rule, *_) in enumerate(FORGED)]
)
def test_a_forged_ledger_is_an_error_of_ours(rule, network, change, more, said) -> None:
    forged = with_lines(network(), change, *more)
    verdict = of_rule(forged, rule)
    assert verdict.outcome == "error"
    assert said in verdict.message
    assert all(sentence.endswith(f"({REPORT})") for sentence in verdict.message.splitlines())
    final = judge(forged)[-1]
    assert final.outcome == "skipped"
    assert final.message.startswith("not ranked: the check 'rule ")


def test_S1_a_total_that_is_not_the_sum_of_its_bits() -> None:
    found = small()
    assert found.ledger is not None
    found.ledger.__dict__["storage"] = Fraction(7)
    assert "got a storage of 7 words but should be 640 bits / 32 [rule S1]" in of_rule(found, "S1").message


def test_S4_one_tensor_charged_under_two_labels() -> None:
    found = small()
    assert found.graph is not None
    weight = next(value for value in found.graph.values.values() if value.label == "conv.weight")
    twin = Value("twin", weight.shape, weight.format, weight.constant, "other.weight")
    found = replace(found, graph=replace(found.graph, values={**found.graph.values, "twin": twin}))
    forged = with_lines(found, keep, line("storage", "S5", 36, 16, "other.weight"))
    assert (
        "got other.weight charged in addition to conv.weight, whose bytes it shares but should be stored once"
        in of_rule(forged, "S4").message
    )
    apart = replace(twin, constant=TensorRef("sidecar", "constants.bin", 4096))
    found = replace(found, graph=replace(found.graph, values={**found.graph.values, "twin": apart}))  # type: ignore[arg-type]
    assert of_rule(with_lines(found, keep, line("storage", "S5", 36, 16, "other.weight")), "S4").outcome == "skipped"


def test_S5_the_dearer_regime_is_not_charged() -> None:
    found = small()
    assert found.count is not None
    dearer = replace(found, ledger=found.count.ledgers["quantized"])
    assert f"got the quantized regime at {QUANTIZED} but should be the other, at 0.007766 [rule S5]" in of_rule(dearer, "S5").message


@pytest.mark.parametrize(
    ("network", "forfeited", "said"),
    [
        (small, "conv quantizes", "got a freebie that is forfeited but should agree with 0 operators below 16 bits"),
        (networks.eight_bits, "", "got a freebie that is kept but should agree with 2 operators below 16 bits"),
    ],
)
def test_S5_forfeiture_is_found_again_in_the_graph(network, forfeited, said) -> None:
    found = network()
    assert said in of_rule(replace(found, count=replace(found.count, forfeited=forfeited)), "S5").message


def test_S7_an_edition_that_charges_every_norm_folds_none() -> None:
    found = networks.normalised()
    priced = replace(found, track=networks.track(batch_norm="charged"))
    said = "got 1 folded batch normalisations but should be none: the edition says charged [rule S7]"
    assert said in of_rule(priced, "S7").message


def test_O2_a_float_activation_keeps_a_narrow_weight_from_narrowing_the_product() -> None:
    verdict = of_rule(networks.on_a_grid(), "O2")
    assert verdict.outcome == "passed"
    assert set(verdict.evidence) >= {"multiplies_32"}
    forged = with_lines(networks.on_a_grid(), bits("O1", 4, "multiply"))
    assert "got a multiply of 4 bits but should be at least 32, the narrowest activation" in of_rule(forged, "O2").message


def test_O13_shares_are_shares_and_predictions_say_them() -> None:
    assert of_rule(networks.branching(), "O13").outcome == "passed"
    silent = networks.branching(None)
    assert "got predictions that do not say which body was taken but should say it for each example" in of_rule(silent, "O13").message
    assert of_rule(replace(silent, predictions=None), "O13").message == "share of examples that took the first body: exit unknown"
    forged = replace(networks.branching(), shares={"exit": Fraction(3, 2)})
    assert "got a share of 3/2 but should be from 0 to 1 [rule O13, exit]" in of_rule(forged, "O13").message


def test_subtotals_by_rule_add_up_to_the_ledger() -> None:
    found = networks.masked()
    assert found.ledger is not None
    verdicts = [of_rule(found, rule) for rule in LAWS]
    for axis, total in (("storage", found.ledger.storage), ("operations", found.ledger.operations)):
        subtotals = [Fraction(str(verdict.evidence.get(axis, 0))) for verdict in verdicts]
        assert sum(subtotals) == total > 0


def test_evidence_is_text_and_numbers_only() -> None:
    for network in NETWORKS:
        assert {type(value) for verdict in judge(network()) for value in verdict.evidence.values()} <= {str, int, float}

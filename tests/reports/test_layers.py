from __future__ import annotations

from fractions import Fraction

import pytest

from micronet_verify.counting.ledger import Ledger, LedgerLine
from micronet_verify.reports.layers import WHOLE, Scale, dearest_layers, dearest_lines, layers
from micronet_verify.track.track import Baseline


def line(axis, scope, quantity, bits=32, subject="x"):
    return LedgerLine(axis, "O1", subject, scope, Fraction(quantity), bits, "formula")


LEDGER = Ledger("e", "freebie", (
    line("storage", "head", 100), line("storage", "stem", 10), line("storage", "", 2),
    line("operations", "stem", 3000), line("operations", "relu", 0), line("operations", "head", 200),
))  # fmt: skip
BASELINE = Baseline(Fraction(1000), Fraction(10000))


def test_layers_come_in_the_order_of_the_model_and_hold_every_line_once():
    found = layers(LEDGER)
    assert [layer.name for layer in found] == ["stem", "relu", "head", WHOLE]
    assert sorted(id(line) for layer in found for line in layer.lines) == sorted(id(line) for line in LEDGER.lines)
    assert [(layer.storage, layer.operations) for layer in found] == [(10, 3000), (0, 0), (100, 200), (2, 0)]


def test_shares_are_of_the_score_where_there_is_a_baseline():
    scale = Scale.of(LEDGER, BASELINE)
    score = Fraction(112, 1000) + Fraction(3200, 10000)
    assert scale.share(Fraction(10), Fraction(3000)) == (Fraction(10, 1000) + Fraction(3000, 10000)) / score
    assert sum(scale.share(layer.storage, layer.operations) for layer in layers(LEDGER)) == 1
    assert sum(map(scale.of_line, LEDGER.lines)) == 1


def test_without_a_baseline_both_axes_weigh_the_same():
    scale = Scale.of(LEDGER)
    assert scale.share(Fraction(112), Fraction(0)) == Fraction(1, 2)
    assert sum(map(scale.of_line, LEDGER.lines)) == 1


def test_a_model_that_costs_nothing_has_no_shares():
    empty = Ledger("e", "freebie", (line("operations", "a", 0),))
    assert Scale.of(empty, BASELINE).share(Fraction(0), Fraction(0)) == 0
    assert dearest_lines(empty, Scale.of(empty, BASELINE), 3) == []


def test_the_dearest_come_first():
    scale = Scale.of(LEDGER, BASELINE)
    assert [layer.name for layer in dearest_layers(layers(LEDGER), scale, 2)] == ["stem", "head"]
    # 3000 of 10,000 operations; 100 of 1,000 words; 200 of 10,000 operations.
    assert [(one.axis, one.scope) for one in dearest_lines(LEDGER, scale, 3)] == [
        ("operations", "stem"), ("storage", "head"), ("operations", "head"),
    ]  # fmt: skip


@pytest.mark.parametrize("id", ["digits/dense-pytorch", "digits/int8-qdq-onnx"])
def test_layers_of_a_real_entry_add_up(evaluations, id):
    evaluation = evaluations[id]
    found = layers(evaluation.ledger)
    assert sum(layer.storage for layer in found) == evaluation.ledger.storage
    assert sum(layer.operations for layer in found) == evaluation.ledger.operations
    scale = Scale.of(evaluation.ledger, evaluation.track.baseline)
    assert sum(scale.share(layer.storage, layer.operations) for layer in found) == 1

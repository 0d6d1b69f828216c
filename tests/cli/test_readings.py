"""``explain --readings``: the score under every alternative reading of each knob."""

from __future__ import annotations

import json
from fractions import Fraction

from micronet_verify.track.rules import KNOBS


def test_the_interval_and_the_knob_that_moves_most(cli, samples):
    told = " ".join(cli("explain", "--readings", samples / "digits/int8-qdq-onnx", columns=110).stdout.split())
    # 0.880330 less the two ReLUs, 64·16 + 64·32 compares, which the quantizers behind them do (B18): 3,072 / 623,104 = 0.004930
    assert "Score 0.875400 as the edition reads;" in told
    assert "What moves it most: activation_bits = 32 (O2), by +0.370450." in told
    assert "Without effect:" in told


def test_every_knob_is_read_and_lies_in_the_interval(cli, samples):
    data = json.loads(cli("explain", "--readings", "--json", samples / "digits/pruned-onnx").stdout)
    assert {item["knob"] for item in data["readings"]} == set(KNOBS)
    low, high = Fraction(data["low"]["exact"]), Fraction(data["high"]["exact"])
    assert all(low <= Fraction(item["score"]["exact"]) <= high for item in data["readings"])


def test_dot_adds_n_costs_one_add_more_per_row(cli, samples):
    data = json.loads(cli("explain", "--readings", "--json", samples / "digits/dense-onnx").stdout)
    change = next(Fraction(item["change"]["exact"]) for item in data["readings"] if item["value"] == "n")
    # stem and body: one add per output; head: one per logit
    assert change == Fraction(16 * 64 + 32 * 64 + 10, 623104)


def test_a_forfeited_freebie_is_no_reading(cli, samples):
    data = json.loads(cli("explain", "--readings", "--json", samples / "digits/int4-weights-onnx").stdout)
    assert not [item for item in data["readings"] if item["value"] == "freebie"]


def test_a_bare_file_needs_a_track(cli, samples):
    result = cli("explain", "--readings", samples / "digits/pruned-onnx/model.onnx")
    assert result.exit_code == 2
    assert "got --readings of a bare file without --track but should name the track" in " ".join(result.output.split())

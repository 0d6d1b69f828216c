"""``diff``: two entries layer by layer, and the changes that add up to the change of the totals."""

from __future__ import annotations

import json
from fractions import Fraction


def test_the_same_network_does_not_differ(cli, samples):
    model = samples / "digits/pruned-onnx/model.onnx"
    told = cli("diff", model, model).stdout
    assert told.splitlines()[-1] == "No layer differs."


def test_layers_are_named_with_their_change_and_its_effect_on_the_score(cli, samples):
    told = cli("diff", samples / "digits/dense-pytorch", samples / "digits/binary-weights-pytorch", columns=110).stdout
    assert "Storage 4,965 → 548 (-4,417)" in " ".join(told.split())
    assert "Score 1.248151 → 0.588722 (-0.659430; lower is better)" in " ".join(told.split())
    assert "The regimes differ (freebie → quantized), so every charge does." in told
    # body: 4,608 weights and 32 biases at 16 bit, against a bit each, a scale per channel and 32 biases at 32
    line = next(line for line in told.splitlines() if line.startswith("body.conv") and "storage" in line).split()
    before, after = (4608 + 32) * 16 // 32, (4608 + 32 * 32 + 32 * 32) // 32
    assert line[2:4] == [f"{before:,}", f"{after:,}"]


def test_the_changes_add_up(cli, samples):
    data = json.loads(cli("diff", "--json", samples / "digits/dense-onnx", samples / "digits/int8-qdq-onnx").stdout)
    for axis in ("storage", "operations"):
        changes = sum(Fraction(row["change"]["exact"]) for row in data["layers"] if row["axis"] == axis)
        assert changes == Fraction(data["after"][axis]["exact"]) - Fraction(data["before"][axis]["exact"])


def test_top_says_how_many_more_differ(cli, samples):
    told = cli("diff", "--top", 2, samples / "digits/dense-onnx", samples / "digits/int8-qdq-onnx").stdout
    assert told.splitlines()[-1].startswith("– and ")


def test_a_missing_side_is_one_sentence(cli, samples):
    result = cli("diff", samples / "digits/dense-onnx", samples / "nowhere")
    assert result.exit_code == 2
    assert "nowhere' but should be an entry's directory or a model file that exists" in " ".join(result.output.split())

"""``explain``: every charge, by layer; as a table, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction

import pytest

SCORE = Fraction(1, 2) + Fraction(466176, 623104)


def test_a_dense_entry_layer_by_layer(cli, samples):
    told = cli("explain", samples / "digits/dense-onnx").stdout
    assert "Regime: freebie (parameters and multiplications count 16 bits). In the quantized\nregime the score would be 2.000000." in told
    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line and not line.startswith(" ")}
    # body: (16·9·32 + 32) values at 16 bit; 2,048·144 multiplies at 16 and 2,048·(143 + 1) adds at 32.
    words, operations = (16 * 9 * 32 + 32) // 2, 2048 * 144 // 2 + 2048 * 144
    assert (words, operations) == (2320, 442368)
    share = (Fraction(words, 9930) + Fraction(operations, 623104)) / SCORE
    summary = next(line for line in told.splitlines() if line.startswith("body.conv ") and "2,320" in line).split()
    assert summary == ["body.conv", "2,320", "46.7", "442,368", "94.9", f"{float(100 * share):.1f}"]
    assert rows["total"] == ["4,965", "100.0", "466,176", "100.0", "100.0"]
    assert "Score       1.248151  (lower is better)" in told


def test_every_charge_has_its_rule_and_formula(cli, samples):
    lines = [" ".join(line.split()) for line in cli("explain", samples / "digits/dense-onnx", columns=140).stdout.splitlines()]
    assert "O1 add Conv 64 × (4,608 − 32 rows) 32 bit 292,864" in lines
    assert "S5 storage weight 32×16×3×3: 4,608 values 16 bit 2,304" in lines
    assert "O5 multiply MaxPool 512 outputs × (4 − 1) 16 bit 768" in lines


@pytest.mark.parametrize("columns", [80, 140])
def test_no_line_is_wider_than_the_terminal_and_none_has_codes(cli, samples, columns):
    for command in ("explain", "check"):
        told = cli(command, samples / "digits/int8-qdq-onnx", columns=columns).stdout
        assert max(map(len, told.splitlines())) <= columns
        assert not any(ord(char) < 32 and char != "\n" for char in told)
        assert not any(line.endswith(" ") for line in told.splitlines())


def test_the_csv_rows_add_up_to_what_json_says(cli, samples):
    entry = samples / "digits/int8-qdq-onnx"
    rows = list(csv.DictReader(io.StringIO(cli("explain", entry, "--csv").stdout)))
    data = json.loads(cli("explain", entry, "--json").stdout)
    lines = [line for layer in data["layers"] for line in layer["lines"]]
    assert len(lines) == len(rows)
    for axis in ("storage", "operations"):
        total = Fraction(data["totals"][axis]["exact"])
        assert sum(Fraction(row["amount"]) for row in rows if row["axis"] == axis) == total > 0
        assert sum(Fraction(line["amount"]["exact"]) for line in lines if line["axis"] == axis) == total
        assert sum(Fraction(layer[axis]["exact"]) for layer in data["layers"]) == total
    assert sum(Fraction(layer["share_of_score"]["exact"]) for layer in data["layers"]) == 1
    assert (data["regime"], data["track"], data["layers_left_out"]) == ("quantized", "digits", 0)


def test_top_shows_the_dearest_layers_and_counts_the_rest(cli, samples):
    entry = samples / "digits/dense-onnx"
    told = cli("explain", entry, "--top", "2").stdout
    assert [line.split()[0] for line in told.splitlines() if line.endswith(" of the score")] == ["body.conv", "logits"]
    assert "stem.conv" not in told
    assert "4 more layers" in told
    data = json.loads(cli("explain", entry, "--top", "2", "--json").stdout)
    assert len(data["layers"]) == 2
    assert data["layers_left_out"] > 0
    shares = [Fraction(layer["share_of_score"]["exact"]) for layer in data["layers"]]
    assert shares == sorted(shares, reverse=True)


def test_depth_groups_modules_by_the_head_of_their_path(cli, samples):
    told = cli("explain", samples / "digits/dense-onnx", "--depth", "1", columns=140).stdout
    rows = [line.split()[0] for line in told.partition("total")[0].splitlines()[4:] if line.strip("─ ")]
    assert rows == ["layer", "stem", "body", "pool", "logits"]
    # The relu's 2,048 compares now stand with the convolution's work.
    assert "O4 multiply Relu in relu 2,048 × 1: max(x, 0) 16 bit 1,024" in " ".join(told.split())
    data = json.loads(cli("explain", samples / "digits/dense-onnx", "--depth", "1", "--json").stdout)
    assert sum(Fraction(layer["operations"]["exact"]) for layer in data["layers"]) == 466176


def test_the_other_regime_on_demand(cli, samples):
    told = cli("explain", samples / "digits/dense-onnx", "--regime", "quantized").stdout
    assert "Score       2.000000" in told
    result = cli("explain", samples / "digits/int8-qdq-onnx", "--regime", "freebie")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: got --regime freebie but should be quantized: QuantizeLinear in images.quantized")


def test_a_bare_file_has_no_score_unless_a_track_is_named(cli, samples):
    file = samples / "digits/pruned-onnx/model.onnx"
    told = cli("explain", file).stdout
    assert "Score" not in told
    assert "% of score" not in told
    assert "Total storage     746.875 words of 32 bit" in told
    named = json.loads(cli("explain", file, "--track", "digits", "--json").stdout)
    whole = json.loads(cli("explain", samples / "digits/pruned-onnx", "--json").stdout)
    assert named["totals"] == whole["totals"]
    assert named["layers"] == whole["layers"]


def test_an_entry_that_cannot_be_counted_says_why(cli, samples):
    result = cli("explain", samples / "broken/truncated-onnx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: got a file that ends inside the ")
    result = cli("explain", samples / "broken/bad-manifest")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) > 3
    assert all(line.startswith("Error: got ") for line in result.stderr.splitlines())

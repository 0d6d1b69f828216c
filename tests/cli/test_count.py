"""``count``: bare model files, against arithmetic that can be read."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from micronet_verify.commands.inputs import model_file

# The dense digits network (track_specs/digits.yaml): values, multiply class, adds.
VALUES = (1 * 9 * 16 + 16) + (16 * 9 * 32 + 32) + (512 * 10 + 10)
MULTIPLIES = 1024 * (9 + 1) + 2048 * (144 + 1) + 512 * 3 + 10 * 512
ADDS = 1024 * (8 + 1) + 2048 * (143 + 1) + 10 * (511 + 1)


@pytest.mark.parametrize("file", ["dense-onnx/model.onnx", "dense-pytorch/model.pt2"])
def test_both_regimes_of_the_dense_network_exactly(cli, samples, file):
    result = cli("count", samples / "digits" / file, "--track", "digits", "--json")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert (data["edition"], data["track"], data["forfeited"]) == ("micronet-2019", "digits", "")

    def value(regime, *keys):
        found = data["regimes"][regime]
        for key in keys:
            found = found[key]
        return Fraction(found["exact"])

    assert value("quantized", "storage") == VALUES
    assert value("freebie", "storage") == Fraction(VALUES, 2)
    for regime, price in (("quantized", 1), ("freebie", Fraction(1, 2))):
        assert value(regime, "multiply", "count") == MULTIPLIES
        assert value(regime, "multiply", "priced") == MULTIPLIES * price
        assert value(regime, "add", "priced") == ADDS
        assert value(regime, "operations") == MULTIPLIES * price + ADDS
    assert value("quantized", "score") == Fraction(VALUES, 9930) + Fraction(MULTIPLIES + ADDS, 623104) == 2


def test_the_digest_covers_the_side_file_of_weights(cli, samples, tmp_path):
    data = json.loads(cli("count", samples / "digits/dense-onnx/model.onnx", "--json").stdout)
    folder = samples / "digits/dense-onnx"
    assert data["size"] == sum((folder / name).stat().st_size for name in ("model.onnx", "weights.bin"))
    for name in ("model.onnx", "weights.bin"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    weights = bytearray((tmp_path / "weights.bin").read_bytes())
    weights[0] ^= 1
    (tmp_path / "weights.bin").write_bytes(weights)
    assert json.loads(cli("count", tmp_path / "model.onnx", "--json").stdout)["sha256"] != data["sha256"]


def test_a_table_for_people(cli, samples):
    result = cli("count", samples / "digits/dense-onnx/model.onnx", "--track", "digits")
    rows = {line[:22].strip(): line[22:].split() for line in result.stdout.splitlines()}
    assert rows["storage, 32-bit words"] == ["4,965", "9,930"]
    assert rows["operations, 32-bit"] == ["466,176", "623,104"]
    assert rows["score"] == ["1.248151", "2.000000"]


def test_an_edition_of_ones_own_changes_the_price(cli, samples, tmp_path):
    (tmp_path / "rules").mkdir()
    text = (samples.parent / "track_specs/rules/micronet-2019.yaml").read_text()
    (tmp_path / "rules/mine.yaml").write_text(text.replace("edition: micronet-2019", "edition: mine").replace("n_minus_1", '"n"'))
    arguments = (samples / "digits/dense-onnx/model.onnx", "--rules", "mine", "--tracks", tmp_path, "--json")
    # One more add for each of 1,024 + 2,048 + 10 outputs.
    for command in ("count", "explain"):
        data = json.loads(cli(command, *arguments).stdout)
        operations = data["regimes"]["freebie"]["operations"] if command == "count" else data["totals"]["operations"]
        assert Fraction(operations["exact"]) == 466176 + 1024 + 2048 + 10
        assert data["edition"] == "mine"


def test_without_a_track_there_is_no_score(cli, samples):
    assert "score" not in cli("count", samples / "digits/dense-onnx/model.onnx").stdout


def test_a_forfeited_freebie_says_by_what(cli, samples):
    result = cli("count", samples / "digits/int8-qdq-onnx/model.onnx")
    assert "The freebie regime is forfeited (S5): QuantizeLinear in images.quantized" in " ".join(result.stdout.split())
    data = json.loads(cli("count", samples / "digits/int8-qdq-onnx/model.onnx", "--json").stdout)
    assert list(data["regimes"]) == ["quantized"]
    assert data["forfeited"] == "QuantizeLinear in images.quantized quantizes"


def test_an_operator_without_a_price_is_an_error_by_name_and_place(cli, samples):
    file = samples / "broken/unknown-operator-pytorch/model.pt2"
    result = cli("count", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: got the operator aten.linalg_det.default but should be an operator that this counter can price")
    result = cli("count", file, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["errors"][0].startswith("got the operator aten.linalg_det.default but should")


def test_a_file_of_another_kind_is_the_users(cli, tmp_path, without):
    without("tensorflow", "tflite")
    (tmp_path / "model.bin").write_bytes(b"x")
    result = cli("count", tmp_path / "model.bin")
    assert (result.exit_code, result.stderr) == (1, "Error: got the file 'model.bin' but should end in one of .onnx, .pt2\n")


def test_a_file_whose_plugin_is_missing_is_the_operators(cli, tmp_path, without):
    without("tensorflow")
    (tmp_path / "model.keras").write_bytes(b"x")
    result = cli("count", tmp_path / "model.keras")
    assert (result.exit_code, result.stderr) == (
        3,
        "Error: got the file 'model.keras' without the plugin that reads it but should have it installed: "
        "pip install 'micronet-verify-tensorflow[tensorflow]'\n",
    )


def test_a_file_that_is_no_model(cli, tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"not a zip")
    result = cli("count", tmp_path / "model.pt2")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: got ")
    assert "Traceback" not in result.output


def test_a_broken_track_file_is_the_organizers_fault(cli, samples, tmp_path):
    (tmp_path / "mine.yaml").write_text("schema: 1\nname: mine\n")
    result = cli("count", samples / "digits/dense-onnx/model.onnx", "--track", "mine", "--tracks", tmp_path)
    assert result.exit_code == 4
    assert "Error: got no 'title' but should have one" in result.stderr


def test_the_same_file_gives_the_same_bytes(cli, samples):
    file = samples / "digits/pruned-onnx/model.onnx"
    assert cli("count", file, "--json").stdout == cli("count", file, "--json").stdout


def test_a_directory_that_holds_a_saved_model_is_its_model_file(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    assert model_file(tmp_path) == tmp_path / "saved_model.pb"

"""Each broken entry is broken in the one way that it documents."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import pytest
import yaml

from sample_submissions.recipes.broken import BROKEN
from sample_submissions.recipes.digits import correct, smallest_gap
from sample_submissions.recipes.honest import load_source
from tests.samples.conftest import SAMPLES, documented_broken, documented_honest, grouped

FOLDER = SAMPLES / "broken"


def test_readme_lists_every_broken_entry() -> None:
    assert documented_broken() == BROKEN.keys() == {entry.name for entry in FOLDER.iterdir()}


def test_misses_by_one_with_room_for_rounding(answers_of, labels) -> None:
    outputs = answers_of("broken/misses-by-one")
    assert correct(outputs, labels) == 474
    assert smallest_gap(outputs) > 1e-3


def test_overclaims_is_right_about_quality_only(answers_of, labels) -> None:
    claims = manifest("overclaims")["claims"]
    assert claims["quality"] == correct(answers_of("broken/overclaims"), labels) / 500
    # the dense baseline: half its storage, its multiply class at half price
    assert claims["score"] < 0.5 + (313_856 / 2 + 309_248) / 623_104


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("truncated/model.pt2", "dense-pytorch"),
        ("truncated-onnx/model.onnx", "int8-qdq-onnx"),
        ("truncated-tflite/model.tflite", "int8-tflite"),
    ],
)
def test_truncated_file_is_the_beginning_of_an_honest_one(name, whole) -> None:
    cut = (FOLDER / name).read_bytes()
    honest = (SAMPLES / "digits" / whole / name.split("/")[1]).read_bytes()
    assert honest.startswith(cut)
    assert len(cut) == len(honest) * 2 // 3


@pytest.mark.parametrize("name", ["unknown-operator", "unknown-operator-pytorch"])
def test_unknown_operator_runs_and_answers_as_well_as_the_dense_network(name, answers_of, labels) -> None:
    assert correct(answers_of(f"broken/{name}"), labels) == documented_honest()["dense-pytorch"][0]


def test_unknown_operator_is_standard_and_custom_operator_is_not() -> None:
    standard = onnx.load(FOLDER / "unknown-operator" / "model.onnx")
    assert ("", "Det") in {(node.domain, node.op_type) for node in standard.graph.node}
    custom = onnx.load(FOLDER / "custom-operator" / "model.onnx")
    assert ("com.example", "FusedHead") in {(node.domain, node.op_type) for node in custom.graph.node}


def test_no_runtime_has_the_custom_operator(answers_of) -> None:
    with pytest.raises(Exception, match="FusedHead"):
        answers_of("broken/custom-operator")


@pytest.mark.parametrize("name", grouped(["reads-a-file-savedmodel"], "broken"))
def test_tensorflow_itself_reads_the_file_and_answers_as_well_as_before(name, answers_of, labels) -> None:
    assert correct(answers_of(f"broken/{name}"), labels) == documented_honest()["pruned-onnx"][0]
    assert b"ReadFile" in (FOLDER / name / "saved_model.pb").read_bytes()


def test_the_lambda_is_python_code_inside_the_configuration() -> None:
    with zipfile.ZipFile(FOLDER / "lambda-layer-keras" / "model.keras") as archive:
        last = json.loads(archive.read("config.json"))["config"]["layers"][-1]
    assert last["class_name"] == "Lambda"
    assert b"logits" in base64.b64decode(last["config"]["function"]["config"]["code"])


def test_nan_outputs_in_two_images_would_still_pass_on_quality(answers_of, labels, images) -> None:
    outputs = answers_of("broken/nan-outputs")
    without_an_answer = np.isnan(outputs).any(axis=1)
    assert without_an_answer.tolist() == (images[:, 0, :, 5].max(axis=1) == 0).tolist()
    assert without_an_answer.sum() == 2
    assert correct(outputs[~without_an_answer], labels[~without_an_answer]) == 494


def test_wrong_shapes(answers_of) -> None:
    assert answers_of("broken/nine-classes").shape == (500, 9)
    assert answers_of("broken/extra-axis").shape == (500, 10, 1)


def test_paths_lead_out_of_the_entry_to_a_file_that_exists() -> None:
    honest = (SAMPLES / "digits" / "int8-qdq-onnx" / "model.onnx").resolve()
    assert (FOLDER / "path-outside" / manifest("path-outside")["model"]).resolve() == honest
    assert (FOLDER / "symlink-outside" / "model.onnx").is_symlink()
    assert (FOLDER / "symlink-outside" / "model.onnx").resolve() == honest


def test_external_data_leads_out_of_the_entry_to_a_file_that_exists() -> None:
    folder = FOLDER / "external-data-outside"
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    named = {entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"}
    assert {(folder / path).resolve() for path in named} == {(SAMPLES / "digits" / "dense-onnx" / "weights.bin").resolve()}
    assert "external_data" not in manifest("external-data-outside")


def test_crash_takes_the_process_with_it() -> None:
    done = subprocess.run([sys.executable, str(FOLDER / "crashes-on-import" / "model.py")], check=False, capture_output=True)
    assert done.returncode == 3


def test_build_raises() -> None:
    with pytest.raises(FileNotFoundError, match=r"configs/network\.json"):
        load_source(FOLDER / "raises-in-build" / "model.py")


def test_bad_manifest_shows_what_yaml_makes_of_it() -> None:
    """Plain YAML takes all of it without a word; the strict loader must not."""
    plain = manifest("bad-manifest")
    assert plain["team"] is False
    assert plain["members"][0]["id"] == 8
    assert plain["model"] == "model.pt2"
    assert "framwork" in plain


def manifest(name: str) -> dict:
    loaded: dict = yaml.safe_load((FOLDER / name / "submission.yaml").read_text(encoding="utf-8"))
    return loaded


def test_two_in_one_answers_from_both_weights_of_every_float(answers_of, labels) -> None:
    """The head has 512·10 weights in 512·5 floats, which need more than the 11 bits of mantissa that the freebie charges."""
    assert correct(answers_of("broken/two-in-one"), labels) == 496
    model = onnx.load(FOLDER / "two-in-one" / "model.onnx")
    packed = next(onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == "head.packed")
    assert packed.shape == (512, 5)
    high = np.rint(packed / 2**12)
    assert set(np.abs(high).flat) <= set(range(16))
    assert set(np.abs(packed - high * 2**12).flat) <= set(range(16))
    assert np.count_nonzero(packed.astype(np.float16) != packed) > packed.size / 2

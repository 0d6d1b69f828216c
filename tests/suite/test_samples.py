"""One plain pytest run over all samples: what fails, with which sentence, and what is reported."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

import pytest

from micronet_verify.checks.judge import CHECKS
from micronet_verify.checks.rules.laws import LAWS
from micronet_verify.framework.registry import frameworks, incomplete
from tests.suite.conftest import SAMPLES, SUITE, entry_like, start

FUNCTIONS = {
    "manifest": "test_manifest",
    "artifact": "test_artifact",
    "sealing": "test_sealed",
    "operators": "test_operators_priced",
    "proof": "test_proof",
    "claims": "test_claims",
    "quality": "test_quality_target",
    "score": "test_final_score",
}
# Each broken sample fails one test, and its message begins, or goes on, like this.
SAYS = {
    "test_manifest": {
        "bad-manifest": "got NO, which some readers take for true or false",
        "path-outside": "got model: the path '../../digits/int8-qdq-onnx/model.onnx' but should stay inside the entry",
        "symlink-outside": "got model: the symbolic link 'model.onnx' but should be the file itself",
    },
    "test_artifact": {
        "crashes-on-import": "got an export step that ended with exit code 3 and no result but should give a result",
        "external-data-outside": (
            "got external data in '../../digits/dense-onnx/weights.bin' but should be a file in the model's own "
            "folder [initializer 'stem.conv.weight', initializer 'stem.norm.weight', initializer 'stem.norm.bias' and 9 more]"
        ),
        "raises-in-build": "got FileNotFoundError: configs/network.json",
        "truncated": "got a file that cannot be read as a .pt2 archive (File is not a zip file) but should be a whole one",
        "truncated-onnx": "(at byte 8,660) but should be a complete ONNX model",
        "truncated-tflite": "but should lie within the file's 6,725 bytes [model.tflite] (the file is cut off or damaged)",
    },
    "test_operators_priced": {
        "custom-operator": "got the operator FusedHead of domain com.example but should be",
        "lambda-layer-keras": (
            "got the class 'Lambda', which holds Python code, but should be a built-in Keras layer that computes "
            "[config.json of model.keras, layer 'double']"
        ),
        "reads-a-file-savedmodel": (
            "got the operator ReadFile (node 'ReadFile'), which reads or writes files, but should be one that only computes"
        ),
        "unknown-operator": "got Det: an operator whose work has no agreed price but should be",
        "unknown-operator-pytorch": "got the operator aten.linalg_det.default but should be an operator that this counter can price",
    },
    "test_proof": {
        "two-in-one": "got the network rebuilt from what is charged, with answers that rounding to 16 bits moves by ",
    },
    "test_claims": {
        "overclaims": "got claims.score: 0.62 but should be 1.25 as measured [submission.yaml:11]",
    },
    "test_quality_target": {
        "extra-axis": "got outputs of shape (500, 10, 1) but should be (500, 10) [outputs]",
        "misses-by-one": "got 474 of 500 correct, 1 image short, but should be at least 475 of 500 correct",
        "nan-outputs": "got NaN or infinity in 2 of 500 rows of outputs, first for example 97",
        "nine-classes": "got outputs of shape (500, 9) but should be (500, 10) [outputs]",
    },
}
BROKEN = {name: case for case, sentences in SAYS.items() for name in sentences}
pytestmark = pytest.mark.xdist_group("samples")  # one run for all of these tests
TENSORFLOW = {
    "tensorflow": (
        "digits/deep-compression-savedmodel",
        "digits/separable-keras",
        "broken/lambda-layer-keras",
        "broken/reads-a-file-savedmodel",
    ),
    "tflite": ("digits/int8-tflite", "broken/truncated-tflite"),
}
# Entries that cannot be judged here, because what they need is not installed.
ABSENT = {id for name, ids in TENSORFLOW.items() if name not in frameworks() or incomplete(frameworks()[name]) is not None for id in ids}
HONEST = sorted(f"{track}/{entry.name}" for track in ("digits", "tales") for entry in (SAMPLES / track).iterdir())


def judged(ids: Iterable[str]) -> list[Any]:
    """Entries as parameters; those that cannot be judged here are skipped."""
    return [
        pytest.param(
            id.partition("/")[2] if id.startswith("broken/") else id, marks=pytest.mark.skipif(id in ABSENT, reason="needs TensorFlow")
        )
        for id in ids
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    desk = tmp_path_factory.mktemp("desk")
    options = ["--submissions", str(SAMPLES), "--report", "report", "--junitxml", "junit-by-pytest.xml", "-p", "no:cacheprovider"]
    return start(desk, ["-m", "pytest", *SUITE, *options])


def test_every_check_has_a_case_for_every_entry(run) -> None:
    ids = [*HONEST, *(f"broken/{name}" for name in BROKEN)]
    expected = {f"{function}[{id}]" for function in FUNCTIONS.values() for id in ids}
    expected |= {f"test_counting_rule[{id}-{rule}]" for rule in LAWS for id in ids}
    assert run.tests.keys() == expected
    assert "test_counting_rule[digits/pruned-onnx-S3]" in expected
    assert {*FUNCTIONS, *(f"rule {rule}" for rule in LAWS)} == set(CHECKS)


def test_broken_samples_fail_and_nothing_else_does(run) -> None:
    assert run.code == 1, run.text
    failed, errors = ({test for test in run.named(outcome) if _entry(test) not in ABSENT} for outcome in ("failed", "error"))
    assert failed == {f"{function}[broken/{name}]" for name, function in BROKEN.items() if f"broken/{name}" not in ABSENT}
    assert errors == set()
    assert {_entry(test) for outcome in ("failed", "error") for test in run.named(outcome)} & ABSENT == ABSENT


def _entry(test: str) -> str:
    return test.partition("[")[2].removesuffix("]")


@pytest.mark.parametrize("name", judged(f"broken/{name}" for name in BROKEN))
def test_a_broken_sample_says_what_should_be(run, name) -> None:
    function = BROKEN[name]
    message = run.tests[f"{function}[broken/{name}]"][1]
    assert SAYS[function][name] in message
    assert "Traceback" not in message


@pytest.mark.parametrize("name", judged(HONEST))
def test_an_honest_sample_passes_and_has_its_score(run, name) -> None:
    passed = {function for check, function in FUNCTIONS.items() if check != "claims"}
    assert {function for function in FUNCTIONS.values() if run.tests[f"{function}[{name}]"][0] == "passed"} == passed
    applied = {rule for rule in LAWS if run.tests[f"test_counting_rule[{name}-{rule}]"][0] == "passed"}
    assert applied >= {"S1", "S2", "S5", "O1", "O12"}


def test_without_tensorflow_its_entries_are_told_what_to_install_and_the_others_are_judged(tmp_path) -> None:
    told = {
        "first": ("digits/deep-compression-savedmodel", "pip install 'micronet-verify-tensorflow[tensorflow]'"),
        "second": ("digits/separable-keras", "pip install 'micronet-verify-tensorflow[tensorflow]'"),
        "third": ("digits/int8-tflite", "pip install 'micronet-verify-tensorflow[tflite]'"),
    }
    for name, sample in {"other": "digits/pruned-onnx", **{name: sample for name, (sample, _) in told.items()}}.items():
        entry_like(sample, tmp_path / "entries" / name)
    desk = tmp_path / "desk"
    desk.mkdir()
    options = ["--submissions", str(tmp_path / "entries"), "--junitxml", "junit-by-pytest.xml", "-p", "no:cacheprovider"]
    run = start(desk, ["-m", "pytest", *SUITE, *options], MICRONET_WITHOUT="tensorflow,tflite")
    assert run.named("failed") == set()
    assert run.named("error") == {f"test_artifact[{name}]" for name in told}
    for name, (_, sentence) in told.items():
        assert sentence in run.tests[f"test_artifact[{name}]"][1]
    assert run.tests["test_final_score[other]"][0] == "passed"


def test_what_cannot_be_reached_is_skipped_by_the_name_of_the_stage(run) -> None:
    told = {run.tests[f"test_quality_target[broken/{name}]"][1] for name in ("bad-manifest", "crashes-on-import", "symlink-outside")}
    assert told == {"not reached: the manifest stage failed", "not reached: the export stage failed"}


def test_reports_are_written_for_every_entry(run) -> None:
    report = run.folder / "report"
    assert (report / "leaderboard.md").read_text().startswith("# Leaderboard")
    suites = ET.parse(report / "junit.xml").getroot().iter("testsuite")
    assert {suite.get("name") for suite in suites} == {*HONEST, *(f"broken/{name}" for name in BROKEN)}
    for name in set(HONEST) - ABSENT:
        assert (report / name / "ledger.csv").is_file()
    for name in BROKEN:
        assert (report / "broken" / name / "evidence.json").is_file()


def test_properties_of_a_case_are_its_evidence(run) -> None:
    cases = ET.parse(run.folder / "junit-by-pytest.xml").getroot().iter("testcase")
    case = next(case for case in cases if case.get("name") == "test_quality_target[digits/pruned-onnx]")
    properties = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert properties == {
        "entry": "digits/pruned-onnx",
        "check": "quality",
        "quality": "122/125",
        "correct": "488",
        "of": "500",
        "target": "475",
    }


def test_a_failure_prints_its_sentence_and_no_code(run) -> None:
    assert "got 474 of 500 correct, 1 image short, but should be at least 475 of 500 correct [track digits]" in run.text
    assert "def test_quality_target" not in run.text
    assert "warning" not in run.text.lower()

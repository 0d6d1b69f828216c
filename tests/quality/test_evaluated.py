"""Entries judged on published files, from the manifest to the verdict: CIFAR-100 with twelve images, a linear model."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from micronet_verify.checks.judge import judge
from micronet_verify.cli import main
from micronet_verify.evaluation import Bench, Evaluation, evaluate
from micronet_verify.quality import images
from micronet_verify.reports.entry import EntryRecord, Part
from micronet_verify.reports.evidence import evidence
from micronet_verify.reports.junit import junit
from micronet_verify.reports.leaderboard import leaderboard
from micronet_verify.reports.outcomes import exit_code
from micronet_verify.reports.ranking import why_unranked
from tests.quality.published import cifar_images, cifar_pickle, written
from tests.quality.small import small_track

COUNT, WRONG = 12, 2
PIXELS, _, COARSE = cifar_images(COUNT)
FINE = [(7 * place) % 100 for place in range(COUNT)]
MANIFEST = """
schema: 1
title: Linear
team: Linear
members: [{id: ada, name: Ada}]
track: small
framework: onnx
model: model.onnx
preprocessing: mean-and-deviation
submitted: "2019-09-30T17:45:00Z"
"""


def normal() -> np.ndarray:
    planes = PIXELS.reshape(-1, 3, 32, 32).astype(np.float32) / np.float32(255)
    mean, deviation = (np.array(n, np.float32)[:, None, None] for n in ([0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]))
    return ((planes - mean) / deviation).reshape(COUNT, -1)


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear layer that finds every image again (its rows are the images), but for the classes of the last ``WRONG``."""
    folder = tmp_path_factory.mktemp("entry")
    weights = np.zeros((100, 3 * 32 * 32), np.float32)
    weights[FINE] = normal()
    weights[FINE[-WRONG:]] = 0
    nodes = [helper.make_node("Flatten", ["images"], ["flat"]), helper.make_node("Gemm", ["flat", "weights"], ["scores"], transB=1)]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 100])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "model.onnx")
    written(folder / "submission.yaml", MANIFEST.encode())
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    written(tmp_path / "data" / "cifar-100-python" / "test", cifar_pickle(PIXELS, FINE, COARSE))
    return tmp_path / "data"


@pytest.fixture
def judged(tmp_path: Path, entry: Path, root: Path) -> Callable[..., Evaluation]:
    """Evaluates the entry in the track ``small``, which needs 9 of the 12 images."""
    tracks = small_track(tmp_path, correct=9)

    def run(name: str = "work", data: Path | None = root, **settings: Any) -> Evaluation:
        work = tmp_path / name
        work.mkdir(exist_ok=True)
        return evaluate(entry, "linear", Bench(work, (tracks,), data=data, **{"seed": "1f", **settings}))

    return run


def quality(evaluation: Evaluation) -> tuple[str, str]:
    verdict = next(verdict for verdict in judge(evaluation) if verdict.check == "quality")
    return verdict.outcome, verdict.message


def test_an_entry_is_judged_on_published_files(judged: Callable[..., Evaluation]) -> None:
    evaluation = judged()
    assert not evaluation.faults
    assert evaluation.quality is not None
    assert evaluation.quality.value == Fraction(COUNT - WRONG, COUNT)
    assert quality(evaluation) == ("passed", "10 of 12 correct, 1 image above")


def test_inputs_are_in_the_evidence_and_shared(judged: Callable[..., Evaluation]) -> None:
    evaluation = judged()
    assert evaluation.inputs is not None
    held = evidence(evaluation)["inputs"]
    assert held == {
        "examples": COUNT,
        "preprocessing": {
            "name": "mean-and-deviation", "edition": 1, "resize": 0, "interpolation": "bilinear", "crop": 0, "scale": "255",
            "mean": ["5071/10000", "973/2000", "4409/10000"], "deviation": ["2673/10000", "641/2500", "1381/5000"],
            "layout": "channels-first",
        },
        "scaled_by_the_step": False,
        "sha256": evaluation.inputs.sha256,
    }  # fmt: skip
    made = evaluation.inputs.path.stat()
    again = judged("other").inputs
    assert again == evaluation.inputs  # kept between runs, in the operator's cache
    assert again.path.stat().st_mtime_ns == made.st_mtime_ns
    assert made.st_mode & 0o222 == 0


def test_inputs_kept_as_bytes_give_the_same_answers(judged: Callable[..., Evaluation], monkeypatch: pytest.MonkeyPatch) -> None:
    floats = judged()
    assert floats.inputs is not None
    for file in (floats.inputs.path, floats.inputs.path.with_suffix(".json")):
        file.unlink()
    monkeypatch.setattr(images, "FLOAT_LIMIT", 0)
    kept = judged("bytes")
    assert kept.inputs is not None
    assert kept.predictions is not None
    assert floats.predictions is not None
    assert np.load(kept.inputs.path).dtype == np.uint8
    assert kept.predictions.sha256 == floats.predictions.sha256
    assert evidence(kept)["inputs"]["scaled_by_the_step"] is True


def test_missing_data_are_skipped_by_name_and_never_passed(judged: Callable[..., Evaluation], tmp_path: Path) -> None:
    evaluation = judged(data=tmp_path / "gone")
    assert evaluation.faults["predict"].missing
    outcome, message = quality(evaluation)
    assert outcome == "skipped"
    assert message.startswith(f"got the folder of data sets '{tmp_path / 'gone'}' but should be a directory that exists [cifar100]")
    assert evaluation.score is not None  # the rest is judged
    (score,) = (verdict for verdict in judge(evaluation) if verdict.check == "score")
    assert score.outcome == "skipped"


def test_damaged_data_are_the_operators(judged: Callable[..., Evaluation], root: Path) -> None:
    path = root / "cifar-100-python" / "test"
    path.write_bytes(path.read_bytes()[:-100])
    evaluation = judged()
    assert (evaluation.faults["predict"].acts, evaluation.faults["predict"].missing) == ("operator", False)
    outcome, message = quality(evaluation)
    assert outcome == "error"
    assert message.startswith("got a pickle that ends too early but should hold numbers, texts, lists")


def test_a_file_that_the_system_does_not_open(judged: Callable[..., Evaluation], root: Path) -> None:
    path = root / "cifar-100-python" / "test"
    path.unlink()
    path.mkdir()
    (problem,) = judged().faults["predict"].problems
    assert str(problem) == (
        f"got a file of cifar100 that cannot be used (Is a directory) but should be readable, and prepared inputs fit on the disk [{path}]"
    )


def test_the_commands_take_the_folder(judged: Callable[..., Evaluation], entry: Path, root: Path, tmp_path: Path) -> None:
    judged("unused")  # writes the track file
    shared = ["--tracks", str(tmp_path / "tracks"), "--data", str(root)]
    checked = CliRunner().invoke(main, ["check", str(entry), *shared], env={"COLUMNS": "200"})
    assert "10 of 12 correct, 1 image above" in checked.output
    report = tmp_path / "report"
    ran = CliRunner().invoke(main, ["run", str(entry), "--report", str(report), *shared], env={"COLUMNS": "200"})
    assert "10/12" in ran.output
    assert "10 of 12 (1 image above)" in (report / "leaderboard.md").read_text(encoding="utf-8")
    assert CliRunner().invoke(main, ["run", str(entry), "--data", str(root / "gone")]).exit_code == 2


@pytest.mark.parametrize("size", [1, 5])
def test_no_verdict_depends_on_the_size_of_batches(judged: Callable[..., Evaluation], size: int) -> None:
    usual, other = judged(), judged("other", batch_size=size)
    assert usual.predictions is not None
    assert other.predictions is not None
    assert (usual.predictions.batch_size, other.predictions.batch_size) == (32, size)  # 2**19 / (4*3*32*32) = 42.7
    assert quality(usual) == quality(other) == ("passed", "10 of 12 correct, 1 image above")
    told = [[(verdict.check, verdict.outcome, verdict.message) for verdict in judge(found)] for found in (usual, other)]
    assert told[0] == told[1]
    records = [EntryRecord.of(found, judge(found)) for found in (usual, other)]
    assert leaderboard(records[:1]) == leaderboard(records[1:])
    assert evidence(other)["predictions"]["batch_size"] == size


def test_the_first_examples_alone_are_partial_everywhere(judged: Callable[..., Evaluation]) -> None:
    evaluation = judged(limit=11)
    assert not evaluation.faults
    assert evaluation.quality is None
    assert evaluation.partial is not None
    # Of the two images that are missed, one is the last.
    assert evaluation.partial.words == "10 of 11 (partial: 11 of 12)"
    # More are right than the target asks for, and it is neither passed nor failed.
    assert quality(evaluation) == (
        "skipped",
        "10 of 11 (partial: 11 of 12); the target is decided on all examples",
    )
    verdicts = {verdict.check: verdict for verdict in judge(evaluation)}
    assert verdicts["score"].outcome == "skipped"
    assert verdicts["score"].message.startswith("partial: 11 of 12 examples; not ranked; the score is 0.")
    assert verdicts["sealing"].message.startswith("sealed: 11 answers (partial: 11 of 12) by the counted file")
    record = EntryRecord.of(evaluation, list(verdicts.values()))
    assert (record.outcome, record.said, record.quality, record.partial) == (
        "skipped", "partial", None, Part(11, 12, "10 of 11 (partial: 11 of 12)"),
    )  # fmt: skip
    assert exit_code([record]) == 0
    assert why_unranked(record) == "judged in part: 10 of 11 (partial: 11 of 12)"
    board = leaderboard([record])
    assert board.startswith("# Leaderboard (partial: the first examples of a test set)\n")
    assert "No entry ranks." in board
    assert "| judged in part: 10 of 11 (partial: 11 of 12) |" in board
    xml = junit([record])
    assert 'name="partial" value="11/12"' in xml
    assert 'name="quality" value="10 of 11 (partial: 11 of 12)"' in xml
    held = evidence(evaluation)
    assert held["partial"] == {"examples": 11, "of": 12}
    assert (held["inputs"]["examples"], held["predictions"]["examples"]) == (11, 11)
    assert (held["predictions"]["device"], held["predictions"]["batch_size"]) == ("cpu", 32)


@pytest.mark.parametrize("limit", [12, 10_000])
def test_a_limit_of_all_examples_is_official(judged: Callable[..., Evaluation], limit: int) -> None:
    limited, whole = judged(limit=limit), judged("whole")
    assert limited.partial is None
    assert quality(limited) == ("passed", "10 of 12 correct, 1 image above")
    assert evidence(limited) == evidence(whole)
    assert EntryRecord.of(limited, judge(limited)) == EntryRecord.of(whole, judge(whole))


def test_the_inputs_of_a_smoke_run_are_not_those_of_the_next(judged: Callable[..., Evaluation]) -> None:
    first, whole, again = judged(limit=3), judged("whole"), judged("again", limit=3)
    assert first.inputs == again.inputs
    assert whole.inputs is not None
    assert whole.inputs.examples == 12


def test_a_failure_among_the_first_examples_is_one(judged: Callable[..., Evaluation], root: Path) -> None:
    evaluation = judged(limit=3, device="cuda")
    assert evaluation.faults["predict"].acts == "operator"
    assert evaluation.partial is None
    assert quality(evaluation)[0] == "error"


def test_the_commands_take_a_limit(judged: Callable[..., Evaluation], entry: Path, root: Path, tmp_path: Path) -> None:
    judged("unused")  # writes the track file
    shared = ["--tracks", str(tmp_path / "tracks"), "--data", str(root), "--limit", "5"]
    checked = CliRunner().invoke(main, ["check", str(entry), *shared, "--batch-size", "2"], env={"COLUMNS": "200"})
    assert checked.exit_code == 0
    told = " ".join(checked.output.split())
    assert "skipped quality 5 of 5 (partial: 5 of 12); the target is decided on all examples" in told
    assert "Nothing is wrong so far, on 5 of 12 examples. Without --limit the target is decided." in checked.output
    report = tmp_path / "report"
    for columns in ("80", "200"):
        ran = CliRunner().invoke(main, ["run", str(entry), "--report", str(report), *shared], env={"COLUMNS": columns})
        assert ran.exit_code == 0
        assert "1 entry: 1 partial: judged on the first examples only, and not ranked" in ran.output
    assert "5 of 5 (partial: 5 of 12)" in ran.output
    assert (report / "leaderboard.md").read_text(encoding="utf-8").startswith("# Leaderboard (partial: the first examples of a test set)\n")
    held = json.loads((report / entry.name / "evidence.json").read_text(encoding="utf-8"))
    assert held["record"]["partial"] == {"examples": 5, "of": 12, "words": "5 of 5 (partial: 5 of 12)"}
    assert held["predictions"]["batch_size"] == 32


@pytest.mark.parametrize("command", ["check", "run"])
def test_settings_that_cannot_be_are_one_sentence(entry: Path, command: str) -> None:
    for option, value, sentence in (
        ("--limit", "0", "got --limit 0 but should be 1 example or more"),
        ("--batch-size", "-1", "got --batch-size -1 but should be 1 example or more"),
        ("--device", "gpu", "got --device gpu but should be cpu or cuda"),
    ):
        found = CliRunner().invoke(main, [command, str(entry), option, value])
        assert found.exit_code == 2
        assert sentence in found.output

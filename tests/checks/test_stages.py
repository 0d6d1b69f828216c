"""Each stage's fault is told once, by the check it concerns; the others say that they were not reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from micronet_verify.checks.judge import CHECKS, judge
from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation, Fault
from micronet_verify.facts.artifact import Artifact, FileDigest
from micronet_verify.submission.manifest import Source
from tests.checks.facts import MODEL, faulty, small, submission

RULES = {name for name in CHECKS if name.startswith("rule ")}


def by_name(evaluation: Evaluation) -> dict[str, Verdict]:
    return {verdict.check: verdict for verdict in judge(evaluation)}


def outcomes(evaluation: Evaluation, outcome: str) -> set[str]:
    return {verdict.check for verdict in judge(evaluation) if verdict.outcome == outcome}


def test_verdicts_come_in_the_order_of_the_checks() -> None:
    assert [verdict.check for verdict in judge(small())] == list(CHECKS)
    assert list(CHECKS)[:4] == ["manifest", "artifact", "sealing", "operators"]
    assert list(CHECKS)[-3:] == ["claims", "quality", "score"]


def test_a_sound_entry_fails_nothing() -> None:
    assert outcomes(small(), "failed") == outcomes(small(), "error") == set()
    assert {"manifest", "artifact", "sealing", "operators", "proof", "quality", "score"} <= outcomes(small(), "passed")


@pytest.mark.parametrize(
    ("stage", "blamed"),
    [
        ("manifest", "manifest"),
        ("track", "manifest"),
        ("export", "artifact"),
        ("translate", "operators"),
        ("count", "operators"),
        ("predict", "quality"),
        ("prove", "proof"),
        ("quality", "quality"),
    ],
)
def test_one_fault_fails_one_check(stage, blamed) -> None:
    evaluation = faulty(stage, Problem("this", "be that", "conv in stem"))
    assert outcomes(evaluation, "failed") == {blamed}
    assert outcomes(evaluation, "error") == set()
    verdict = by_name(evaluation)[blamed]
    assert verdict.message == "got this but should be that [conv in stem]"
    assert verdict.evidence["acts"] == "entrant"


@pytest.mark.parametrize("acts", ["operator", "organizer"])
@pytest.mark.parametrize(
    ("stage", "blamed"), [("track", "manifest"), ("export", "artifact"), ("translate", "operators"), ("quality", "quality")]
)
def test_a_fault_of_ours_is_an_error_and_no_failure(stage, blamed, acts) -> None:
    evaluation = faulty(stage, acts=acts)
    assert outcomes(evaluation, "error") == {blamed}
    assert outcomes(evaluation, "failed") == set()


def test_every_problem_of_a_fault_is_told() -> None:
    verdict = by_name(faulty("manifest", Problem("a", "be b", "submission.yaml:1"), Problem("c", "be d", "submission.yaml:2")))["manifest"]
    assert verdict.message == "got a but should be b [submission.yaml:1]\ngot c but should be d [submission.yaml:2]"


def test_one_problem_in_many_places_is_one_sentence() -> None:
    problems = [Problem("Det", "have a price", f"Det in {name}") for name in "abcdab"] + [Problem("Inverse", "have a price", "Inverse")]
    assert by_name(faulty("translate", *problems))["operators"].message == (
        "got Det but should have a price [Det in a, Det in b, Det in c and 1 more]\ngot Inverse but should have a price [Inverse]"
    )


@pytest.mark.parametrize(
    ("stage", "checks"),
    [
        ("manifest", {"artifact", "sealing", "operators", "proof", "claims", "quality", "score", *RULES}),
        ("export", {"sealing", "operators", "proof", "quality", "score", *RULES}),
        ("translate", {"sealing", "proof", "score", *RULES}),
        ("count", {"proof", "score", *RULES}),
        ("predict", {"sealing", "proof", "score"}),
        ("quality", {"score"}),
    ],
)
def test_later_checks_name_the_stage(stage, checks) -> None:
    evaluation = faulty(stage)
    blocked = {check for check, verdict in by_name(evaluation).items() if verdict.message == f"not reached: the {stage} stage failed"}
    assert blocked == checks
    assert blocked <= outcomes(evaluation, "skipped")


def test_a_missing_data_set_is_skipped_by_name_and_ranks_nobody() -> None:
    evaluation = faulty(
        "predict", Problem("the data set 'cifar100', which this version cannot read", "be digits"), acts="operator", missing=True
    )
    verdicts = by_name(evaluation)
    assert verdicts["quality"].outcome == "skipped"
    assert verdicts["quality"].message == "got the data set 'cifar100', which this version cannot read but should be digits"
    assert (verdicts["score"].outcome, verdicts["score"].message) == ("skipped", "not reached: the predict stage has no data")
    assert outcomes(evaluation, "failed") == outcomes(evaluation, "error") == set()
    assert verdicts["operators"].outcome == "passed"


@pytest.mark.parametrize("where", ["model.onnx", "model.onnx:12", "stage translate", "", "the model's inputs", "initializer 'w'"])
def test_a_file_that_cannot_be_read_fails_as_an_artifact(where) -> None:
    evaluation = faulty("translate", Problem("a file that ends early", "be whole", where))
    assert outcomes(evaluation, "failed") == {"artifact"}
    assert by_name(evaluation)["operators"].message == "not reached: the model file could not be read"


def test_an_operator_at_its_place_makes_it_the_operators_failure() -> None:
    evaluation = faulty("translate", Problem("a file", "be whole", "model.onnx"), Problem("Det", "have a price", "Det in head"))
    assert outcomes(evaluation, "failed") == {"operators"}


def test_one_defect_that_stops_reading_and_running_fails_once() -> None:
    evaluation = faulty("translate", Problem("a cut-off file", "be whole", "model.onnx"))
    run = Fault("entrant", (Problem("an archive that does not load", "load"),))
    evaluation = replace(evaluation, faults={**evaluation.faults, "predict": run}, predictions=None, quality=None)
    assert outcomes(evaluation, "failed") == {"artifact"}
    quality = by_name(evaluation)["quality"]
    assert quality.outcome == "skipped"
    assert quality.message == (
        "not reached: the translate stage failed, and the predict stage too: got an archive that does not load but should load"
    )


def test_one_sentence_of_two_stages_is_printed_once() -> None:
    defect = Problem("the operator acme.free", "be an operator that this counter can price", "acme.free in 0")
    run = Fault("entrant", (replace(defect, where="acme.free"), Problem("a second thing", "not be")))
    evaluation = faulty("translate", defect)
    evaluation = replace(evaluation, faults={**evaluation.faults, "predict": run}, predictions=None, quality=None)
    verdicts = by_name(evaluation)
    assert verdicts["operators"].message == str(defect)
    assert verdicts["quality"].message == (
        "not reached: the translate stage failed, and the predict stage too: got a second thing but should not be"
    )


@pytest.mark.parametrize("where", ["tensor 'conv.weight'", "initializer 'w'", "sparse initializer 'w'", "model.onnx"])
def test_a_tensor_that_cannot_be_read_is_the_artifacts_defect(where: str) -> None:
    assert outcomes(faulty("translate", Problem("a tensor of another size", "fit", where)), "failed") == {"artifact"}


def test_notes_about_the_file_are_shown() -> None:
    sound = small()
    assert sound.graph is not None
    evaluation = replace(sound, graph=replace(sound.graph, notes=("The file declares 'c' as (7), and it is (1, 3).",)))
    assert by_name(evaluation)["artifact"].outcome == "passed"
    assert by_name(evaluation)["artifact"].message.endswith("\nThe file declares 'c' as (7), and it is (1, 3).")


def test_quality_is_answered_although_an_operator_has_no_price() -> None:
    verdicts = by_name(faulty("translate", Problem("Det", "have a price", "Det in head")))
    assert (verdicts["quality"].outcome, verdicts["quality"].message) == ("passed", "490 of 500 correct, 15 images above")


@pytest.mark.parametrize("lost", ["submission", "artifact", "predictions", "count", "quality", "score"])
def test_a_result_that_is_missing_without_a_fault_is_an_error_of_ours(lost) -> None:
    errors = outcomes(small(**{lost: None}), "error")
    assert errors
    sentences = {by_name(small(**{lost: None}))[check].message for check in errors}
    assert all("and no stage that failed but should be one or the other (please report it)" in sentence for sentence in sentences)


def test_manifest_and_artifact_say_what_was_handed_in() -> None:
    verdicts = by_name(small())
    assert verdicts["manifest"].message == "Some Team: A small network, in the track digits; 1 file named"
    assert verdicts["artifact"].message == "model.onnx, as handed in: 1,234 bytes, SHA-256 abababababab…"
    source = small(submission=submission(model=None, source=Source("model.py:build", "model.safetensors")))
    assert by_name(source)["artifact"].message == "model.onnx, exported from model.py:build: 1,234 bytes, SHA-256 abababababab…"


def test_operators_are_counted_by_name() -> None:
    verdict = by_name(small())["operators"]
    assert verdict.message == "2 operators, every one with a price: 1 conv, 1 elementwise"
    assert verdict.evidence == {"operators": 2, "kinds": 2}


def test_sealing_binds_what_answered_to_what_was_counted() -> None:
    verdict = by_name(small())["sealing"]
    assert verdict.message == "sealed: 500 answers by the counted file, SHA-256 abababababab…"
    assert verdict.evidence["trust"] == "sealed"


def test_sealing_refuses_answers_of_another_file() -> None:
    found = small()
    assert found.predictions is not None
    other = replace(found, predictions=replace(found.predictions, artifact_sha256="99" * 32))
    assert outcomes(other, "failed") == {"sealing"}
    assert by_name(other)["sealing"].message == (
        "got predictions of the artifact 999999999999… but should be of abababababab…, which was counted [model.onnx]"
    )
    assert by_name(other)["score"].message.startswith("not ranked: the check 'sealing' did not pass; the score would be ")


def test_sealing_refuses_files_that_were_not_handed_in() -> None:
    changed = FileDigest("model.onnx", "77" * 32, 1234)
    found = small(submission=submission(files=(changed,)))
    assert by_name(found)["sealing"].message == "got SHA-256 abababababab… but should be 777777777777… as handed in [model.onnx]"
    weights = FileDigest("weights.bin", "88" * 32, 10)
    found = small()
    assert found.predictions is not None
    assert found.artifact is not None
    more = Artifact(found.artifact.root, "model.onnx", (MODEL, weights))
    found = replace(found, artifact=more, predictions=replace(found.predictions, artifact_sha256=more.sha256))
    message = by_name(found)["sealing"].message
    assert message == "got a file 'weights.bin' in the artifact but should be one that the manifest names [weights.bin]"


def test_an_exported_artifact_is_not_among_the_named_files() -> None:
    source = submission(model=None, source=Source("model.py:build", "w.safetensors"), files=(FileDigest("model.py", "11" * 32, 5),))
    assert by_name(small(submission=source))["sealing"].outcome == "passed"

"""pytest's own options over a folder of entries: only what is selected is judged, once, and the verdicts stay the same."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.suite.conftest import SUITE, entry_like, refused

# Two runs that are compared sample alike.
SEED = ("--seed", "5eed")
HONEST = ["honest/first", "honest/second"]


def test_deselected_entries_are_never_judged(judged, entries) -> None:
    run = judged(entries, "-k", "first or truncated", "--report", "report")
    assert run.code == 1, run.text
    assert sorted(run.notes) == ["honest/first", "truncated"]
    assert run.named("failed") == {"test_artifact[truncated]"}
    assert not (run.folder / "report" / "refused").exists()


def test_a_leaderboard_of_some_entries_says_so(judged, entries) -> None:
    """Whatever kept the others out; and a complete one says nothing."""
    for options, first in (
        (["-k", "first"], "# Leaderboard (partial: 1 of 5 entries)"),
        (["--entry", "honest/*"], "# Leaderboard (partial: 2 of 5 entries)"),
        (["-n", "2", "-k", "refused"], "# Leaderboard (partial: 2 of 5 entries)"),
        (["-k", "manifest"], "# Leaderboard"),
    ):
        run = judged(entries, *options, "--report", "report")
        assert (run.folder / "report" / "leaderboard.md").read_text().splitlines()[0] == first


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_a_limit_leaves_quality_and_score_open(judged, entries, workers) -> None:
    run = judged(entries, "--entry", "honest/*", "--limit", "20", "--judge-batch-size", "8", "--report", "report", *workers)
    assert run.code == 0, run.text
    assert run.named("failed") == set()
    for id in HONEST:
        outcome, message = run.tests[f"test_quality_target[{id}]"]
        assert outcome == "skipped"
        assert message.endswith(" of 20 (partial: 20 of 500); the target is decided on all examples")
        assert run.tests[f"test_final_score[{id}]"][1].startswith("partial: 20 of 500 examples; not ranked; the score is 0.1127")
        held = json.loads((run.folder / "report" / id / "evidence.json").read_text())
        assert held["partial"] == {"examples": 20, "of": 500}
        assert (held["predictions"]["batch_size"], held["predictions"]["device"]) == (8, "cpu")
    board = (run.folder / "report" / "leaderboard.md").read_text()
    assert board.startswith("# Leaderboard (partial: 2 of 5 entries, the first examples of a test set)\n")
    assert "No entry ranks." in board


def test_entry_takes_globs(judged, entries) -> None:
    run = judged(entries, "--entry", "a-*", "--entry", "ref*", "-k", "manifest")
    assert set(run.tests) == {"test_manifest[a-refused]", "test_manifest[refused]"}
    sentence = (
        "got track: 'digit' but should be one of cifar100, digits, imagenet, tales, wikitext103 [submission.yaml:5] "
        "(did you mean 'digits'?)"
    )
    assert run.tests["test_manifest[refused]"] == ("failed", f"Failed: {sentence}")


def test_stopping_at_the_first_failure_drops_what_waits(judged, entries) -> None:
    run = judged(entries, "-x", "--judges", "1", "--report", "report")
    assert run.code == 1
    assert run.named("failed") == {"test_manifest[a-refused]"}
    assert len(run.tests) == 1
    assert "truncated" not in run.notes
    assert not (run.folder / "report" / "honest" / "second").exists()
    assert (run.folder / "report" / "a-refused" / "evidence.json").exists()


def test_last_failed_judges_only_the_entries_that_failed(judged, entries) -> None:
    first = judged(entries, "-k", "first or refused")
    assert first.named("failed") == {"test_manifest[a-refused]", "test_manifest[refused]"}
    shutil.copy(entries / "honest" / "first" / "submission.yaml", entries / "refused" / "submission.yaml")
    shutil.copy(entries / "honest" / "first" / "model.onnx", entries / "refused" / "model.onnx")
    again = judged(entries, "--lf")
    assert set(again.tests) == {"test_manifest[a-refused]", "test_manifest[refused]"}
    assert again.named("passed") == {"test_manifest[refused]"}
    assert sorted(again.notes) == ["a-refused", "refused"]


def test_workers_share_the_entries_and_judge_each_once(judged, entries) -> None:
    alone, shared = judged(entries, "--report", "alone", *SEED), judged(entries, "--report", "shared", "-n", "2", *SEED)
    assert shared.code == alone.code == 1, shared.text
    assert sorted(shared.notes) == sorted(alone.notes) == ["a-refused", *HONEST, "refused", "truncated"]
    assert shared.tests == alone.tests
    for name in ("leaderboard.md", "junit.xml", "honest/first/ledger.csv"):
        assert (shared.folder / "shared" / name).read_bytes() == (alone.folder / "alone" / name).read_bytes()


def test_workers_take_over_the_seed_of_the_run(judged, entries) -> None:
    run = judged(entries, "--report", "report", "-n", "2")
    kept = {json.loads(path.read_text())["seed"] for path in (run.folder / "report").rglob("evidence.json")}
    assert len(kept) == 1
    assert f"seed: {kept.pop()}" in run.text


def test_workers_stop_at_the_first_failure_too(judged, entries) -> None:
    run = judged(entries, "-x", "-n", "2", "--report", "report")
    assert run.code in (1, 2)
    assert "stopping after 1 failures" in run.text
    assert len(run.notes) < 5


def test_last_failed_knows_what_workers_found(judged, entries) -> None:
    judged(entries, "-n", "2", "-k", "refused")
    again = judged(entries, "--lf")
    assert set(again.tests) == {"test_manifest[a-refused]", "test_manifest[refused]"}


def test_one_entry_changes_no_verdict_of_another(judged, tmp_path) -> None:
    root = tmp_path / "entries"
    entry_like("digits/pruned-onnx", root / "honest")
    before = judged(root, "--report", "before", *SEED)
    entry_like("broken/crashes-on-import", root / "a-crash")
    refused(root / "refused")
    after = judged(root, "--report", "after", *SEED)
    assert after.named("failed") == {"test_artifact[a-crash]", "test_manifest[refused]"}
    assert {name: told for name, told in after.tests.items() if "[honest" in name} == before.tests
    records = [json.loads((after.folder / name / "honest" / "evidence.json").read_text()) for name in ("before", "after")]
    assert records[0] == records[1]


def test_a_fault_of_ours_is_an_error_and_no_failure(judged, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MICRONET_WITHOUT", "tensorflow")
    entry = entry_like("digits/pruned-onnx", tmp_path / "entries" / "other-framework")
    manifest = entry / "submission.yaml"
    manifest.write_text(manifest.read_text().replace("framework: onnx", "framework: tensorflow"))
    run = judged(tmp_path / "entries")
    assert run.code == 1
    assert run.named("error") == {"test_artifact[other-framework]"}
    assert run.named("failed") == set()
    assert "got framework 'tensorflow' without its plugin but should be installed" in run.tests["test_artifact[other-framework]"][1]
    assert run.tests["test_quality_target[other-framework]"] == ("skipped", "not reached: the export stage failed")


def test_an_entry_alone_is_a_folder_of_submissions(judged, entries) -> None:
    run = judged(entries / "refused", "-k", "manifest")
    assert set(run.tests) == {"test_manifest[refused]"}


def test_names_in_other_letters_are_judged_by_one_worker(judged, tmp_path) -> None:
    root = tmp_path / "entries"
    for name in ("größe", "größe-S3", "a b"):
        refused(root / name)
    run = judged(root, "-n", "2")
    assert sorted(run.notes) == sorted(["größe", "größe-S3", "a", "b"])
    assert len(run.named("failed")) == 3


def test_organizers_add_cases_of_their_own(judged, entries, tmp_path) -> None:
    (tmp_path / "desk" / "test_ours.py").write_text(
        """
import pytest
from micronet_verify.suite.settle import require

def test_team_is_known(evaluation):
    require(evaluation, "manifest")
    assert evaluation.submission.manifest.team != "Nobody"

def test_quality_has_room(entry, verdicts):
    assert entry.startswith("honest")
    assert verdicts["quality"].evidence["correct"] - verdicts["quality"].evidence["target"] >= 10

@pytest.mark.verdict("score")
def test_score_is_sealed(verdict, evaluation):
    assert evaluation.predictions.artifact_sha256 == evaluation.artifact.sha256

def test_nothing_about_entries():
    assert True
"""
    )
    run = judged(entries, "--entry", "honest/first", "--entry", "refused", "--strict-markers", paths=[*SUITE, "test_ours.py"])
    assert run.notes.count("honest/first") == 1
    ours = {name: outcome for name, (outcome, _) in run.tests.items() if "test_team" in name or "room" in name or "score_is" in name}
    assert ours == {
        "test_team_is_known[honest/first]": "passed",
        "test_team_is_known[refused]": "failed",
        "test_quality_has_room[honest/first]": "passed",
        "test_quality_has_room[refused]": "failed",
        "test_score_is_sealed[honest/first]": "passed",
        "test_score_is_sealed[refused]": "skipped",
    }
    assert run.tests["test_nothing_about_entries"][0] == "passed"
    assert "test_final_score[honest/first]" in run.named("passed")

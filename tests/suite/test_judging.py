"""The pool that judges, and who gets which case under xdist; without any child process."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.submission.directory import EntryPath
from micronet_verify.suite import judging
from micronet_verify.suite.judging import Judge
from micronet_verify.suite.schedule import EntryScheduling, escaped
from micronet_verify.suite.settle import assert_passed, require
from tests.checks.facts import faulty, small


@pytest.fixture
def stubbed(monkeypatch, tmp_path):
    """A judge of entries a, b, c whose evaluations wait for ``go`` and note themselves in ``seen``."""
    go, seen, started = threading.Event(), [], threading.Semaphore(0)

    def evaluate(path, id, bench, progress):
        seen.append(id)
        started.release()
        bench.folder(id).mkdir(parents=True)
        progress(id, "manifest")
        assert go.wait(30)
        return small(id=id)

    monkeypatch.setattr(judging, "evaluate", evaluate)
    told = []
    judge = Judge([EntryPath(id, tmp_path / id) for id in "abc"], [], tmp_path / "report", 1, lambda *event: told.append(event))
    yield SimpleNamespace(judge=judge, go=go, seen=seen, started=started, told=told, report=tmp_path / "report")
    go.set()
    judge.stop()


def test_an_entry_is_judged_once_until_it_is_released(stubbed) -> None:
    stubbed.go.set()
    stubbed.judge.start("ab")
    first = stubbed.judge.result("a")
    assert stubbed.judge.result("a") is first
    assert stubbed.judge.result("b").evaluation.id == "b"
    assert stubbed.seen == ["a", "b"]
    folder = stubbed.judge._bench.folder("a")
    assert folder.exists()
    stubbed.judge.release("a")
    assert not folder.exists()
    stubbed.judge.result("a")
    assert stubbed.seen == ["a", "b", "a"]


def test_inputs_of_all_entries_are_begun_before_their_turn(stubbed, monkeypatch) -> None:
    looked, all_three = [], threading.Event()

    def prepare_for(path, bench):
        looked.append(path.name)
        if len(looked) == 3:
            all_three.set()

    monkeypatch.setattr(judging, "prepare_for", prepare_for)
    stubbed.judge.start("abc")
    assert all_three.wait(30)  # while the first entry is still at work
    assert looked == ["a", "b", "c"]
    assert len(stubbed.seen) <= 1


def test_asking_is_starting(stubbed) -> None:
    stubbed.go.set()
    assert stubbed.judge.result("c").verdicts["score"].outcome == "passed"
    assert stubbed.seen == ["c"]


def test_evidence_is_written_and_progress_told(stubbed) -> None:
    stubbed.go.set()
    record = stubbed.judge.result("a").record
    assert [(entry, stage) for entry, stage, _ in stubbed.told] == [("a", "manifest"), ("a", "done")]
    assert stubbed.told[-1][2] is record
    assert (stubbed.report / "a" / "evidence.json").exists()
    assert stubbed.judge.records == {"a": record}


def test_stopping_drops_what_waits_and_writes_nothing_of_what_was_cut_off(stubbed) -> None:
    stubbed.judge.start("abc")
    assert stubbed.started.acquire(timeout=30)
    stopping = threading.Thread(target=stubbed.judge.stop)
    stopping.start()
    assert stubbed.judge._stopped.wait(30)
    stubbed.go.set()
    stopping.join(30)
    assert not stopping.is_alive()
    assert stubbed.seen == ["a"]
    assert stubbed.judge.records == {}
    assert not stubbed.report.exists()
    assert not stubbed.judge._work.exists()


def test_what_judging_raises_reaches_who_asks(stubbed, monkeypatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(judging, "write_entry", full)
    stubbed.go.set()
    with pytest.raises(OSError, match="No space left"):
        stubbed.judge.result("a")


@pytest.mark.parametrize(
    ("case", "owner"),
    [
        ("suite/test_score.py::test_final_score[a]", "a"),
        ("suite/test_score.py::test_final_score[a-S3]", "a-S3"),
        ("suite/test_counting_rules.py::test_counting_rule[a-S3]", "a"),
        ("suite/test_counting_rules.py::test_counting_rule[a-S3-S3]", "a-S3"),
        ("suite/test_score.py::test_final_score[team/a@b [1]]", "team/a@b [1]"),
        ("suite/test_score.py::test_final_score[gr\\xf6\\xdfe]", "gr\\xf6\\xdfe"),
        ("test_ours.py::test_ours[a-S3-more]", "a-S3"),
        ("test_ours.py::test_ours[b]", "test_ours.py"),
        ("test_ours.py::test_ours", "test_ours.py"),
    ],
)
def test_cases_of_one_entry_belong_together(case, owner) -> None:
    scheduling = EntryScheduling.__new__(EntryScheduling)
    scheduling._ids = escaped(["a", "a-S3", "team/a@b [1]", "größe"])
    assert scheduling._split_scope(case) == owner


def test_helpers_for_cases() -> None:
    assert_passed(Verdict("quality", "passed"))
    with pytest.raises(pytest.fail.Exception, match=r"^got this but should be that$"):
        assert_passed(Verdict("quality", "failed", "got this but should be that\x1b"))
    require(small(), "count", "quality")
    with pytest.raises(pytest.skip.Exception, match="not reached: the predict stage gave no result"):
        require(faulty("predict"), "quality")

"""What the organizer must mend ends the run with code 4 and a sentence, before anything is judged."""

from __future__ import annotations

import pytest

# Loaded here once, so that the runs inside this process find it and do not load it again.
import micronet_verify.suite.stash
from tests.suite.conftest import SUITE, refused

pytest_plugins = ["pytester"]


@pytest.fixture
def desk(pytester):
    """A folder to start from: an empty folder, one with an entry, and one with a track file that is wrong."""
    (pytester.path / "empty").mkdir()
    refused(pytester.path / "some" / "entry")
    (pytester.path / "tracks").mkdir()
    (pytester.path / "tracks" / "broken.yaml").write_text("schema: 1\nname: other\n")
    pytester.makeini("[pytest]")
    return pytester


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--submissions", "nowhere"], "got the folder of submissions 'nowhere' but should be a directory that exists"),
        (["--submissions", "empty"], "got no entry in empty but should be at least one folder with a submission.yaml"),
        (["--submissions", "some", "--entry", "x*", "--entry", "y"], "got no entry that matches x* or y in some but should be"),
        (["--submissions", "some", "--tracks", "none"], "got the folder of tracks 'none' but should be a directory that exists"),
        (["--submissions", "some", "--tracks", "tracks"], "but should be 'broken', as the file is [broken.yaml:2]"),
        (["--submissions", "some", "--report", "some/entry/report"], "some/entry/report' but should lie outside of the entries"),
        (["--submissions", "some", "--report", "some/entry"], "some/entry' but should lie outside of the entries"),
        (["--submissions", "some", "--report", "some"], "some' but should lie outside of the entries"),
        (["--submissions", "some", "--limit", "0"], "got --limit 0 but should be 1 example or more"),
        (["--submissions", "some", "--judge-batch-size", "-1"], "got --judge-batch-size -1 but should be 1 example or more"),
        (["--submissions", "some", "--judge-device", "tpu"], "got --judge-device tpu but should be cpu or "),
        ([], "got no --submissions but should name the folder of entries to judge (--submissions DIR)"),
    ],
    ids=[
        "nowhere",
        "empty",
        "no-match",
        "no-tracks",
        "broken-track",
        "report-in-entry",
        "report-on-entry",
        "report-on-all",
        "limit",
        "batch-size",
        "device",
        "no-submissions",
    ],
)
def test_a_mistake_of_the_organizer_ends_the_run(desk, options, sentence) -> None:
    result = desk.runpytest_inprocess(*SUITE, "-c", "tox.ini", "-p", "no:cacheprovider", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert sentence in text
    assert "Traceback" not in text
    assert not list(desk.path.rglob("evidence.json"))


def test_collecting_judges_nothing(desk) -> None:
    options = ["--submissions", "some", "--report", "report", "-c", "tox.ini", "--collect-only", "-q", "-p", "no:cacheprovider"]
    result = desk.runpytest_inprocess(*SUITE, *options)
    assert result.ret == 0
    cases = result.stdout.str()
    for case in ("test_manifest[entry]", "test_quality_target[entry]", "test_counting_rule[entry-S3]"):
        assert f"::{case}\n" in cases
    assert cases.index("test_manifest[entry]") < cases.index("test_counting_rule[entry-S1]") < cases.index("test_final_score[entry]")
    assert not (desk.path / "report").exists()


def test_a_verdict_needs_its_mark(desk) -> None:
    desk.makepyfile(test_ours="def test_ours(verdict):\n    pass\n")
    result = desk.runpytest_inprocess("test_ours.py", "--submissions", "some", "-c", "tox.ini", "-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["got a test without the mark verdict(name) but should have one to use this fixture"])
    assert micronet_verify.suite.stash.CASES is not None

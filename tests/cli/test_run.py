"""``run``: real folders in processes of their own, with their exit codes, reports and progress."""

from __future__ import annotations

import functools
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import SAMPLES, shell


@pytest.fixture(scope="session")
def submissions(tmp_path_factory) -> Path:
    """Two good entries, one that cannot be read, and one whose manifest has nearly the right name."""
    folder = tmp_path_factory.mktemp("submissions")
    for id in ("digits/dense-onnx", "digits/pruned-onnx", "broken/truncated-onnx"):
        shutil.copytree(SAMPLES / id, folder / id)
    (folder / "digits/renamed").mkdir()
    (folder / "digits/renamed/submission.yml").write_text("schema: 1\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def judged(submissions, tmp_path_factory):
    """(the finished run, its report folder)."""
    report = tmp_path_factory.mktemp("reports") / "report"
    return shell("run", submissions, "--report", report), report


def test_a_failed_entry_gives_1_and_every_entry_stands_in_the_table(judged):
    found, _ = judged
    assert found.returncode == 1
    rows = [line.split() for line in found.stdout.splitlines()]
    assert ["1", "digits/pruned-onnx", "passed", "0.1128", "0.0752", "0.0376", "488/500", "+13", "freebie"] in rows
    assert ["2", "digits/dense-onnx", "passed", "1.2482", "0.5000", "0.7482", "496/500", "+21", "freebie"] in rows
    assert ["broken/truncated-onnx", "failed", "–", "–", "–", "–", "–"] in rows
    assert "failed artifact got a file that ends inside the " in " ".join(found.stdout.split())
    assert "3 entries: 2 passed, 1 failed" in found.stdout


def test_a_manifest_by_nearly_the_right_name_does_not_vanish_without_a_word(judged):
    found, _ = judged
    said = "got the file 'digits/renamed/submission.yml', which was not judged, but should be called submission.yaml"
    assert said in " ".join(found.stdout.split())


def test_reports_are_where_it_says(judged):
    found, report = judged
    assert found.stdout.endswith(f"Reports:\n  {report}/leaderboard.md\n  {report}/junit.xml\n")
    root = ElementTree.parse(report / "junit.xml").getroot()
    assert [suite.get("name") for suite in root] == ["broken/truncated-onnx", "digits/dense-onnx", "digits/pruned-onnx"]
    assert "| 1 | Sparse Matters | A small network, pruned (digits/pruned-onnx) | 0.112794 |" in (report / "leaderboard.md").read_text()
    assert (report / "digits/dense-onnx/ledger.csv").is_file()
    assert (report / "broken/truncated-onnx/evidence.json").is_file()
    assert not (report / "broken/truncated-onnx/ledger.csv").exists()


def test_without_a_terminal_there_are_lines_and_no_codes(judged):
    found, _ = judged
    assert sorted(re.sub(r"\[./3\] ", "", line) for line in found.stderr.splitlines()) == [
        "failed  broken/truncated-onnx",
        "passed  digits/dense-onnx",
        "passed  digits/pruned-onnx",
    ]
    assert [line[:5] for line in found.stderr.splitlines()] == ["[1/3]", "[2/3]", "[3/3]"]
    assert not any(ord(char) < 32 and char != "\n" for char in found.stdout + found.stderr)
    assert max(map(len, found.stdout.splitlines()[:-2])) <= 80  # the last two are paths, in one piece


def test_a_second_run_writes_the_same_bytes(judged, submissions, tmp_path):
    _, report = judged
    seed = json.loads((report / "digits/dense-onnx/evidence.json").read_text())["seed"]
    assert shell("run", submissions, "--report", tmp_path / "again", "-n", "1", "--seed", seed).returncode == 1
    names = [path.relative_to(report) for path in report.rglob("*") if path.is_file() and ".pytest_cache" not in path.parts]
    assert len(names) == 2 + 3 + 2
    for name in names:
        assert (report / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_the_seed_is_shown_and_drawn_anew_for_each_run(judged, submissions, tmp_path):
    """A11: what is sampled cannot be known before hand-in."""
    found, report = judged
    seed = json.loads((report / "digits/dense-onnx/evidence.json").read_text())["seed"]
    assert re.fullmatch(r"[0-9a-f]{32}", seed)
    assert f"Seed of this run: {seed} (--seed repeats it)." in found.stdout
    assert f"Seed of this run: {seed} (`--seed` repeats it)." in (report / "leaderboard.md").read_text()
    other = shell("run", submissions / "broken/truncated-onnx", "--report", tmp_path / "other")
    assert other.returncode == 1
    assert seed not in next((tmp_path / "other").rglob("evidence.json")).read_text()
    wrong = shell("run", submissions, "--report", tmp_path / "wrong", "--seed", "0x12")
    assert wrong.returncode == 2
    assert "got --seed '0x12' but should be 1 to 64 hexadecimal digits" in wrong.stderr


def test_all_passed_gives_0_and_reports_go_to_the_current_folder(submissions, tmp_path):
    found = shell("run", submissions / "digits/pruned-onnx", cwd=tmp_path)
    assert found.returncode == 0
    assert "1 entry: 1 passed" in found.stdout
    assert (tmp_path / "report/pruned-onnx/ledger.csv").is_file()


def test_only_chosen_entries_and_cases_decide(cli, submissions, tmp_path):
    result = cli("run", submissions, "--report", tmp_path, "--entry", "digits/d*")
    assert result.exit_code == 0
    assert "1 entry: 1 passed" in result.stdout
    # The unreadable entry passes its manifest's case.
    result = cli("run", submissions, "--report", tmp_path, "-k", "manifest and truncated")
    assert result.exit_code == 0
    result = cli("run", submissions, "--report", tmp_path, "-k", "nothing")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: got -k 'nothing', which matches no case but should match one, such as -k quality\n")


def test_x_stops_at_the_first_failure(submissions, tmp_path):
    found = shell("run", submissions, "--report", tmp_path / "r", "-x", "-n", "1")
    assert found.returncode == 1
    assert "were not judged in this run." in found.stdout


def test_limits_can_be_lifted(entry, tmp_path):
    entry("digits/dense-pytorch")
    tracks = tmp_path / "tracks"
    tracks.mkdir()
    text = (SAMPLES.parent / "track_specs/digits.yaml").read_text()
    # PyTorch alone takes more than 64 MiB.
    (tracks / "digits.yaml").write_text(re.sub("predict:.*", "predict: {seconds: 60, memory_mib: 64}", text))
    arguments = ["run", tmp_path / "entries", "--tracks", tracks, "--report", tmp_path / "r"]
    found = shell(*arguments)
    assert found.returncode == 3
    assert "got a predict step that held more than 67.11 MB of memory" in found.stdout
    found = shell(*arguments, "--no-limits")
    assert found.returncode == 0
    assert "The tracks' limits of time and memory were lifted in this run." in found.stderr


def test_a_broken_track_file_gives_4_before_anything_is_judged(submissions, tmp_path):
    tracks = tmp_path / "tracks"
    tracks.mkdir()
    (tracks / "mine.yaml").write_text("schema: 1\nname: mine\ntitel: x\n")
    found = shell("run", submissions, "--tracks", tracks, "--report", tmp_path / "r")
    assert (found.returncode, found.stdout) == (4, "")
    assert "Error: got the unknown key 'titel' but should be one of" in found.stderr
    assert "did you mean 'title'?" in found.stderr
    assert "[1/3]" not in found.stderr


def test_an_operators_fault_gives_3_and_the_other_entries_their_verdicts(entry, tmp_path, without):
    without("tensorflow")
    entry("digits/pruned-onnx", "good")
    entry("digits/dense-onnx", "lost", framework="tensorflow", model="model.onnx")
    found = shell("run", tmp_path / "entries", "--report", tmp_path / "r")
    assert found.returncode == 3
    assert "2 entries: 1 passed, 1 could not be judged" in found.stdout
    assert "pip install 'micronet-verify-tensorflow[tensorflow]'" in " ".join(found.stdout.split())


def test_a_missing_data_set_is_no_pass(entry, tmp_path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder = entry("digits/pruned-onnx", "small", track="cifar100")
    import numpy as np

    weight = numpy_helper.from_array(np.full((100, 3), 0.5, np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("Gemm", ["f", "w"], ["y"], transB=1),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 100])],
        [weight],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "model.onnx")
    found = shell("run", tmp_path / "entries", "--report", tmp_path / "r")
    assert found.returncode == 3
    assert "1 entry: 1 not judged to the end" in found.stdout
    assert "cifar100" in (tmp_path / "r" / "leaderboard.md").read_text()
    assert "No entry ranks." in (tmp_path / "r" / "leaderboard.md").read_text()


def test_on_a_terminal_progress_is_live_and_the_table_stays_plain_in_a_pipe(submissions, tmp_path):
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "micronet_verify.cli",
        "run",
        str(submissions),
        "--report",
        str(tmp_path / "r"),
        "--entry",
        "digits/d*",
    ]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True) as run:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
        told = run.stdout.read()
    os.close(ours)
    assert run.returncode == 0
    assert "judging entries" in seen.decode()
    assert "digits/dense-onnx: " in seen.decode()
    assert "\x1b" not in told


def test_interrupted_it_says_so_and_shows_what_was_judged(submissions, tmp_path):
    command = [sys.executable, "-m", "micronet_verify.cli", "run", str(submissions), "--report", str(tmp_path / "r"), "-n", "1"]
    # A shell that starts the tests in the background leaves interrupts ignored, and children inherit that.
    listening = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listening) as run:
        first = run.stderr.readline()
        run.send_signal(signal.SIGINT)
        told, errors = run.communicate(timeout=120)
    assert first.startswith("[1/3] ")
    assert run.returncode == 130
    assert "Interrupted: what was judged until then follows." in errors
    assert "Traceback" not in errors
    assert "were not judged in this run." in told

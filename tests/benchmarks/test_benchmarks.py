"""Each benchmark runs on something tiny and prints a ratio, or says why it could not; no time is asserted."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.figures import Limit, Row
from benchmarks.harness import Measurement, NotMeasured, Program, Sample, Task, interleaved, measure

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_a_tiny_network_and_prints_a_ratio(name: str, tmp_path: Path) -> None:
    if name == "tflite":
        pytest.importorskip("ai_edge_litert")
        if importlib.util.find_spec("tensorflow") is None:
            pytest.skip("TensorFlow is not installed")
    file = tmp_path / "figures.json"
    argv = [sys.executable, "-m", "benchmarks", name, "--tiny", "--repeats", "1", "--json", str(file)]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    measured = [row for row in rows if row["ratio"]]
    assert measured
    assert all(row["ours"] is not None for row in rows), done.stdout
    assert all(row["theirs"] is not None or row["note"] for row in rows if row["beside"]), done.stdout
    for row in measured:
        assert re.search(rf"{re.escape(row['subject'])} .*{re.escape(row['beside'])} .* {row['ratio']:.2f} ", done.stdout), done.stdout


def test_contenders_take_turns_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def noting(letter: str, code: int = 0) -> Program:
        script = f"open({str(log)!r}, 'a').write({letter!r}); print('word of {letter}'); raise SystemExit({code})"
        return Program((sys.executable, "-c", script))

    found = interleaved({"a": noting("a"), "b": noting("b", 3), "c": noting("c")}, 3)
    assert log.read_text() == "abc" + "ac" + "ac"
    assert [len(found[name].samples) for name in "abc"] == [3, 0, 3]
    assert found["b"].reason == "exit code 3: word of b"
    assert found["b"].seconds is None


def test_medians() -> None:
    found = Measurement(tuple(Sample(seconds, seconds / 2, int(seconds) * 10, {"x": seconds}) for seconds in (5.0, 1.0, 2.0)))
    assert (found.seconds, found.cpu, found.peak, found.figure("x"), found.figure("y")) == (2.0, 1.0, 20, 2.0, None)


def test_memory_is_what_the_work_takes_beyond_its_preparation() -> None:
    """The task prepares 64 MB and its work touches 32 MB more."""
    sample = measure(Task("tests.benchmarks.test_benchmarks:touching", {"prepared": 64 * 2**20, "touched": 32 * 2**20}))
    assert sample.figures == {"bytes": 32 * 2**20}
    assert sample.peak is not None
    assert 30 * 2**20 < sample.peak < 48 * 2**20


def touching(prepared: int, touched: int) -> object:
    held = bytearray(prepared)
    return lambda: {"bytes": len(bytearray(b"x") * touched) + 0 * len(held)}


def test_a_missing_package_is_said_in_a_sentence() -> None:
    with pytest.raises(NotMeasured, match=r"^no_such_package is not installed: pip install -c constraints.txt -e '.\[bench\]'$"):
        measure(Task("benchmarks.rivals:fvcore", {}, "no_such_package"))


@pytest.mark.parametrize(
    ("ours", "theirs", "limit", "held"),
    [
        (1.1, 1.0, Limit("ratio", 1.2), True),
        (1.3, 1.0, Limit("ratio", 1.2), False),
        (0.2, 0.1, Limit("ours", 0.3), True),
        (0.4, 9.0, Limit("ours", 0.3), False),
        (None, 1.0, Limit("ours", 0.3), None),
        (1.0, None, Limit("ratio", 1.2), None),
        (1.0, 1.0, None, None),
    ],
)
def test_whether_a_promise_is_held(ours: float | None, theirs: float | None, limit: Limit | None, held: bool | None) -> None:
    assert Row("name", "subject", ours, "other", theirs, limit=limit).held is held

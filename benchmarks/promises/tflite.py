"""Counting an int8 MobileNetV2 .tflite, without TensorFlow, beside what else reads such a file."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import Contender, NotMeasured, Program, Task, interleaved, measure
from benchmarks.settings import Settings

SECONDS = Limit("ours", 1.0)
ROOM = 50_000_000


def rows(settings: Settings) -> Iterator[Row]:
    subject = "tiny.tflite" if settings.tiny else "mobilenet-v2-int8.tflite"
    with tempfile.TemporaryDirectory(prefix="micronet-bench-") as folder:
        path = Path(folder, subject)
        try:
            for package in ("tensorflow", "ai_edge_litert"):
                measure(Task("benchmarks.promises.tflite:nothing", needs=package))
            measure(Program((sys.executable, "-W", "ignore", "-m", "benchmarks.tflite_file", str(path), *(["tiny"] * settings.tiny))))
        except NotMeasured as reason:
            yield Row("tflite", subject, None, limit=SECONDS, note=str(reason))
            return
        yield from _file_rows(subject, path, settings)


def _file_rows(subject: str, path: Path, settings: Settings) -> Iterator[Row]:
    command = Program((str(Path(sys.executable).with_name("micronet-verify")), "count", str(path)))
    others: dict[str, Contender] = {
        "interpreter, one example": Task("benchmarks.promises.tflite:interpreting", {"path": str(path)}),
        "tf.lite Analyzer": Task("benchmarks.promises.tflite:analysing", {"path": str(path)}),
    }
    contenders: dict[str, Contender] = {"ours": Task("benchmarks.counted:counting", {"path": str(path)}), **others, "command": command}
    found = interleaved(contenders, settings.repeats)
    for other in others:
        yield seconds_row("tflite", subject, found["ours"], other, found[other], SECONDS)
    most = Limit("ours", path.stat().st_size + ROOM)
    yield Row("tflite", f"{subject}, peak memory", found["ours"].peak, unit="MB", limit=most)
    yield seconds_row("tflite", f"{subject}, the command, start to end", found["command"])


def nothing() -> Callable[[], None]:
    return lambda: None


def interpreting(path: str) -> Callable[[], None]:
    """Load, allocate, and answer one example."""
    from ai_edge_litert.interpreter import Interpreter

    def work() -> None:
        session = Interpreter(path, num_threads=1)
        session.allocate_tensors()
        session.invoke()

    return work


def analysing(path: str) -> Callable[[], None]:
    """TensorFlow's own listing of the file's operators; it prices nothing."""
    import tensorflow as tf

    def work() -> None:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            tf.lite.experimental.Analyzer.analyze(model_path=path)

    return work

"""Measures contenders in fresh child processes, in turn (A B A B), and takes medians.

A contender is a ``Task`` (a function of this package that prepares in its process and returns the work to be measured)
or a ``Program`` (a command line, measured from start to end). Both get one thread and the same environment.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
THREADS = 1


class NotMeasured(Exception):
    """A contender that could not run; its text is the reason, one line."""


@dataclass(frozen=True)
class Task:
    """``target`` is ``module:function``; the function gets ``arguments`` and returns a callable, which is what is measured.

    What the callable returns, a mapping of figures or ``None``, comes back with the sample. ``needs``: a package without
    which the task is passed over. ``patience``: seconds after which it is given up.
    """

    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""
    patience: float = 900


@dataclass(frozen=True)
class Program:
    """A command line; ``accepted`` are its exit codes that count as success."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    accepted: tuple[int, ...] = (0,)
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 900


@dataclass(frozen=True)
class Sample:
    """``seconds`` of wall-clock time, of which ``cpu`` on a processor (children included), bytes of memory above the preparation
    at the peak (``None`` of a program), figures."""

    seconds: float
    cpu: float
    peak: int | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """The samples of one contender, or why there are none."""

    samples: tuple[Sample, ...] = ()
    reason: str = ""

    @property
    def seconds(self) -> float | None:
        return statistics.median(sample.seconds for sample in self.samples) if self.samples else None

    @property
    def cpu(self) -> float | None:
        return statistics.median(sample.cpu for sample in self.samples) if self.samples else None

    @property
    def peak(self) -> float | None:
        peaks = [sample.peak for sample in self.samples if sample.peak is not None]
        return statistics.median(peaks) if peaks else None

    def figure(self, name: str) -> Any:
        """The median of a figure that every sample has; the last one's where it is no number, ``None`` where it is missing."""
        found = [sample.figures[name] for sample in self.samples if name in sample.figures]
        numbers = [value for value in found if isinstance(value, int | float)]
        return statistics.median(numbers) if numbers and len(numbers) == len(found) else (found[-1] if found else None)


Contender = Task | Program


def interleaved(contenders: Mapping[str, Contender], repeats: int) -> dict[str, Measurement]:
    """Each contender ``repeats`` times, in turn. One that fails is not tried again, and the others go on."""
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    reasons: dict[str, str] = {}
    for _ in range(repeats):
        for name, contender in contenders.items():
            if name in reasons:
                continue
            try:
                samples[name].append(measure(contender))
            except NotMeasured as reason:
                reasons[name] = str(reason)
    return {name: Measurement(() if name in reasons else tuple(found), reasons.get(name, "")) for name, found in samples.items()}


def measure(contender: Contender) -> Sample:
    """One sample. Raises ``NotMeasured``."""
    return _task(contender) if isinstance(contender, Task) else _program(contender)


def _task(task: Task) -> Sample:
    if task.needs and importlib.util.find_spec(task.needs) is None:
        raise NotMeasured(f"{task.needs} is not installed: pip install -c constraints.txt -e '.[bench]'")
    with tempfile.TemporaryDirectory(prefix="micronet-bench-") as folder:
        answer = Path(folder, "answer.json")
        spec = json.dumps({"target": task.target, "arguments": dict(task.arguments)})
        _run([sys.executable, "-W", "ignore", "-m", "benchmarks.child", spec, str(answer)], ROOT, (0,), {}, task.patience)
        return Sample(**json.loads(answer.read_text(encoding="utf-8")))


def _program(program: Program) -> Sample:
    start, busy = time.perf_counter(), cpu_seconds()
    _run(list(program.argv), program.cwd or ROOT, program.accepted, program.environment, program.patience)
    return Sample(time.perf_counter() - start, cpu_seconds() - busy)


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _run(argv: list[str], cwd: Path, accepted: tuple[int, ...], environment: Mapping[str, str], patience: float) -> None:
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**child_environment(), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotMeasured(f"still running after {patience:g} s") from None
    except OSError as error:
        raise NotMeasured(f"{Path(argv[0]).name}: {error.strerror}") from None
    if done.returncode not in accepted:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        raise NotMeasured(f"exit code {done.returncode}: {lines[-1][:160] if lines else 'nothing printed'}")


def child_environment() -> dict[str, str]:
    """This process's environment with one thread everywhere, so that both sides of a ratio have the same."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS))
    return {**os.environ, **threads, "ORT_DISABLE_TELEMETRY": "1", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": ""}

"""Runs jobs in fresh child processes and ends them, with all they started, when they are done or over a limit.

``ProcessLauncher`` contains accidents: crashes, hangs, floods, daemons. It is no wall against malice; a launcher that
is one (bubblewrap) overrides ``command`` and keeps the rest.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from micronet_verify.errors import BenchFault, MicronetError, Problem, SubmissionFault
from micronet_verify.framework.protocols import CPU
from micronet_verify.framework.registry import WITHOUT
from micronet_verify.sandbox.answers import RESULT, read_answer, readable
from micronet_verify.sandbox.jobs import Job, ResultT, job_to_data
from micronet_verify.sandbox.limits import DEFAULTS, READY, Limits, step
from micronet_verify.sandbox.processes import TOKEN, StepProcesses
from micronet_verify.sandbox.products import check_products, size_of
from micronet_verify.wording.numbers import size_words

_TICK = 0.05
_LOOK_EVERY = 0.5
_TAIL = 4096
_OF_A_DEVICE = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")


class Launcher(Protocol):
    """Runs one job at a time per calling thread; safe to call from many threads."""

    def run(self, job: Job[ResultT], limits: Limits | None = None) -> ResultT:
        """The job's result. Raises ``SubmissionFault``, ``BenchFault`` or ``SpecError``; never lets a step outlive the call."""
        ...


class ProcessLauncher:
    """Jobs as child processes of this one. Linux only.

    ``extra_path`` are folders on which the child's Python finds packages that are not installed (tests). ``stop()``,
    from any thread, ends every running step; their calls raise ``BenchFault``.
    """

    def __init__(self, extra_path: Sequence[Path] = ()) -> None:
        self._extra_path = tuple(extra_path)
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def run(self, job: Job[ResultT], limits: Limits | None = None) -> ResultT:
        """Run ``job`` in a fresh process; ``limits`` default to those of its stage. Its ``out`` folder must be empty or absent."""
        limits = limits or DEFAULTS[job.stage]
        job.out.mkdir(parents=True, exist_ok=True)
        if any(job.out.iterdir()):
            raise BenchFault(Problem(f"an output folder with files in it ({job.out.name})", "be empty", f"stage {job.stage}"))
        with tempfile.TemporaryDirectory(prefix="micronet-", ignore_cleanup_errors=True) as scratch:
            folder = Path(scratch)
            (folder / "home").mkdir()
            started = self._supervise(job, limits, folder)
            try:
                result = read_answer(folder, job.result_type, job.stage)
            except MicronetError as fault:
                if started and job.stage == "export":  # the entrant's code may have written it: it cannot call out the operators
                    raise SubmissionFault(fault.problems) from None
                raise
        check_products(job.out, result.files, limits.output_bytes, job.stage)
        assert isinstance(result, job.result_type)
        return result  # type: ignore[return-value]

    def command(self, job: Job[Any], folder: Path, job_file: Path) -> list[str]:
        """What to execute. The entry's folder and the working folder are not on the child's module path (-P, -s)."""
        return [sys.executable, "-P", "-s", "-m", job.module, str(job_file)]

    def environment(self, job: Job[Any], folder: Path, token: str) -> dict[str, str]:
        """The child's whole environment: nothing of ours is inherited but which plugins to leave out, and how to a device."""
        home, threads = str(folder / "home"), str(job.threads)
        variables = {
            "PATH": os.defpath,
            "HOME": home,
            "TMPDIR": home,
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "ORT_DISABLE_TELEMETRY": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            TOKEN: token,
        }
        if WITHOUT in os.environ:
            variables[WITHOUT] = os.environ[WITHOUT]
        if getattr(job, "device", CPU) != CPU:
            variables |= {name: os.environ[name] for name in _OF_A_DEVICE if name in os.environ}
        if self._extra_path:
            variables["PYTHONPATH"] = os.pathsep.join(str(path.absolute()) for path in self._extra_path)
        return variables

    def _supervise(self, job: Job[Any], limits: Limits, folder: Path) -> bool:
        """Run the child to its end; whether it came as far as the entry. Raises the fault of an ending without an answer."""
        token, job_file = uuid.uuid4().hex, folder / "job.json"
        ours, theirs = os.pipe()
        with open(ours, "rb") as ready, (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            try:
                data = {"job": job_to_data(job), "limits": asdict(limits), "ready": theirs}
                job_file.write_text(json.dumps(data), encoding="utf-8")
                child = subprocess.Popen(
                    self.command(job, folder, job_file),
                    env=self.environment(job, folder, token),
                    cwd=folder / "home",
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    pass_fds=(theirs,),
                    start_new_session=True,
                )
            except OSError as error:
                raise BenchFault(Problem(f"a worker that cannot be started ({error})", "start", f"stage {job.stage}")) from None
            finally:
                os.close(theirs)
            processes = StepProcesses(child.pid, token)
            try:
                excess = self._watch(job, limits, folder, processes, (out, err))
            finally:
                processes.kill()
                child.wait()
            os.set_blocking(ours, False)  # a process that escaped may still hold the other end
            started = ready.read(1) == READY
        if excess:
            raise _ending(job.stage, excess[0], excess[1], folder, started)
        if child.returncode < 0:
            raise _ending(job.stage, f"died of {_signal_words(-child.returncode)}", "end by itself", folder, started)
        if child.returncode or not (folder / RESULT).exists():
            got = f"ended with exit code {child.returncode} and no result"
            raise _ending(job.stage, got, "give a result", folder, started)
        return started

    def _watch(
        self, job: Job[Any], limits: Limits, folder: Path, processes: StepProcesses, texts: tuple[BinaryIO, BinaryIO]
    ) -> tuple[str, str] | None:
        """Wait until the child ends. If it has to be ended instead: what it did, and what it should have done."""
        looked = start = time.monotonic()
        descriptor = os.pidfd_open(processes.root)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            while not poll.poll(_TICK * 1000):
                now = time.monotonic()
                if self._stopped.is_set():
                    raise BenchFault(Problem("a run that was stopped", "run to its end", f"stage {job.stage}"))
                if now - start > limits.seconds:
                    return f"was still running after {limits.seconds:g} s", "end within that time"
                if _printed(texts) > limits.text_bytes:
                    break
                if now - looked > _LOOK_EVERY:
                    looked = now
                    processes.look()
                    if size_of(job.out) + size_of(folder / "home") > limits.output_bytes:
                        return f"wrote more than {size_words(limits.output_bytes)}", "write less"
                if processes.memory() > limits.memory_bytes:
                    return f"held more than {size_words(limits.memory_bytes)} of memory", "stay within that limit"
        finally:
            os.close(descriptor)
        if _printed(texts) > limits.text_bytes:  # also of a step that ended between two looks
            return f"printed more than {size_words(limits.text_bytes)}", "print less"
        return None


def _printed(texts: tuple[BinaryIO, BinaryIO]) -> int:
    return max(os.fstat(text.fileno()).st_size for text in texts)


def _ending(stage: str, did: str, should: str, folder: Path, started: bool) -> MicronetError:
    """The fault of a step that gave no answer: the entry's if it had come as far as the entry, else the bench's."""
    last = _last_line(folder / "stderr")
    if started:
        return SubmissionFault(Problem(f"{step(stage)} that {did}", should, f"stage {stage}", f"its last output: {last}" if last else ""))
    return BenchFault(Problem(f"{step(stage)} that {did} before it reached the entry", "start", f"stage {stage}", last))


def _signal_words(number: int) -> str:
    known = {item.value: item.name for item in signal.Signals}
    return f"signal {number} ({known[number]})" if number in known else f"signal {number}"


def _last_line(path: Path) -> str:
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - _TAIL))
        lines = [readable(line) for line in handle.read(_TAIL).decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")

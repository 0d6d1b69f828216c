"""The process inside the sandbox: ``python -m micronet_verify.sandbox.worker JOB.json`` runs one job and ends.

Imports errors, facts, framework and sandbox only; labels, prices and thresholds are not in its memory. The answer goes
to ``result.json`` beside the job file.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from micronet_verify.errors import BenchFault, MicronetError, Problem, SubmissionFault
from micronet_verify.sandbox.answers import readable, write_fault, write_result
from micronet_verify.sandbox.jobs import AnyJob, AnyResult, ExportJob, job_from_data
from micronet_verify.sandbox.limits import READY, Limits, step
from micronet_verify.sandbox.run_job import run_step
from micronet_verify.wording.numbers import size_words

Run = Callable[[AnyJob, Callable[[], None]], AnyResult]
_PR_SET_PDEATHSIG = 1
_CAUSES = 10
_FRAMES = 4


def main(job_file: str, run: Run = run_step) -> NoReturn:
    """``run`` the job in ``job_file`` under its limits and write the answer; the process ends here."""
    path = Path(job_file)
    data = json.loads(path.read_text(encoding="utf-8"))
    limits = Limits(**data["limits"])
    confine(limits)
    job = job_from_data(data["job"])
    started: list[bool] = []

    def ready() -> None:
        started.append(True)
        if data["ready"] is not None:
            os.write(data["ready"], READY)
            os.close(data["ready"])

    try:
        write_result(path.parent, run(job, ready))
    except MicronetError as fault:
        write_fault(path.parent, fault)
    except BaseException as error:
        traceback.print_exc()
        entry = job.request.entry if isinstance(job, ExportJob) and started else None
        write_fault(path.parent, named(error, job.stage, limits, entry))
    sys.stdout.flush()
    sys.stderr.flush()
    # The answer is written: exit handlers of a framework, or of the entrant's code, have nothing more to say.
    os._exit(0)


def confine(limits: Limits) -> None:
    """Limits that the kernel holds for each process; the launcher watches the sums over all processes of the step."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, limits.output_bytes)
    # A backstop behind the launcher's watch, and twice the limit, because memory may be reserved and never used.
    _lower(resource.RLIMIT_DATA, 2 * limits.memory_bytes)
    if sys.platform == "linux":  # a judge that is killed takes its steps with it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def named(error: BaseException, stage: str, limits: Limits, entry: Path | None) -> MicronetError:
    """An exception that no one foresaw, as a fault: the entrant's where the entrant's code ran, else ours."""
    where = f"stage {stage}"
    causes = _causes(error)
    if any(isinstance(cause, MemoryError) for cause in causes):
        got = f"{step(stage)} that asked for more memory than it may have"
        return SubmissionFault(Problem(got, f"stay within {size_words(limits.memory_bytes)}", where))
    if any(isinstance(cause, OSError) and cause.errno == errno.EFBIG for cause in causes):
        got = f"{step(stage)} that wrote a file of more than {size_words(limits.output_bytes)}"
        return SubmissionFault(Problem(got, "write less", where))
    last = readable(traceback.format_exception_only(error)[-1])
    frames = traceback.extract_tb(error.__traceback__)
    if entry is not None:
        return SubmissionFault(Problem(last, "export without an exception", _place_in(entry, frames)))
    route = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-_FRAMES:])
    advice = "a defect of this program or of the framework's plugin: please report this line"
    return BenchFault(Problem(last, f"end {step(stage)} with a result or a named fault", route, advice))


def _place_in(entry: Path, frames: traceback.StackSummary) -> str:
    """``file:line`` of the innermost frame that lies in the entry, else of the innermost frame."""
    for frame in reversed(frames):
        if Path(frame.filename).is_relative_to(entry):
            return f"{Path(frame.filename).relative_to(entry)}:{frame.lineno}"
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(found) < _CAUSES:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _lower(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (bound, bound))


if __name__ == "__main__":
    main(sys.argv[1])

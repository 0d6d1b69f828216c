"""``result.json``: how a step says what it did. Written by the worker, read by the judge, who believes nothing in it.

``{"status": "ok", "result": {…}}`` or ``{"status": "fault", "kind": "SubmissionFault", "problems": [{…}]}``.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

from micronet_verify.errors import BenchFault, MicronetError, Problem, SpecError, SubmissionFault
from micronet_verify.sandbox.jobs import AnyResult

RESULT = "result.json"
LARGEST = 1 << 20
MOST_PROBLEMS = 500
LONGEST = 500
KINDS: dict[str, type[MicronetError]] = {kind.__name__: kind for kind in (SubmissionFault, BenchFault, SpecError)}


def write_result(folder: Path, result: AnyResult) -> None:
    """Write the answer "ok" with the result, atomically."""
    _write(folder, {"status": "ok", "result": asdict(result)})


def write_fault(folder: Path, fault: MicronetError) -> None:
    """Write the fault with at most ``MOST_PROBLEMS`` problems; a last one says how many more there are."""
    kind = next(name for name, each in KINDS.items() if isinstance(fault, each))
    problems = list(fault.problems[:MOST_PROBLEMS])
    if len(fault.problems) > MOST_PROBLEMS:
        problems.append(Problem(f"{len(fault.problems) - MOST_PROBLEMS:,} more problems", "be corrected, too"))
    _write(folder, {"status": "fault", "kind": kind, "problems": [_short(asdict(problem)) for problem in problems]})


def read_answer(folder: Path, result_type: type[AnyResult], stage: str) -> AnyResult:
    """The result that a step wrote, or its fault raised.

    Raises ``SubmissionFault`` for an answer that is missing, larger than 1 MiB, or not such an answer.
    """
    where = f"stage {stage}"
    data = _regular_bytes(folder / RESULT, where)
    if len(data) > LARGEST:
        raise SubmissionFault(Problem(f"a result of more than {LARGEST:,} bytes", "be smaller", where))
    try:
        answer = json.loads(data)
        status = answer["status"]
        if status == "ok":
            return result_type.read(answer["result"])
        if status != "fault":
            raise ValueError(f"the status {status!r}")
        kind = KINDS[answer["kind"]]
        problems = [Problem(*(readable(str(item[name])) for name in ("got", "should", "where", "advice"))) for item in answer["problems"]]
        fault = kind(problems)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = readable(f"{type(error).__name__}: {error}")
        raise SubmissionFault(Problem(f"a result that cannot be read ({reason})", "be the result that the step wrote", where)) from None
    raise fault


def readable(text: str) -> str:
    """Text from a step, fit for a report: one line, no control characters, at most ``LONGEST`` characters."""
    line = "".join(char if char.isprintable() else " " for char in text).strip()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _regular_bytes(path: Path, where: str) -> bytes:
    # Neither a link is followed nor a pipe waited for: an export step runs the entrant's code beside this file.
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as handle:
            if stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                return handle.read(LARGEST + 1)
    except OSError:
        pass
    raise SubmissionFault(Problem("no result", f"be a file {RESULT} that the step wrote", where))


def _short(problem: dict[str, str]) -> dict[str, str]:
    return {name: readable(text) for name, text in problem.items()}


def _write(folder: Path, answer: dict[str, Any]) -> None:
    draft = folder / f"{RESULT}.draft"
    draft.write_text(json.dumps(answer, sort_keys=True), encoding="utf-8")
    os.replace(draft, folder / RESULT)

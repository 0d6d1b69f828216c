"""Which check a failed translation concerns: the file as a whole, or the operators in it.

A file that is cut off can neither be read nor run: one defect, three stages. It is told once, by the check that names it
best, and the others say that they were not reached.
"""

from __future__ import annotations

from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation, Fault

_PLACES = ("stage ", "initializer ", "sparse initializer ", "tensor ", "the model's inputs")


def unreadable(evaluation: Evaluation) -> Fault | None:
    """The fault of a translation that failed on the file itself: every problem is placed at the file,
    at a tensor of it, at the step that reads it, or at the inputs."""
    fault = evaluation.faults.get("translate")
    if fault is None or fault.acts != "entrant":
        return None
    files = [file.path for file in evaluation.artifact.files] if evaluation.artifact else []
    return fault if all(_of_the_file(problem, files) for problem in fault.problems) else None


def _of_the_file(problem: Problem, files: list[str]) -> bool:
    where = problem.where
    return not where or where.startswith(_PLACES) or any(where == path or where.startswith(f"{path}:") for path in files)

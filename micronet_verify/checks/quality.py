"""Does the entry reach the track's quality target?"""

from __future__ import annotations

from micronet_verify.checks.reach import lost, not_reached, partly, sentences, told
from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation
from micronet_verify.quality.metrics.accuracy import Quality
from micronet_verify.wording.numbers import exact

NAME = "quality"


def check(evaluation: Evaluation) -> Verdict:
    """Exact: 37,481 of 50,000 is not 75 %. Without the data set, or on a part of it, the answer is skipped, never passed."""
    if (blocked := not_reached(NAME, evaluation, "export")) is not None:
        return blocked
    run = evaluation.faults.get("predict")
    read = evaluation.faults.get("translate")
    if run is not None and read is not None and not run.missing:
        # One defect, told once by the check of the translation: a file that cannot be read does not run either.
        told_there = {problem.got for problem in read.problems}
        more = [problem for problem in run.problems if problem.got not in told_there]
        why = "not reached: the translate stage failed, and the predict stage too" + (f": {sentences(more)}" if more else "")
        return Verdict(NAME, "skipped", why, {"stage": "predict"})
    fault = run or evaluation.faults.get("quality")
    if fault is not None:
        return told(NAME, fault)
    if evaluation.partial is not None:
        return partly(NAME, evaluation.partial, f"{evaluation.partial.words}; the target is decided on all examples")
    quality, track = evaluation.quality, evaluation.track
    if quality is None or track is None:
        return lost(NAME, "quality")
    words = f"{quality.words}, {quality.margin}"
    evidence: dict[str, str | int | float] = {"quality": exact(quality.value), "of": quality.of}
    if isinstance(quality, Quality):
        evidence |= {"correct": quality.correct, "target": quality.target}
    if quality.met:
        return Verdict(NAME, "passed", words, evidence)
    ties = quality.ties if isinstance(quality, Quality) else 0
    advice = f"{ties:,} more would be right, but another class has the very same score" if ties else ""
    return Verdict(NAME, "failed", str(Problem(f"{words},", f"be {track.target}", f"track {track.name}", advice)), evidence)

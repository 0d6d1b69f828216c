"""How a check answers where a stage has no result: each fault is told by one check, and every later check names the stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from micronet_verify.checks.verdict import Outcome, Verdict
from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation, Fault, StageName
from micronet_verify.quality.metrics.accuracy import Partial

MOST_PLACES = 3


def sentences(problems: Iterable[Problem]) -> str:
    """One sentence per line; problems that differ only in their place are one sentence with the first places."""
    places: dict[Problem, list[str]] = {}
    for problem in problems:
        places.setdefault(replace(problem, where=""), []).append(problem.where)
    return "\n".join(str(replace(problem, where=_listed(found))) for problem, found in places.items())


def _listed(places: list[str]) -> str:
    distinct = list(dict.fromkeys(filter(None, places)))
    more = len(distinct) - MOST_PLACES
    return ", ".join(distinct[:MOST_PLACES]) + (f" and {more:,} more" if more > 0 else "")


def told(check: str, fault: Fault) -> Verdict:
    """The verdict of the check that a fault concerns: failed where the entrant acts, skipped without data, else an error."""
    outcome: Outcome = "skipped" if fault.missing else "failed" if fault.acts == "entrant" else "error"
    return Verdict(check, outcome, sentences(fault.problems), {"acts": fault.acts})


def not_reached(check: str, evaluation: Evaluation, *stages: StageName) -> Verdict | None:
    """Skipped, naming the first stage that failed of those that ``stages`` need; ``None`` where all gave results."""
    stage = evaluation.blocked_by(*stages)
    if stage is None:
        return None
    why = "has no data" if evaluation.faults[stage].missing else "failed"
    return Verdict(check, "skipped", f"not reached: the {stage} stage {why}", {"stage": stage})


def partly(check: str, partial: Partial, why: str, evidence: Mapping[str, str | int | float] | None = None) -> Verdict:
    """Skipped, because only the first examples of the test set were predicted; ``why`` says so, and what that leaves open."""
    return Verdict(check, "skipped", why, {**(evidence or {}), "partial": partial.examples, "partial_of": partial.of})


def lost(check: str, what: str) -> Verdict:
    """An error of ours: nothing failed, and yet there is no result."""
    return Verdict(check, "error", str(Problem(f"no {what}, and no stage that failed", "be one or the other", advice="please report it")))

"""The organizers' own checks, which plugins bring (``micronet_check``): asked after the judge's, about plain facts.

A check that fails to answer is an error of its plugin's: no entry fails for it, and none passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from micronet_verify.checks.judge import CHECKS, judge
from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import BenchFault, PluginFault, Problem, SubmissionFault
from micronet_verify.evaluation import Evaluation
from micronet_verify.framework.guarded import check_signature, plugin_code
from micronet_verify.framework.installed import remembered
from micronet_verify.framework.offers import Kind, Offer, Offers, collect, told
from micronet_verify.framework.organizing import ChargeFacts, Check, CheckRequest, CheckResult, EntryFacts, VerdictFacts

_OUTCOMES = ("passed", "failed", "skipped")


@remembered
def offers() -> Offers[Check]:
    """Every check of a plugin that can be asked, and every plugin that was to bring one and does not."""
    return collect(Kind("micronet_check", "a Check", _wrong, lambda check: (check.name,)))


def names() -> tuple[str, ...]:
    """The organizers' checks by name; one whose plugin is broken stands under the name of its entry point."""
    return *offers().usable, *_silent()


def all_verdicts(evaluation: Evaluation) -> tuple[Verdict, ...]:
    """The verdicts of the judge's own checks, then of the organizers'."""
    own = judge(evaluation)
    return *own, *ask(evaluation, own)


def ask(evaluation: Evaluation, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The answers of all organizers' checks. ``verdicts`` are the judge's own."""
    request = CheckRequest(facts_of(evaluation, verdicts), evaluation.graph, _charges(evaluation))
    answers = [_asked(offer, request) for offer in offers().usable.values()]
    return *answers, *(Verdict(name, "error", str(problem), {"acts": "operator"}) for name, problem in _silent().items())


def facts_of(evaluation: Evaluation, verdicts: Sequence[Verdict]) -> EntryFacts:
    """What an organizer's check is told of an entry."""
    manifest = evaluation.submission.manifest if evaluation.submission else None
    artifact, ledger, quality = evaluation.artifact, evaluation.ledger, evaluation.quality
    return EntryFacts(
        id=evaluation.id,
        title=manifest.title if manifest else "",
        team=manifest.team if manifest else "",
        members=tuple((member.id, member.name) for member in manifest.members) if manifest else (),
        track=manifest.track if manifest else "",
        framework=manifest.framework if manifest else "",
        submitted=manifest.submitted.isoformat() if manifest else "",
        artifact_sha256=artifact.sha256 if artifact else "",
        artifact_size=artifact.size if artifact else 0,
        regime=ledger.regime if ledger else "",
        storage=ledger.storage if ledger else None,
        operations=ledger.operations if ledger else None,
        score=evaluation.score.value if evaluation.score else None,
        metric=quality.metric if quality else "",
        quality=quality.words if quality else "",
        met=quality.met if quality else None,
        claims=dict(sorted(manifest.claims.written.items())) if manifest else {},
        verdicts=tuple(VerdictFacts(verdict.check, verdict.outcome, verdict.message) for verdict in verdicts),
        partial=evaluation.partial is not None,
        seed=evaluation.seed,
    )


def _charges(evaluation: Evaluation) -> tuple[ChargeFacts, ...]:
    lines = evaluation.ledger.lines if evaluation.ledger else ()
    return tuple(ChargeFacts(**{each.name: getattr(line, each.name) for each in fields(ChargeFacts)}) for line in lines)


def _asked(offer: Offer[Check], request: CheckRequest) -> Verdict:
    check, made = offer.item, {"plugin": str(offer.origin)}
    try:
        check_signature(check.ask, "ask", offer.origin, "request")
        with plugin_code(offer.origin, f"the check {check.name!r}", (SubmissionFault,)):
            answer = check.ask(request)
            result = CheckResult("passed") if answer is None else _sound(answer)
    except SubmissionFault as fault:
        return Verdict(check.name, "failed", str(fault), made)
    except BenchFault as fault:
        return Verdict(check.name, "error", str(fault), {**made, "acts": "operator"})
    return Verdict(check.name, result.outcome, result.message, {**result.evidence, **made})


def _sound(answer: object) -> CheckResult:
    if not isinstance(answer, CheckResult):
        raise PluginFault(Problem(told(answer), "be a CheckResult, or None for passed"))
    if answer.outcome not in _OUTCOMES or not isinstance(answer.message, str):
        got = f"a CheckResult of {answer.outcome!r} and {answer.message!r}"
        raise PluginFault(Problem(got, f"be one of {', '.join(_OUTCOMES)}, with a message in text"))
    kept: Any = answer.evidence
    if not isinstance(kept, Mapping) or not all(
        isinstance(name, str) and isinstance(item, str | int | float) for name, item in kept.items()
    ):
        raise PluginFault(Problem(f"evidence={kept!r}", "map names to texts and numbers (an exact one as text)"))
    if answer.outcome == "failed" and not answer.message:
        raise PluginFault(Problem("a failure without a message", "say what was found and what should be"))
    return answer


def _silent() -> Mapping[str, Problem]:
    """Plugins whose hook for checks failed: what they would have asked is not known, so nothing is passed by."""
    broken = [each for each in offers().broken if each.hook]
    return {f"checks of {each.origin.distribution}": each.problem for each in broken}


def _wrong(check: object) -> tuple[str, str] | None:
    if not isinstance(check, Check):
        return told(check), "be a Check, or a tuple of them"
    if not isinstance(check.name, str) or not check.name.strip() or not check.name.isprintable() or len(check.name) > 40:
        return f"a check of the name {check.name!r}", "be named in a few words"
    if check.name in CHECKS or check.name.startswith("rule "):
        return f"the name {check.name!r}", "be none of the judge's own checks"
    if not callable(check.ask):
        return f"a check with ask={check.ask!r}", "ask by a function"
    return None

"""Does the entry have what it claims? A claim is compared with the measurement and never replaces it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from micronet_verify.checks.reach import not_reached
from micronet_verify.checks.verdict import Verdict
from micronet_verify.counting.ledger import Axis, Ledger
from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation, StageName
from micronet_verify.facts.nested import all_nodes
from micronet_verify.quality.metrics.accuracy import Quality
from micronet_verify.submission.manifest import Manifest
from micronet_verify.track.track import decimal_text
from micronet_verify.wording.numbers import amount, exact, grouped, to_unit, unit_of

NAME = "claims"
_STAGES: dict[str, StageName] = {"parameter_storage": "count", "math_operations": "count", "score": "count", "quality": "quality"}
_AXES: dict[str, tuple[Axis, ...]] = {
    "parameter_storage": ("storage",),
    "math_operations": ("operations",),
    "score": ("storage", "operations"),
    "quality": (),
}
_UNITS: dict[Axis, str] = {"storage": "words", "operations": "operations"}
_LINES = 3


@dataclass(frozen=True, slots=True)
class _Compared:
    """``gain``: by how much the claim is better than the measurement (negative: worse), 0 where they agree as written."""

    name: str
    claimed: Fraction
    measured: Fraction
    rounded: Fraction
    gain: Fraction

    @property
    def key(self) -> str:
        """The claim's key in the manifest."""
        return f"claims.{self.name}"


def check(evaluation: Evaluation) -> Verdict:
    """Compared at the decimal places that are claimed. A claim better than the measurement fails; a worse one passes, with
    what was left on the table."""
    if (blocked := not_reached(NAME, evaluation, "track")) is not None:
        return blocked
    manifest = evaluation.submission.manifest if evaluation.submission else None
    claimed = [name for name in _STAGES if manifest is not None and getattr(manifest.claims, name) is not None]
    if manifest is None or not claimed:
        return Verdict(NAME, "skipped", "the entry claims no numbers")
    compared, open_ones = [], []
    for name in claimed:
        measured = _measured(evaluation, name)
        if measured is None:
            open_ones.append(name)
        else:
            compared.append(_compare(evaluation, manifest, name, measured))
    evidence: dict[str, str | int | float] = {key: text for item in compared for key, text in _evidence(item)}
    problems = [_problem(evaluation, manifest, item) for item in compared if item.gain > 0]
    if problems:
        return Verdict(NAME, "failed", "\n".join(map(str, problems)), evidence)
    said = "; ".join(_agreed(manifest, item) for item in compared)
    if open_ones:
        names = ", ".join(f"claims.{name}" for name in open_ones)
        stage = evaluation.blocked_by(*(_STAGES[name] for name in open_ones))
        waiting = f"{names} not reached: the {stage} stage gave no result"
        if stage is None and evaluation.partial is not None:
            waiting = f"partial: {evaluation.partial.share} examples; {names} not compared"
            evidence |= {"partial": evaluation.partial.examples, "partial_of": evaluation.partial.of}
        elif stage is None and _unweighted(evaluation):
            waiting = f"{names} not compared: without predictions nothing says how often each body of a branch is taken"
        return Verdict(NAME, "skipped", "; ".join(filter(None, [waiting, said])), evidence)
    return Verdict(NAME, "passed", said, evidence)


def _measured(evaluation: Evaluation, name: str) -> Fraction | None:
    if evaluation.partial is not None and evaluation.shares and "operations" in _AXES[name]:
        return None  # operations behind branches depend on the examples
    if "operations" in _AXES[name] and _unweighted(evaluation):
        return None  # both bodies are charged in full, which no claim is about
    if name == "quality":
        return evaluation.quality.value if evaluation.quality else None
    if name == "score":
        return evaluation.score.value if evaluation.score else None
    if evaluation.ledger is None:
        return None
    return evaluation.ledger.storage if name == "parameter_storage" else evaluation.ledger.operations


def _unweighted(evaluation: Evaluation) -> bool:
    """Whether there are branches of which nothing says how often each body is taken (O13): nobody predicted."""
    return evaluation.graph is not None and not evaluation.shares and any(node.kind == "branch" for node in all_nodes(evaluation.graph))


def _compare(evaluation: Evaluation, manifest: Manifest, name: str, measured: Fraction) -> _Compared:
    claimed: Fraction = getattr(manifest.claims, name)
    unit = unit_of(manifest.claims.written.get(name, ""))
    rounded = measured if unit is None else to_unit(measured, unit)
    higher_is_better = name == "quality" and evaluation.track is not None and evaluation.track.target.higher_is_better
    return _Compared(name, claimed, measured, rounded, claimed - rounded if higher_is_better else rounded - claimed)


def _written(manifest: Manifest, name: str) -> str:
    return manifest.claims.written.get(name) or decimal_text(getattr(manifest.claims, name))


def _problem(evaluation: Evaluation, manifest: Manifest, item: _Compared) -> Problem:
    got = f"{item.key}: {_written(manifest, item.name)}"
    return Problem(got, f"be {decimal_text(item.rounded)} as measured", manifest.where(item.key), _explained(evaluation, item))


def _explained(evaluation: Evaluation, item: _Compared) -> str:
    """The largest charges behind the number that was claimed."""
    if item.name == "quality":
        quality = evaluation.quality
        if isinstance(quality, Quality):
            return f"{quality.correct:,} of {quality.of:,} are right"
        return quality.words if quality else ""
    ledger = evaluation.ledger
    if ledger is None:
        return ""
    return f"the largest charges in the {ledger.regime} regime: {', '.join(_largest(evaluation, ledger, _AXES[item.name]))}"


def _largest(evaluation: Evaluation, ledger: Ledger, axes: tuple[Axis, ...]) -> Iterator[str]:
    baseline = evaluation.track.baseline if evaluation.track else None
    scale = {"storage": baseline.parameters, "operations": baseline.operations} if baseline else {}
    lines = [line for line in ledger.lines if line.axis in axes and line.amount]
    lines.sort(key=lambda line: -line.amount / scale.get(line.axis, Fraction(1)))
    for line in lines[:_LINES]:
        yield f"{line.subject or line.scope} {amount(line.amount)} {_UNITS[line.axis]} ({line.rule})"


def _agreed(manifest: Manifest, item: _Compared) -> str:
    written = _written(manifest, item.name)
    if item.gain == 0:
        return f"{item.key}: {written} as measured"
    left = decimal_text(-item.gain)
    return f"{item.key}: {written} leaves {left} on the table: measured {decimal_text(item.rounded)}"


def _evidence(item: _Compared) -> list[tuple[str, str]]:
    return [
        (f"{item.name}_claimed", exact(item.claimed)),
        (f"{item.name}_measured", exact(item.measured)),
        (f"{item.name}_measured_decimal", grouped(item.measured, 6)),
    ]

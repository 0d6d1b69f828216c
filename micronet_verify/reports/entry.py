"""What is known about one judged entry, as plain data: what reports are made from, and what is kept on disk.

A record holds no object of another room. Exact numbers are texts (``Figure``), so that a record goes through JSON and
through pytest's ``user_properties`` and comes back equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from micronet_verify.checks.verdict import Outcome, Verdict
from micronet_verify.counting.score import Score
from micronet_verify.evaluation import Evaluation
from micronet_verify.facts.identity import Identity
from micronet_verify.quality.metrics.accuracy import AnyQuality, Partial, Quality
from micronet_verify.track.track import Population, Rounding, Track
from micronet_verify.wording.numbers import decimal, exact

Trust = Literal["sealed", "claimed"]
Acts = Literal["entrant", "organizer", "operator"]


@dataclass(frozen=True, slots=True)
class Figure:
    """An exact number: ``exact`` is ``numerator/denominator``, ``decimal`` the same rounded to 12 places."""

    exact: str
    decimal: str

    @classmethod
    def of(cls, number: Fraction) -> Figure:
        return cls(exact(number), decimal(number))

    @property
    def value(self) -> Fraction:
        return Fraction(self.exact)


@dataclass(frozen=True, slots=True)
class Price:
    """What an entry costs in one regime.

    ``storage`` in 32-bit words, ``operations`` in 32-bit operations per example; the two ratios are to the track's
    baseline, and ``score`` is their sum.
    """

    regime: str
    score: Figure
    storage_ratio: Figure
    operations_ratio: Figure
    storage: Figure
    operations: Figure


@dataclass(frozen=True, slots=True)
class Answered:
    """Quality: ``correct`` of ``of`` right where ``target`` are needed; ``margin`` says how far off, in words.

    ``level`` is what was measured where that is no count, ``perplexity 35.05``; then ``correct`` and ``target`` are 0.
    """

    metric: str
    correct: int
    of: int
    target: int
    met: bool
    margin: str
    ties: int
    level: str = ""

    @classmethod
    def of_quality(cls, quality: AnyQuality) -> Answered:
        if isinstance(quality, Quality):
            return cls(quality.metric, quality.correct, quality.of, quality.target, quality.met, quality.margin, quality.ties)
        return cls(quality.metric, 0, quality.of, 0, quality.met, quality.margin, 0, quality.words)


@dataclass(frozen=True, slots=True)
class Part:
    """Only the first ``examples`` of a test set of ``of`` were predicted; ``words``: ``7 of 10 (partial: 10 of 10,000)``."""

    examples: int
    of: int
    words: str

    @classmethod
    def of_run(cls, partial: Partial) -> Part:
        return cls(partial.examples, partial.of, partial.words)


@dataclass(frozen=True, slots=True)
class Board:
    """What of a track its leaderboard needs: entries are compared only where all of it is equal."""

    track: str
    title: str
    target: str
    edition: str
    baseline_parameters: Figure
    baseline_operations: Figure
    population: Population
    rounding: Rounding
    top_percent: int
    entries_per_person: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A stage without a result: ``acts`` says who must act; ``missing``: the data set is not on this machine."""

    stage: str
    acts: Acts
    message: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A verdict: ``check`` asked, ``outcome`` answered; ``evidence`` in order of name."""

    check: str
    outcome: Outcome
    message: str = ""
    evidence: tuple[tuple[str, str | int | float], ...] = ()


@dataclass(frozen=True, slots=True)
class EntryRecord(Identity):
    """One judged entry. Texts are ``""`` and objects ``None`` where the judge did not get that far.

    ``members`` are (id, name). ``trust`` is ``sealed`` where score and quality were both measured from one artifact, else
    ``claimed``. ``submitted`` is ISO 8601 with its zone. ``other`` is the price in the regime that was not charged,
    ``forfeited`` why there is none. ``claims`` are (name, text as written). ``partial``: a smoke run on the first examples, which
    has no ``quality`` and never ranks; operations behind branches are those of these examples. ``seed``: the run's (``--seed``).
    """

    board: Board | None = None
    trust: Trust = "claimed"
    artifact_sha256: str = ""
    artifact_size: int = 0
    price: Price | None = None
    other: Price | None = None
    forfeited: str = ""
    quality: Answered | None = None
    claims: tuple[tuple[str, str], ...] = ()
    verdicts: tuple[Asked, ...] = ()
    faults: tuple[Stopped, ...] = ()
    partial: Part | None = None
    seed: str = ""

    @classmethod
    def of(cls, evaluation: Evaluation, verdicts: Sequence[Verdict]) -> EntryRecord:
        """The record of what ``evaluate`` found and ``judge`` made of it."""
        manifest = evaluation.submission.manifest if evaluation.submission else None
        artifact, predictions, quality = evaluation.artifact, evaluation.predictions, evaluation.quality
        price, other = _prices(evaluation)
        bound = artifact is not None and predictions is not None and predictions.artifact_sha256 == artifact.sha256
        return cls(
            id=_sound(evaluation.id),
            title=_sound(manifest.title) if manifest else "",
            team=_sound(manifest.team) if manifest else "",
            members=tuple((_sound(member.id), _sound(member.name)) for member in manifest.members) if manifest else (),
            track=_sound(manifest.track) if manifest else "",
            framework=_sound(manifest.framework) if manifest else "",
            submitted=manifest.submitted.isoformat() if manifest else "",
            board=_board(evaluation.track) if evaluation.track else None,
            trust="sealed" if bound and price and quality else "claimed",
            artifact_sha256=artifact.sha256 if artifact else "",
            artifact_size=artifact.size if artifact else 0,
            price=price,
            other=other,
            forfeited=_sound(evaluation.count.forfeited) if evaluation.count else "",
            quality=Answered.of_quality(quality) if quality else None,
            claims=tuple(sorted(manifest.claims.written.items())) if manifest else (),
            verdicts=tuple(_asked(verdict) for verdict in verdicts),
            faults=tuple(Stopped(stage, fault.acts, _sound(str(fault)), fault.missing) for stage, fault in evaluation.faults.items()),
            partial=Part.of_run(evaluation.partial) if evaluation.partial else None,
            seed=evaluation.seed,
        )

    @property
    def handed_in(self) -> datetime | None:
        """When the entry was submitted; ``None`` where no manifest was read."""
        return datetime.fromisoformat(self.submitted) if self.submitted else None

    def verdicts_that(self, *outcomes: Outcome) -> tuple[Asked, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.outcome in outcomes)

    @property
    def outcome(self) -> Outcome:
        """The entry's outcome: an error before a failure; ``skipped`` where it was not judged to the end, without a fault of
        its own (its data set is missing). A check that does not apply to an entry is skipped and leaves it ``passed``."""
        if self.verdicts_that("error") or not self.verdicts:
            return "error"
        if self.verdicts_that("failed"):
            return "failed"
        return "passed" if self.price is not None and self.quality is not None else "skipped"

    @property
    def said(self) -> str:
        """The outcome in a word: ``partial`` where nothing else keeps the entry from being judged to the end."""
        return "partial" if self.partial is not None and self.outcome == "skipped" else self.outcome


def _prices(evaluation: Evaluation) -> tuple[Price | None, Price | None]:
    count, ledger, track = evaluation.count, evaluation.ledger, evaluation.track
    if count is None or ledger is None or track is None:
        return None, None
    prices = {}
    for regime, found in count.ledgers.items():
        score = Score.of(found, track.baseline)
        figures = (score.value, score.storage, score.operations, found.storage, found.operations)
        prices[regime] = Price(regime, *map(Figure.of, figures))
    return prices[ledger.regime], next((price for regime, price in prices.items() if regime != ledger.regime), None)


def _board(track: Track) -> Board:
    ranking, baseline = track.ranking, track.baseline
    return Board(
        track=track.name,
        title=track.title,
        target=str(track.target),
        edition=track.rules.edition,
        baseline_parameters=Figure.of(Fraction(baseline.parameters)),
        baseline_operations=Figure.of(Fraction(baseline.operations)),
        population=ranking.population,
        rounding=ranking.rounding,
        top_percent=ranking.top_percent,
        entries_per_person=ranking.entries_per_person,
    )


def _asked(verdict: Verdict) -> Asked:
    evidence = tuple(sorted((_sound(name), _plain(value)) for name, value in verdict.evidence.items()))
    return Asked(_sound(verdict.check), verdict.outcome, _sound(verdict.message), evidence)


def _plain(value: str | int | float) -> str | int | float:
    # JSON has no infinities: such a number is kept as its name.
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _sound(value) if isinstance(value, str) else value


def _sound(text: str) -> str:
    """``text`` as UTF-8 can hold it: half characters, which a model file may bring in by JSON, are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

"""What an entrant could do next: the largest charges in words, and what the entry leaves on the table. All from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from micronet_verify.counting.formulas.conversions import HINT
from micronet_verify.counting.ledger import Ledger, LedgerLine
from micronet_verify.evaluation import Evaluation
from micronet_verify.quality.metrics.accuracy import Quality
from micronet_verify.reports.layers import Scale, dearest_lines
from micronet_verify.track.track import Baseline
from micronet_verify.wording.numbers import figure, percent

_WORTH_SAYING = Fraction(1, 100)


def largest_charges(ledger: Ledger, baseline: Baseline, most: int) -> list[str]:
    """The lines that charge most, one sentence each, dearest first."""
    scale = Scale.of(ledger, baseline)
    return [f"{percent(scale.of_line(line), Fraction(1))} of the score: {_said(line)}" for line in dearest_lines(ledger, scale, most)]


def _said(line: LedgerLine) -> str:
    if line.axis == "storage":
        return f"{line.subject}, {figure(line.quantity)} × {line.bits} bit = {figure(line.amount)} words [{line.rule}]"
    kind = {"multiply": "multiply-class operations", "add": "adds"}.get(line.operation, "operations")
    return f"{line.subject}, {figure(line.quantity)} {kind} at {line.bits} bit = {figure(line.amount)} operations [{line.rule}]"


def left_on_the_table(evaluation: Evaluation) -> list[str]:
    """Sentences about what the measured facts would still allow; empty where the count or the track is unknown."""
    ledger, track = evaluation.ledger, evaluation.track
    if ledger is None or track is None:
        return []
    return [*_of_quality(evaluation), *_of_charges(ledger, Scale.of(ledger, track.baseline)), *_of_rounding(ledger), *_of_dead(ledger)]


def _of_quality(evaluation: Evaluation) -> Iterator[str]:
    quality = evaluation.quality
    if quality is not None and quality.met and (not isinstance(quality, Quality) or quality.correct > quality.target):
        yield f"The quality is {quality.margin} the target: the model may be compressed further."
    if isinstance(quality, Quality) and quality.ties:
        yield f"{quality.ties:,} answers tie with another class and count as wrong: outputs with more bits would tell them apart."


def _of_charges(ledger: Ledger, scale: Scale) -> Iterator[str]:
    def part(chosen: Callable[[LedgerLine], bool]) -> Fraction:
        return sum((scale.of_line(line) for line in ledger.lines if chosen(line)), Fraction(0))

    told: list[tuple[Callable[[LedgerLine], bool], str]] = [
        (lambda line: line.rule == "S7", "batch norms without a linear operator next to them to fold into (S7): move each next to one"),
        (lambda line: line.rule == "O9", "permutations of elements (O9): an order that is only moved is free"),
        (
            lambda line: line.operation == "add" and line.bits == 32,
            "adds at 32 bits (O12): fewer weights or outputs reduce them, a narrower format does not",
        ),
    ]
    if ledger.regime == "quantized":
        wide: Callable[[LedgerLine], bool] = lambda line: line.operation == "multiply" and line.bits == 32  # noqa: E731
        told.append((wide, "multiply-class operations on 32-bit values (O2): quantize what goes into them"))
        told.append((lambda line: line.axis == "storage" and line.bits == 32, "values stored at 32 bits (S1, S2): quantize or drop them"))
    for chosen, words in told:
        found = part(chosen)
        if found >= _WORTH_SAYING:
            yield f"{percent(found, Fraction(1))} of the score is {words}."


def _of_rounding(ledger: Ledger) -> Iterator[str]:
    found = dict.fromkeys((line.subject, line.scope) for line in ledger.lines if line.note == HINT)
    if found:
        first, _ = next(iter(found))
        yield f"{len(found):,} operator{'s round' if len(found) > 1 else ' rounds'} values ({first}): {HINT}."


def _of_dead(ledger: Ledger) -> Iterator[str]:
    for rule, words in (("S6", "constants"), ("O16", "operators")):
        found = [line for line in ledger.lines if line.rule == rule and not line.amount]
        if found:
            yield f"No output depends on {len(found):,} {words} of the file ({rule}): they cost nothing and may be left out."

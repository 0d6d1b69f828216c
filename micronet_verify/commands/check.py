"""``micronet-verify check``: a contestant's own look before handing in. The judge's code and verdicts, in kind words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from micronet_verify.commands import inputs
from micronet_verify.commands.exits import Command
from micronet_verify.commands.predictions import prediction_options
from micronet_verify.commands.terminal import console

if TYPE_CHECKING:
    from rich.console import Console

    from micronet_verify.evaluation import Evaluation
    from micronet_verify.reports.entry import EntryRecord
    from micronet_verify.stages.bench import Settings

LARGEST = 3


@click.command(cls=Command)
@click.argument("entry", type=click.Path(path_type=Path))
@click.option("--tracks", type=click.Path(path_type=Path), multiple=True, metavar="DIR", help="A folder of further track files.")
@prediction_options
@click.pass_context
def check(
    ctx: click.Context,
    entry: Path,
    tracks: tuple[Path, ...],
    settings: Settings,
) -> None:
    """Check ENTRY before you hand it in.

    The verdicts that the judges will reach, what the score is made of, and what to compress next.
    """
    from micronet_verify.checks.organizers import all_verdicts
    from micronet_verify.commands.judging import evaluated
    from micronet_verify.reports.entry import EntryRecord
    from micronet_verify.reports.outcomes import exit_code

    place, folders = inputs.one_entry(entry), inputs.track_folders(tracks)
    with evaluated(place, folders, settings) as evaluation:
        record = EntryRecord.of(evaluation, all_verdicts(evaluation))
        screen = console()
        _heading(screen, record)
        _verdicts(screen, record)
        _conclusion(screen, record)
        _score(screen, evaluation)
        _sampled(screen, record)
    ctx.exit(exit_code([record]))


def _heading(screen: Console, record: EntryRecord) -> None:
    from micronet_verify.reports.tables import safe

    screen.print(safe(f"{record.title} ({record.id})" if record.title else record.id, "bold"))
    if record.team:
        screen.print(safe(f"team {record.team}, track {record.track}, framework {record.framework}"))
    screen.print()


def _verdicts(screen: Console, record: EntryRecord) -> None:
    from micronet_verify.reports.entry import Asked
    from micronet_verify.reports.outcomes import verdict_grid

    told = [*record.verdicts_that("error"), *record.verdicts_that("failed"), *record.verdicts_that("passed")]
    grouped: dict[str, list[str]] = {}
    for verdict in record.verdicts_that("skipped"):
        # A rule that charges nothing here does not concern the entrant; a stage that was not reached does, or only in part.
        if {"stage", "partial"} & dict(verdict.evidence).keys():
            grouped.setdefault(verdict.message, []).append(verdict.check)
    for message, checks in grouped.items():
        told.append(Asked(checks[0] if len(checks) == 1 else f"{len(checks)} checks", "skipped", message))
    screen.print(verdict_grid(told))
    screen.print()


def _conclusion(screen: Console, record: EntryRecord) -> None:
    failed, passed = len(record.verdicts_that("failed")), len(record.verdicts_that("passed"))
    if record.outcome == "passed":
        screen.print(f"All {passed} checks that apply have passed: this entry is ready to be handed in.", style="green")
    elif record.outcome == "failed":
        counted = f"{passed} check{'' if passed == 1 else 's'} passed and {failed} did not."
        screen.print(f"{counted} Correct what is named at the top, then check again.", style="yellow")
    elif record.outcome == "error":
        screen.print(
            "This is not your entry's fault: the judge could not finish. Please show the organizers what is named at the top.",
            style="magenta",
        )
    elif record.partial is not None:
        share = f"{record.partial.examples:,} of {record.partial.of:,}"
        screen.print(f"Nothing is wrong so far, on {share} examples. Without --limit the target is decided.", style="yellow")
    else:
        screen.print("Nothing is wrong so far, but the entry was not judged to the end: see above what was skipped.", style="yellow")


def _score(screen: Console, evaluation: Evaluation) -> None:
    from micronet_verify.reports.advice import largest_charges, left_on_the_table
    from micronet_verify.reports.explanation import totals
    from micronet_verify.reports.regimes import regime_words
    from micronet_verify.reports.structure import structure_words
    from micronet_verify.reports.tables import bullets, safe

    count, ledger, track = evaluation.count, evaluation.ledger, evaluation.track
    if count is None or ledger is None or track is None:
        return
    screen.print()
    screen.print(safe("What the score is made of", "bold"))
    for part in totals(ledger, track.baseline):
        screen.print(part)
    screen.print(safe(regime_words(count, ledger, track.baseline)))
    if wired := structure_words(evaluation):
        screen.print(safe(wired, "yellow"))
    if evaluation.partial is not None and evaluation.shares:
        screen.print(safe(f"Operations behind branches are those of the first {evaluation.partial.share} examples.", "yellow"))
    for title, sentences in (
        ("What to compress next: the largest charges", largest_charges(ledger, track.baseline, LARGEST)),
        ("Left on the table", left_on_the_table(evaluation)),
    ):
        if sentences:
            screen.print()
            screen.print(safe(title, "bold"))
            screen.print(bullets(sentences))
    screen.print()
    screen.print(safe("micronet-verify explain shows every charge, docs/rules.md explains every rule."))


def _sampled(screen: Console, record: EntryRecord) -> None:
    from micronet_verify.reports.tables import safe

    screen.print(safe(f"Seed of this run: {record.seed} (--seed repeats it)."))

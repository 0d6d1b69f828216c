"""``micronet-verify explain``: where every charge comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from micronet_verify.commands import inputs
from micronet_verify.commands.exits import Command, Mistake
from micronet_verify.commands.terminal import console
from micronet_verify.errors import BenchFault, Problem, SpecError, SubmissionFault

if TYPE_CHECKING:
    from micronet_verify.counting.count import Count
    from micronet_verify.counting.ledger import Ledger
    from micronet_verify.track.track import Track


@click.command(cls=Command)
@click.argument("entry", type=click.Path(path_type=Path))
@click.option("--csv", "as_csv", is_flag=True, help="Print every line of the ledger as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with exact numbers.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the N dearest layers.")
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Layers by the first N parts of their module path.")
@click.option("--regime", type=click.Choice(["freebie", "quantized"]), help="Price it in this regime, not the cheaper one.")
@click.option("--rules", "edition", metavar="EDITION", help="For a bare model file: the edition of the counting rules.")
@click.option("--track", "track_name", metavar="NAME", help="For a bare model file: the track whose baseline makes the score.")
@click.option("--tracks", type=click.Path(path_type=Path), multiple=True, metavar="DIR", help="A folder of further track files.")
def explain(
    entry: Path,
    as_csv: bool,
    as_json: bool,
    top: int | None,
    depth: int | None,
    regime: str | None,
    edition: str | None,
    track_name: str | None,
    tracks: tuple[Path, ...],
) -> None:
    """Explain what ENTRY costs, charge by charge.

    ENTRY is an entry's directory or a bare model file. Layer by layer, with each charge's rule and formula.
    """
    others = [name for name, given in (("--json", as_json), ("--top", top), ("--depth", depth)) if given]
    if as_csv and others:
        raise Mistake(Problem(f"--csv with {' and '.join(others)}", "be alone: it prints every line of the ledger"))
    folders = inputs.track_folders(tracks)
    if entry.is_dir():
        if track_name or edition:
            raise Mistake(Problem(f"{'--track' if track_name else '--rules'} for an entry", "be left out: its manifest names the track"))
        title, count, track = _of_entry(entry, folders)
    else:
        title, count, track = _of_file(entry, edition, track_name, folders)
    ledger = _ledger(count, track, regime)
    if as_csv:
        from micronet_verify.reports.ledger import ledger_csv

        click.echo(ledger_csv(ledger), nl=False)
    elif as_json:
        import json

        from micronet_verify.reports.explanation_data import explanation_data

        data = {"entry": title, "track": track.name if track else None, "forfeited": count.forfeited}
        click.echo(json.dumps(data | explanation_data(ledger, track.baseline if track else None, top, depth), indent=1))
    else:
        _show(title, count, ledger, track, top, depth)


def _of_entry(entry: Path, folders: tuple[Path, ...]) -> tuple[str, Count, Track | None]:
    from micronet_verify.commands.judging import evaluated

    with evaluated(inputs.one_entry(entry), folders) as found:
        if found.count is not None and found.submission is not None:
            return f"{found.submission.manifest.title} ({found.id})", found.count, found.track
        fault = next(iter(found.faults.values()))
        kinds = {"entrant": SubmissionFault, "organizer": SpecError, "operator": BenchFault}
        raise kinds[fault.acts](fault.problems)


def _of_file(path: Path, edition: str | None, track_name: str | None, folders: tuple[Path, ...]) -> tuple[str, Count, Track | None]:
    if not path.exists():
        raise Mistake(Problem(f"{str(path)!r}", "be an entry's directory or a model file that exists"))
    path = inputs.model_file(path)
    track, rules = inputs.pricing(edition, track_name, folders)
    from micronet_verify.bare import count_file

    return path.name, count_file(path, rules).count, track


def _ledger(count: Count, track: Track | None, regime: str | None) -> Ledger:
    if regime is not None:
        for name, ledger in count.ledgers.items():
            if name == regime:
                return ledger
        why = f"{count.forfeited} (S5)" if count.forfeited else "the track's rules do not have it"
        raise Mistake(Problem(f"--regime {regime}", f"be {' or '.join(count.ledgers)}: {why}"))
    if track is not None:
        return count.cheapest(track.baseline.parameters, track.baseline.operations)
    # Without a baseline nothing says which axis weighs more: the first regime is freebie where it is open.
    return next(iter(count.ledgers.values()))


def _show(title: str, count: Count, ledger: Ledger, track: Track | None, top: int | None, depth: int | None) -> None:
    from micronet_verify.reports.explanation import explanation
    from micronet_verify.reports.regimes import regime_words
    from micronet_verify.reports.tables import safe

    screen, baseline = console(), track.baseline if track else None
    screen.print(safe(title, "bold"))
    screen.print(safe(f"Rules {ledger.edition}" + (f", track {track.title} ({track.name})" if track else "")))
    screen.print(safe(regime_words(count, ledger, baseline)))
    screen.print()
    for part in explanation(ledger, baseline, top, screen.width, depth):
        screen.print(part)

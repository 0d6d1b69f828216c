"""``micronet-verify explain``: where every charge comes from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from micronet_verify.commands import inputs
from micronet_verify.commands.dumping import dump_graph, dump_option
from micronet_verify.commands.exits import Command, Mistake
from micronet_verify.commands.priced import NamedCount, priced
from micronet_verify.commands.terminal import console
from micronet_verify.errors import Problem

if TYPE_CHECKING:
    from micronet_verify.counting.count import Count
    from micronet_verify.counting.ledger import Ledger
    from micronet_verify.track.rules import CountingRules
    from micronet_verify.track.track import Track


@click.command(cls=Command)
@click.argument("entry", type=click.Path(path_type=Path))
@click.option("--csv", "as_csv", is_flag=True, help="Print every line of the ledger as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with exact numbers.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the N most expensive layers.")
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Layers by the first N parts of their module path.")
@click.option("--regime", type=click.Choice(["freebie", "quantized"]), help="Price it in this regime, not the cheaper one.")
@click.option("--rules", "edition", metavar="EDITION", help="For a bare model file: the edition of the counting rules.")
@click.option("--track", "track_name", metavar="NAME", help="For a bare model file: the track whose baseline makes the score.")
@click.option("--readings", is_flag=True, help="Price it under every alternative reading of the rules' knobs.")
@click.option("--tracks", type=click.Path(path_type=Path), multiple=True, metavar="DIR", help="A folder of further track files.")
@dump_option
def explain(
    entry: Path,
    as_csv: bool,
    as_json: bool,
    top: int | None,
    depth: int | None,
    regime: str | None,
    edition: str | None,
    track_name: str | None,
    readings: bool,
    tracks: tuple[Path, ...],
    dump: Path | None,
) -> None:
    """Explain what ENTRY costs, charge by charge.

    ENTRY is an entry's directory or a bare model file. Layer by layer, with each charge's rule and formula.
    """
    others = [name for name, given in (("--json", as_json), ("--top", top), ("--depth", depth), ("--readings", readings)) if given]
    if as_csv and others:
        raise Mistake(Problem(f"--csv with {' and '.join(others)}", "be alone: it prints every line of the ledger"))
    folders = inputs.track_folders(tracks)
    with priced(entry, edition, track_name, folders) as found:
        if dump is not None:
            dump_graph(found.analysed, found.rules, dump)
        ledger = _ledger(found.count, found.track, regime)
        if as_csv:
            from micronet_verify.reports.ledger import ledger_csv

            click.echo(ledger_csv(ledger), nl=False)
        elif readings:
            _show_readings(found, as_json)
        elif as_json:
            import json

            from micronet_verify.reports.explanation_data import explanation_data

            baseline = found.track.baseline if found.track else None
            data = {"entry": found.title, "track": found.track.name if found.track else None, "forfeited": found.count.forfeited}
            click.echo(json.dumps(data | explanation_data(ledger, baseline, top, depth), indent=1))
        else:
            _show(found, ledger, top, depth)


def _show_readings(found: NamedCount, as_json: bool) -> None:
    from micronet_verify.counting.alternatives import read_again
    from micronet_verify.counting.score import Score
    from micronet_verify.reports.readings import readings_data, readings_table
    from micronet_verify.reports.tables import safe

    if found.track is None:
        raise Mistake(Problem("--readings of a bare file without --track", "name the track whose baseline makes the score"))
    baseline = found.track.baseline

    def score(rules: CountingRules) -> Fraction | None:
        if rules.regimes == "freebie" and found.count.forfeited:
            return None
        return Score.of(found.recount(rules).cheapest(baseline.parameters, baseline.operations), baseline).value

    read = read_again(score, found.rules)
    if as_json:
        import json

        click.echo(json.dumps({"entry": found.title, "track": found.track.name} | readings_data(read), indent=1))
        return
    screen = console()
    screen.print(safe(f"{found.title}, rules {found.rules.edition}", "bold"))
    for part in readings_table(read):
        screen.print(part)


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


def _show(found: NamedCount, ledger: Ledger, top: int | None, depth: int | None) -> None:
    from micronet_verify.reports.explanation import explanation
    from micronet_verify.reports.regimes import regime_words
    from micronet_verify.reports.tables import safe
    from micronet_verify.wording.numbers import figure

    screen, track = console(), found.track
    baseline = track.baseline if track else None
    screen.print(safe(found.title, "bold"))
    screen.print(safe(f"Rules {ledger.edition}" + (f", track {track.title} ({track.name})" if track else "")))
    screen.print(safe(regime_words(found.count, ledger, baseline)))
    screen.print()
    for part in explanation(ledger, baseline, top, screen.width, depth):
        screen.print(part)
    if found.branches is not None:
        for name, (first, second) in found.branches.taken.items():
            screen.print(safe(f"Branch {name}: {first:,} of {first + second:,} examples that reached it took its first body (O13)."))
        if found.branches.least is not None and found.branches.most is not None:
            screen.print(safe(f"One example costs {figure(found.branches.least)} to {figure(found.branches.most)} operations."))
    peak = found.count.peak_activations
    better = "" if peak.best == peak.listed else f", {figure(Fraction(peak.best, 8))} bytes in a better order"
    screen.print(safe(f"Activations need {figure(Fraction(peak.listed, 8))} bytes at once, at {peak.at}{better} (not scored)."))

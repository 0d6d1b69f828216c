"""``micronet-verify data``: which data sets are on this machine, and whether they are what the tracks say."""

from __future__ import annotations

from pathlib import Path

import click

from micronet_verify.commands import inputs
from micronet_verify.commands.exits import OPERATOR, PASSED, Command
from micronet_verify.commands.terminal import console

STYLES = {"found": "green", "missing": "yellow", "wrong": "red"}


@click.command(cls=Command)
@click.argument("names", nargs=-1, metavar="[TRACK]...")
@click.option("--data", "root", type=click.Path(path_type=Path), metavar="DIR", help="The folder of data sets.  [default: $MICRONET_DATA]")
@click.option("--tracks", type=click.Path(path_type=Path), multiple=True, metavar="DIR", help="A folder of further track files.")
@click.pass_context
def data(ctx: click.Context, names: tuple[str, ...], root: Path | None, tracks: tuple[Path, ...]) -> None:
    """Look for the data sets of every track, or of each TRACK: count them, compare digests, and say what is missing and where it goes.

    Exit code 3 if something is wrong, or if the data of a TRACK that was named is missing.
    """
    root, folders = inputs.data_folder(root), inputs.track_folders(tracks)

    from rich.text import Text

    from micronet_verify.quality.datasets.folders import cache_folder, data_root
    from micronet_verify.quality.survey import survey
    from micronet_verify.reports.tables import safe
    from micronet_verify.reports.texts import one_line
    from micronet_verify.track.library import track_names

    screen = console()
    where = data_root(root)
    screen.print(safe(f"Data sets are looked for in {where}" if where else "No folder of data sets is named."))
    failed = False
    for name in names or track_names(folders):
        track = inputs.track_named(name, folders)
        screen.print()
        screen.print(safe(f"{track.title} ({track.name}): {track.dataset.name}, split {track.dataset.split}", "bold"))
        for finding in survey(track.dataset, cache_folder(), root):
            screen.print(Text.assemble((f"{finding.state:<8}", STYLES[finding.state]), one_line(finding.words)), soft_wrap=True)
            failed |= finding.state == "wrong" or (finding.state == "missing" and bool(names))
    ctx.exit(OPERATOR if failed else PASSED)

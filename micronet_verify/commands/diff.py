"""``micronet-verify diff``: two entries, or two versions of one, layer by layer."""

from __future__ import annotations

from pathlib import Path

import click

from micronet_verify.commands import inputs
from micronet_verify.commands.exits import Command
from micronet_verify.commands.terminal import console


@click.command(cls=Command)
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with exact numbers.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the N layers that differ most.")
@click.option("--track", "track_name", metavar="NAME", help="For bare model files: the track whose baseline makes the score.")
@click.option("--tracks", type=click.Path(path_type=Path), multiple=True, metavar="DIR", help="A folder of further track files.")
def diff(before: Path, after: Path, as_json: bool, top: int | None, track_name: str | None, tracks: tuple[Path, ...]) -> None:
    """Compare what BEFORE and AFTER cost, layer by layer.

    Each is an entry's directory or a bare model file. Layers are compared by their module path.
    """
    from micronet_verify.commands.priced import priced
    from micronet_verify.reports.comparison import comparison_data, comparison_table
    from micronet_verify.reports.tables import safe

    folders = inputs.track_folders(tracks)
    with priced(before, None, track_name, folders) as one, priced(after, None, track_name, folders) as other:
        baseline = one.track.baseline if one.track and other.track and one.track.baseline == other.track.baseline else None
        if as_json:
            import json

            click.echo(json.dumps(comparison_data(one.ledger, other.ledger, baseline), indent=1))
            return
        screen = console()
        screen.print(safe(f"{one.title} → {other.title}", "bold"))
        for part in comparison_table(one.ledger, other.ledger, baseline, top):
            screen.print(part)

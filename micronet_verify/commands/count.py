"""``micronet-verify count``: any model file, without a manifest."""

from __future__ import annotations

from pathlib import Path

import click

from micronet_verify.commands import inputs
from micronet_verify.commands.dumping import dump_graph, dump_option
from micronet_verify.commands.exits import FAILED, Command
from micronet_verify.commands.terminal import console


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rules", "edition", metavar="EDITION", help="The edition of the counting rules.  [default: micronet-2019]")
@click.option(
    "--track", "track_name", metavar="NAME", help="Score against this track's baseline, by its rules unless --rules says otherwise."
)
@click.option("--tracks", type=click.Path(path_type=Path), multiple=True, metavar="DIR", help="A folder of further track files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with exact numbers.")
@dump_option
@click.pass_context
def count(
    ctx: click.Context, file: Path, edition: str | None, track_name: str | None, tracks: tuple[Path, ...], as_json: bool, dump: Path | None
) -> None:
    """Count FILE, any model, without a manifest.

    Storage and operations of a model file, or of a SavedModel's directory, in both regimes. An operator that the rules do not
    price is an error, by name and place (exit code 1).
    """
    path, folders = inputs.model_file(file), inputs.track_folders(tracks)
    track, rules = inputs.pricing(edition, track_name, folders)
    baseline = track.baseline if track else None

    import json

    from micronet_verify.errors import SubmissionFault
    from micronet_verify.reports.prices import prices_data, prices_table
    from micronet_verify.reports.tables import safe
    from micronet_verify.stages.model_file import count_file

    try:
        found = count_file(path, rules, show=lambda analysed: dump_graph(analysed, rules, dump) if dump else None)
    except SubmissionFault as fault:
        if not as_json:
            raise
        click.echo(
            json.dumps({"file": path.name, "edition": rules.edition, "errors": [str(problem) for problem in fault.problems]}, indent=1)
        )
        ctx.exit(FAILED)
    if as_json:
        data = {
            "file": path.name,
            "sha256": found.artifact.sha256,
            "size": found.artifact.size,
            "framework": found.framework,
            "edition": rules.edition,
            "track": track.name if track else None,
            "forfeited": found.count.forfeited,
            "regimes": prices_data(found.count, baseline),
        }
        click.echo(json.dumps(data, indent=1))
        return
    screen = console()
    screen.print(safe(f"{path.name}: {found.framework}, {found.artifact.size:,} bytes, SHA-256 {found.artifact.sha256[:16]}…"))
    screen.print(safe(f"Rules {rules.edition}" + (f", baseline of {track.title} ({track.name})" if track else "")))
    screen.print()
    screen.print(prices_table(found.count, baseline))
    if found.count.forfeited:
        screen.print()
        screen.print(safe(f"The freebie regime is forfeited (S5): {found.count.forfeited}."))

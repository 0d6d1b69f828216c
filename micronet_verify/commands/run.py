"""``micronet-verify run``: judge every entry of a folder, show how far it is, then what came out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from micronet_verify.commands import inputs
from micronet_verify.commands.exits import FAILED, OPERATOR, PASSED, USAGE, Command, Mistake
from micronet_verify.commands.limits import without_limits
from micronet_verify.commands.predictions import prediction_options
from micronet_verify.commands.progress import DONE, progress
from micronet_verify.commands.terminal import console
from micronet_verify.errors import Problem

if TYPE_CHECKING:
    from micronet_verify.reports.entry import EntryRecord
    from micronet_verify.stages.bench import Settings

# Of pytest: interrupted, internal error, wrong usage, nothing collected.
_INTERRUPTED, _INTERNAL, _USAGE, _NOTHING = 2, 3, 4, 5
_BY_SIGNAL = 130


@click.command(cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--report", default="report", show_default=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the reports go.")
@click.option("--tracks", type=click.Path(path_type=Path), multiple=True, metavar="DIR", help="A folder of further track files.")
@prediction_options
@click.option("--entry", "globs", multiple=True, metavar="GLOB", help="Only entries whose id matches, such as 'digits/*'.")
@click.option("-n", "judges", type=click.IntRange(min=1), metavar="N", help="Entries judged at once.  [default: one per processor]")
@click.option("-k", "expression", metavar="EXPR", help="Only cases whose name matches, as in pytest: -k 'quality and pruned'.")
@click.option("--no-limits", "unlimited", is_flag=True, help="Lift the tracks' limits of time and memory, for a slower machine.")
@click.option("-x", "first", is_flag=True, help="Stop at the first failure.")
def run(
    folder: Path,
    report: Path,
    tracks: tuple[Path, ...],
    settings: Settings,
    globs: tuple[str, ...],
    judges: int | None,
    expression: str | None,
    unlimited: bool,
    first: bool,
) -> None:
    """Judge every entry below DIR and write the reports.

    \b
    An entry is a directory with a submission.yaml. Reports:
      report/leaderboard.md         the ranking of every track
      report/junit.xml              every verdict, for other programs
      report/ENTRY/ledger.csv       every charge
      report/ENTRY/evidence.json    the verdicts and what they rest on
    """
    entries = inputs.entries(folder)
    total = len(inputs.chosen(entries, globs))
    folders = inputs.track_folders(tracks)
    inputs.check_tracks(folders)
    inputs.report_folder(report, entries)

    from micronet_verify.submission.directory import misnamed
    from micronet_verify.suite.run import run_suite

    records: dict[str, EntryRecord] = {}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="micronet-tracks-") as wide, progress(total) as tell:

        def told(entry: str, stage: str, record: EntryRecord | None) -> None:
            if stage == DONE and record is not None:
                records[entry] = record
            tell(entry, stage, record)

        if unlimited:
            without_limits(folders, Path(wide))
            folders = (Path(wide), *folders)
        extra = ["-p", "no:terminal", *(["-k", expression] if expression else []), *(["-x"] if first else [])]
        code = run_suite(folder, report, folders, globs, judges, extra, told, settings)
    if code == _NOTHING:
        raise Mistake(Problem(f"-k {expression!r}, which matches no case", "match one, such as -k quality"))
    found = [records[id] for id in sorted(records)]
    if code == _INTERRUPTED:
        click.echo("Interrupted: what was judged until then follows.", err=True)
    if found:
        _show(
            found,
            report,
            time.monotonic() - started,
            settings.seed or "",
            total,
            [str(path.relative_to(folder)) for path in misnamed(folder, entries)],
        )
    if unlimited:
        click.echo("The tracks' limits of time and memory were lifted in this run.", err=True)
    raise click.exceptions.Exit(_exit_code(code, found, expression is not None))


def _show(records: Sequence[EntryRecord], report: Path, seconds: float, seed: str, total: int, misnamed: Sequence[str]) -> None:
    from micronet_verify.framework.installed import installed
    from micronet_verify.reports.files import JUNIT, LEADERBOARD
    from micronet_verify.reports.summary import summary
    from micronet_verify.reports.tables import safe
    from micronet_verify.submission.manifest import MANIFEST

    screen = console()
    for part in summary(records, screen.width):
        screen.print(part)
    for name in misnamed:
        got = Problem(f"the file {name!r}, which was not judged,", f"be called {MANIFEST}")
        screen.print(safe(str(got), "yellow"))
    if len(records) < total:
        screen.print(safe(f"{total - len(records)} of {total} entries were not judged in this run.", "yellow"))
    for broken in installed().broken:
        screen.print(safe(f"A plugin does not work: {broken.problem}", "yellow"))
    screen.print(safe(f"Seed of this run: {seed} (--seed repeats it)."))
    screen.print(safe(f"Judged in {seconds:.1f} s. Reports:"))
    for name in (LEADERBOARD, JUNIT):
        screen.print("  ", safe(str(report / name)), sep="", soft_wrap=True)  # a path stays in one piece


def _exit_code(code: int, records: Sequence[EntryRecord], chosen_cases: bool) -> int:
    """pytest's code tells how the run ended, the records what came out. Where only some cases were chosen, they alone decide."""
    from micronet_verify.reports.outcomes import exit_code

    if code == _INTERRUPTED:
        return _BY_SIGNAL
    if code == _INTERNAL:
        return OPERATOR
    if code == _USAGE:  # track files were read before, so it is how the command was called; pytest has said what
        return USAGE
    if chosen_cases and code == PASSED:
        return PASSED
    # A case that failed although every verdict passed is a fault of the judge.
    return exit_code(records) or (OPERATOR if code == FAILED else PASSED)

"""``--dump-graph DIR``, an option of several commands: the graph behind each pass of the analysis, as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from micronet_verify.commands.exits import Mistake
from micronet_verify.errors import Problem

if TYPE_CHECKING:
    from micronet_verify.counting.analysed import Analysed
    from micronet_verify.track.rules import CountingRules

F = TypeVar("F", bound=Callable[..., None])


def dump_option(command: F) -> F:
    """The option, handed on as ``dump``."""
    return click.option(
        "--dump-graph", "dump", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
        help="Write the graph after each pass of the analysis into DIR, as text and JSON.",
    )(command)  # fmt: skip


def dump_graph(analysed: Analysed, rules: CountingRules, folder: Path) -> None:
    """Write what the passes make of a model under ``rules``. Raises ``Mistake`` for a folder with files in it."""
    from micronet_verify.reports.graph_dump import GraphDump

    if folder.exists() and any(folder.iterdir()):
        raise Mistake(Problem(f"--dump-graph {str(folder)!r} with files in it", "be an empty folder, or one that is not there yet"))
    analysed.show_passes(rules, GraphDump(folder, analysed.graph))

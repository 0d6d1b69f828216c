"""``micronet-verify plugins``: what this installation can judge."""

from __future__ import annotations

import click

from micronet_verify.commands.exits import Command
from micronet_verify.commands.terminal import console


@click.command(cls=Command)
def plugins() -> None:
    """Show which frameworks this installation can judge.

    With the versions of what they need, and what an entry of a missing one is told.
    """
    from rich.text import Text

    from micronet_verify.errors import MicronetError
    from micronet_verify.framework.registry import KNOWN, framework_named, frameworks, incomplete
    from micronet_verify.quality.registry import METRICS, metrics, readers
    from micronet_verify.reports.texts import one_line

    screen = console()
    for name, framework in frameworks().items():
        screen.print(Text.assemble((one_line(name), "bold"), f"  reads {', '.join(framework.suffixes)}"))
        for package, version in sorted(framework.version().items()):
            screen.print(Text(f"  {one_line(package)} {one_line(version) if version else 'is not installed'}"))
        if lack := incomplete(framework):
            screen.print(Text(f"  its entries are counted and not run; they are told: {one_line(str(lack))}"))
    screen.print(Text.assemble(("data sets", "bold"), f"  {', '.join(map(one_line, readers()))}"))
    screen.print(Text.assemble(("metrics", "bold"), f"  {', '.join(map(one_line, (*METRICS, *metrics())))}"))
    for name in KNOWN:
        if name not in frameworks():
            screen.print(Text.assemble((name, "bold"), "  not installed; an entry of it is told:"))
            try:
                framework_named(name)
            except MicronetError as error:
                for problem in error.problems:
                    screen.print(Text(f"  {one_line(str(problem))}"))

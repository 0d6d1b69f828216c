"""``micronet-verify plugins``: what this installation can judge, and which of its plugins are broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from micronet_verify.commands.exits import Command
from micronet_verify.commands.terminal import console

if TYPE_CHECKING:
    from micronet_verify.framework.protocols import Framework


@click.command(cls=Command)
def plugins() -> None:
    """Show which frameworks this installation can judge.

    With the versions of what they need, what the entries of a missing one are told, and every plugin that does not work.
    """
    from rich.text import Text

    from micronet_verify.checks import organizers as checks
    from micronet_verify.framework.registry import KNOWN, frameworks, offers
    from micronet_verify.quality.registry import METRICS, metrics, readers
    from micronet_verify.reports import organizers as reports
    from micronet_verify.reports.texts import one_line

    screen = console()
    for name, framework in frameworks().items():
        screen.print(Text.assemble((one_line(name), "bold"), f"  reads {', '.join(framework.suffixes)}"))
        for line in _about(framework):
            screen.print(Text(f"  {one_line(line)}"))
    screen.print(Text.assemble(("data sets", "bold"), f"  {', '.join(map(one_line, readers()))}"))
    screen.print(Text.assemble(("metrics", "bold"), f"  {', '.join(map(one_line, (*METRICS, *metrics())))}"))
    for title, found in (("checks", checks.names()), ("reports", tuple(reports.offers().usable))):
        if found:
            screen.print(Text.assemble((title, "bold"), f"  {', '.join(map(one_line, found))}"))
    for name in KNOWN:
        if name not in frameworks() and not offers().lost(name):
            screen.print(Text.assemble((name, "bold"), "  not installed; its entries get the message:"))
            for line in _told(name):
                screen.print(Text(f"  {one_line(line)}"))
    for title, lines in _troubles():
        screen.print(Text.assemble((one_line(title), "bold")))
        for line in lines:
            screen.print(Text(f"  {one_line(line)}"))


def _about(framework: Framework) -> Iterator[str]:
    """The versions of what a framework needs, and what is missing of it."""
    from micronet_verify.errors import BenchFault
    from micronet_verify.framework.registry import incomplete, versions

    try:
        for package, version in sorted(versions(framework).items()):
            yield f"{package} {version or 'is not installed'}"
        if lack := incomplete(framework):
            yield f"its entries are counted but not run, with the message: {lack}"
    except BenchFault as fault:
        yield f"its entries are counted but not run, with the message: {fault}"


def _told(name: str) -> Iterator[str]:
    from micronet_verify.errors import MicronetError
    from micronet_verify.framework.registry import framework_named

    try:
        framework_named(name)
    except MicronetError as error:
        yield from map(str, error.problems)


def _troubles() -> Iterator[tuple[str, list[str]]]:
    """Plugins that bring less than they should, or print, each with its sentences."""
    from micronet_verify.checks import organizers as checks
    from micronet_verify.framework.installed import installed
    from micronet_verify.framework.registry import offers
    from micronet_verify.quality.registry import metric_offers, reader_offers
    from micronet_verify.reports import organizers as reports

    found: dict[str, list[str]] = {}
    kinds = (offers(), reader_offers(), metric_offers(), checks.offers(), reports.offers())
    for each in dict.fromkeys((*installed().broken, *(each for kind in kinds for each in kind.broken))):
        found.setdefault(each.origin.place, []).append(str(each.problem))
    for place, sentences in sorted(found.items()):
        yield f"{place} does not work", sentences
    for plugin in installed().plugins:
        if plugin.printed:
            problem = plugin.origin.problem(f"{plugin.printed!r} printed at import", "print nothing")
            yield f"{plugin.origin.place} prints", [str(problem)]

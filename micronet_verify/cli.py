"""The command ``micronet-verify``. Commands import what they need when they run, so that ``--help`` answers at once."""

from __future__ import annotations

import sys

import click

from micronet_verify.commands.check import check
from micronet_verify.commands.count import count
from micronet_verify.commands.data import data
from micronet_verify.commands.diff import diff
from micronet_verify.commands.explain import explain
from micronet_verify.commands.plugins import plugins
from micronet_verify.commands.run import run


class _Commands(click.Group):
    """Lists the commands in the order in which people meet them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group("micronet-verify", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="micronet-verify", prog_name="micronet-verify")
def main() -> None:
    """Judge compressed neural networks from their bytes.

    \b
    Exit codes: 0 all passed, 1 an entry failed, 2 wrong usage,
    3 the machine or the installation is at fault, 4 a track file is.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character still shows the rest


for command in (run, check, explain, diff, count, data, plugins):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="micronet-verify")

"""Exit codes, and how a fault becomes a sentence and a code instead of a traceback."""

from __future__ import annotations

from typing import Any

import click

from micronet_verify.errors import BenchFault, MicronetError, Problem, SpecError, SubmissionFault

PASSED = 0
FAILED = 1
USAGE = 2
OPERATOR = 3
SPEC = 4
_CODES: dict[type[MicronetError], int] = {SubmissionFault: FAILED, BenchFault: OPERATOR, SpecError: SPEC}


class Mistake(click.ClickException):
    """The user asked for what is not there: one sentence, exit code 2."""

    exit_code = USAGE

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))


class Command(click.Command):
    """A command whose faults are sentences on stderr, one a line, and an exit code by who must act."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MicronetError as error:
            from micronet_verify.reports.texts import one_line

            for problem in error.problems:
                click.echo(f"Error: {one_line(str(problem))}", err=True)
            ctx.exit(_CODES.get(type(error), OPERATOR))

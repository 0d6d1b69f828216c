"""The options of ``run`` and ``check`` that say how models are predicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from micronet_verify.commands import inputs
from micronet_verify.commands.exits import Mistake

if TYPE_CHECKING:
    from micronet_verify.stages.bench import Settings

OPTIONS = {"limit": "--limit", "batch_size": "--batch-size", "device": "--device", "seed": "--seed"}


def prediction_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--data``, ``--limit``, ``--device``, ``--batch-size`` and ``--seed``; the command gets them as ``settings``."""

    @wraps(command)
    def with_settings(
        *args: Any, data: Path | None, limit: int | None, device: str, batch_size: int | None, seed: str | None, **others: Any
    ) -> Any:
        return command(*args, settings=_settings(data, limit, device, batch_size, seed), **others)

    options = (
        click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="The folder of data sets.  [default: $MICRONET_DATA]"),
        click.option("--limit", type=int, metavar="N", help="A smoke run: only the first N examples. Verdicts are partial, nobody ranks."),
        click.option("--device", default="cpu", show_default=True, metavar="NAME", help="What models run on: cpu, or cuda."),
        click.option("--batch-size", type=int, metavar="N", help="Examples predicted at a time.  [default: what suits the machine]"),
        click.option("--seed", metavar="HEX", help="Draw the same samples as the run with this seed.  [default: a new seed]"),
    )
    for option in reversed(options):
        with_settings = option(with_settings)
    return with_settings


def _settings(data: Path | None, limit: int | None, device: str, batch_size: int | None, seed: str | None) -> Settings:
    """The settings, their seed drawn where none is given. Raises ``Mistake`` for a value that cannot be."""
    from micronet_verify.sandbox.sampling import draw_seed
    from micronet_verify.stages.bench import Settings, wrong_settings

    settings = Settings(inputs.data_folder(data), limit, device, batch_size, seed)
    for problem in wrong_settings(settings, OPTIONS):
        raise Mistake(problem)
    return settings if seed else replace(settings, seed=draw_seed())

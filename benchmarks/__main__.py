"""``python -m benchmarks [NAME ...]``: every promise about time and memory, measured in one run beside what one would use instead."""

from __future__ import annotations

import importlib
import json
import os
import platform
import tempfile
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path

import click
from rich.console import Console

from benchmarks.figures import Row, as_data, one_line, show
from benchmarks.settings import Settings

NAMES = ("help", "count", "scan", "graph", "readings", "wiring", "predict", "steps", "images", "tflite", "prove", "suite")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(1), help="Measurements of each contender; medians are printed."
)
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write every figure to FILE.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this network (graph, predict) or tensor (scan); may be repeated.")
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep exported networks in this folder for the next run (4 GB)."
)
@click.option("--tiny", is_flag=True, help="Small networks, to see that everything runs; the figures mean nothing.")
def main(names: tuple[str, ...], repeats: int, file: Path | None, only: tuple[str, ...], keep: Path | None, tiny: bool) -> None:
    """Measure the promises NAME ... (all of them by default) and print one table. Exit code 1 if one does not hold."""
    rows: list[Row] = []
    screen = Console(width=None if os.environ.get("COLUMNS") else 150, highlight=False)
    with ExitStack() as stack:
        work = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="micronet-bench-")))
        work.mkdir(parents=True, exist_ok=True)
        settings = Settings(repeats, tiny, work.absolute(), keep is not None, only)
        for name in dict.fromkeys(names or NAMES):
            module = importlib.import_module(f"benchmarks.promises.{name}")
            for row in module.rows(settings):
                rows.append(row)
                click.echo(one_line(row), err=True)
    screen.print(machine())
    show(rows, screen)
    if file is not None:
        file.write_text(json.dumps({"machine": machine(), "repeats": repeats, "rows": as_data(rows)}, indent=1) + "\n", encoding="utf-8")
    raise SystemExit(any(row.held is False for row in rows) and not tiny)


def machine() -> str:
    """Where this ran, in one line."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "onnxruntime", "numpy"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores ({platform.machine()}), load {load}; Python {platform.python_version()}, {versions}"


if __name__ == "__main__":
    main()

"""Judging one entry for a command: in a temporary folder of the judge's, with a word on stderr for each stage."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from micronet_verify.commands.terminal import console

if TYPE_CHECKING:
    from micronet_verify.evaluation import Evaluation
    from micronet_verify.stages.bench import Settings
    from micronet_verify.submission.directory import EntryPath

STAGES = {
    "manifest": "reading the manifest",
    "track": "looking up the track",
    "export": "sealing the model",
    "translate": "translating the model",
    "predict": "running the model on the test set",
    "count": "counting",
    "prove": "proving the count",
    "quality": "comparing answers",
}


@contextmanager
def evaluated(entry: EntryPath, tracks: Sequence[Path], settings: Settings | None = None) -> Iterator[Evaluation]:
    """The entry's evaluation; its files live as long as the ``with`` block."""
    from micronet_verify.evaluation import evaluate
    from micronet_verify.reports.texts import one_line
    from micronet_verify.sandbox.launcher import ProcessLauncher
    from micronet_verify.stages.bench import DEFAULTS, Bench

    screen = console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="micronet-judge-", ignore_cleanup_errors=True) as work:
        bench = Bench.of(Path(work), tuple(tracks), ProcessLauncher(), settings or DEFAULTS)
        try:
            # What a plugin's reader or metric prints stays out of what the command prints, which may be JSON.
            with redirect_stdout(sys.stderr):
                if sys.stderr.isatty():
                    with screen.status("starting") as status:
                        told = evaluate(
                            entry.path, entry.id, bench, lambda id, stage: status.update(f"{one_line(id)}: {STAGES.get(stage, stage)}")
                        )
                else:
                    told = evaluate(entry.path, entry.id, bench)
        finally:
            bench.preparing.stop()
        yield told

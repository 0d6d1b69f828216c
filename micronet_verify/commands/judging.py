"""Judging one entry for a command: in a temporary folder of the judge's, with a word on stderr for each stage."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from micronet_verify.commands.terminal import console

if TYPE_CHECKING:
    from micronet_verify.evaluation import Evaluation
    from micronet_verify.submission.directory import EntryPath

STAGES = {
    "manifest": "reading the manifest",
    "track": "looking up the track",
    "export": "sealing the model",
    "translate": "translating the model",
    "predict": "running the model on the test set",
    "count": "counting",
    "quality": "comparing answers",
}


@contextmanager
def evaluated(entry: EntryPath, tracks: Sequence[Path], data: Path | None = None) -> Iterator[Evaluation]:
    """The entry's evaluation; its files live as long as the ``with`` block."""
    from micronet_verify.evaluation import Bench, evaluate
    from micronet_verify.reports.texts import one_line

    screen = console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="micronet-judge-", ignore_cleanup_errors=True) as work:
        if not sys.stderr.isatty():
            yield evaluate(entry.path, entry.id, Bench(Path(work), tuple(tracks), data=data))
            return
        with screen.status("starting") as status:
            told = evaluate(
                entry.path,
                entry.id,
                Bench(Path(work), tuple(tracks), data=data),
                lambda id, stage: status.update(f"{one_line(id)}: {STAGES.get(stage, stage)}"),
            )
        yield told

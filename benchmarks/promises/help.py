"""The command's start: ``--help`` answers at once, because no framework is imported for it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import Program, interleaved
from benchmarks.settings import Settings

SECONDS = Limit("ours", 0.3)


def rows(settings: Settings) -> Iterator[Row]:
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(prefix="micronet-bench-") as folder:
        empty = Path(folder)
        found = interleaved(
            {
                "ours": Program((str(scripts / "micronet-verify"), "--help"), empty),
                "python -c pass": Program((sys.executable, "-c", "pass"), empty),
                # As pytest alone would start: our plugin would be part of its time.
                "pytest --help": Program((str(scripts / "pytest"), "--help", "-p", "no:micronet_verify"), empty),
            },
            settings.repeats if settings.tiny else 3 * settings.repeats,
        )
    for other in ("python -c pass", "pytest --help"):
        yield seconds_row("help", "micronet-verify --help", found["ours"], other, found[other], SECONDS)

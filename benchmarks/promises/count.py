"""Counting WideResNet-28-10 (36.5 million values, all scanned): under a second, and the file plus 50 MB of memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import networks
from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import Contender, Program, Task, interleaved
from benchmarks.rivals import rivals
from benchmarks.settings import Settings

SECONDS = Limit("ours", 1.0)
ROOM = 50_000_000


def rows(settings: Settings) -> Iterator[Row]:
    name = "tiny" if settings.tiny else "wrn-28-10"
    for subject, path, reason in networks.files(name, networks.FORMATS, settings):
        if path is None:
            yield Row("count", subject, None, limit=SECONDS, note=reason)
        else:
            yield from _file_rows(subject, name, path, settings)


def _file_rows(subject: str, name: str, path: Path, settings: Settings) -> Iterator[Row]:
    others = rivals(name, str(path))
    command = Program((str(Path(sys.executable).with_name("micronet-verify")), "count", str(path)))
    contenders: dict[str, Contender] = {"ours": Task("benchmarks.counted:counting", {"path": str(path)}), **others, "command": command}
    found = interleaved(contenders, settings.repeats)
    room = Limit("ours", path.stat().st_size + ROOM)
    for other in others or [""]:
        yield seconds_row("count", subject, found["ours"], other, found.get(other), SECONDS)
    for other in others or [""]:
        theirs = found[other].peak if other else None
        yield Row("count", f"{subject}, peak memory", found["ours"].peak, other, theirs, "MB", room)
    yield seconds_row("count", f"{subject}, the command, start to end", found["command"])

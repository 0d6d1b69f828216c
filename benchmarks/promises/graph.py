"""Graph work of every reference network (translate, analyse, price; no value looked at), and the scan of its values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import networks
from benchmarks.figures import Limit, Row
from benchmarks.harness import Contender, Measurement, Task, interleaved
from benchmarks.rivals import rivals
from benchmarks.settings import Settings

SECONDS = Limit("ours", 0.3)
SCAN = Limit("ratio", 10.0)
ROOM = 50_000_000


def rows(settings: Settings) -> Iterator[Row]:
    for name in ["tiny"] if settings.tiny else (settings.only or networks.names()):
        for subject, path, reason in networks.files(name, networks.FORMATS[: 1 if settings.tiny else None], settings):
            if path is None:
                yield Row("graph", subject, None, limit=SECONDS, note=reason)
            else:
                yield from _file_rows(name, path, settings)


def _file_rows(name: str, path: Path, settings: Settings) -> Iterator[Row]:
    others = rivals(name, str(path))
    others.pop("torch flop_counter", None)  # stands beside ours in the benchmark ``count``
    contenders: dict[str, Contender] = {
        "ours": Task("benchmarks.counted:counting", {"path": str(path), "apart": True}),
        "scan": Task("benchmarks.counted:scanning", {"path": str(path)}),
    }
    # The other counters take up to a minute for one network, and no promise depends on them: once is enough.
    found = interleaved(contenders, settings.repeats) | interleaved(others, 1)
    ours, scan = found["ours"], found["scan"]
    work = None if ours.seconds is None else ours.seconds - ours.figure("scan")
    busy = None if ours.cpu is None else ours.cpu - ours.figure("scan")
    for other in others or [""]:
        theirs = found[other] if other else Measurement()
        note = "; ".join(filter(None, (ours.reason, theirs.reason)))
        yield Row("graph", path.name, work, other, theirs.seconds, limit=SECONDS, note=note, cpu=(busy, theirs.cpu))
    subject = f"{path.name}, values scanned"
    yield Row("graph", subject, scan.figure("scan"), "np.copyto", scan.figure("copy"), limit=SCAN, note=scan.reason)
    largest = ours.figure("largest")
    if largest is not None:
        most = path.stat().st_size + largest + ROOM
        yield Row("graph", f"{path.name}, peak memory", ours.peak, unit="MB", limit=Limit("ours", most))

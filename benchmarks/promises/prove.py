"""Every reference network proved in both regimes, on four examples: it must hold, and takes so long and so much memory."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import networks, proved
from benchmarks.figures import Limit, Row
from benchmarks.harness import Measurement, NotMeasured, Task, interleaved
from benchmarks.settings import Settings

REGIMES = ("freebie", "quantized")
# Both formats make the same network; tests prove some of either.
FORMAT = "pt2"
# From the translated graph on.
SECONDS, SHORT = Limit("ours", 4.0), ("efficientnet-b0",)
# In sizes of the file, of a network that is mostly stored values.
TIMES, STORED = 2, ("lstm",)


def rows(settings: Settings) -> Iterator[Row]:
    for name in ["tiny"] if settings.tiny else (settings.only or networks.names()):
        subject = f"{name}.{FORMAT}"
        try:
            path = proved.file_of(name, FORMAT, settings)
        except NotMeasured as reason:
            yield Row("prove", subject, None, note=str(reason))
            continue
        size = float(path.stat().st_size)
        contenders = {regime: Task("benchmarks.proved:proving", {"path": str(path), "regime": regime}) for regime in REGIMES}
        for regime, found in interleaved(contenders, settings.repeats).items():
            limit, memory = (SECONDS if name in SHORT else None), (Limit("ours", TIMES * size) if name in STORED else None)
            run, cpu = found.figure("run"), (found.cpu, found.figure("run"))
            yield Row("prove", f"{subject}, {regime}", found.seconds, "4 runs in float32", run, "s", limit, _told(found), cpu)
            yield Row("prove", f"{subject}, {regime}, peak memory", found.peak, "the file", size, "MB", memory)
        networks.discard(path, settings)
        if not settings.keep:
            path.with_suffix(".npz").unlink()


def _told(found: Measurement) -> str:
    """What came of it, or why nothing did."""
    if found.seconds is None:
        return found.reason
    outcome, share = found.figure("outcome"), found.figure("share")
    rounding = f"float32 leaves {found.figure('noise'):.1e} of the spread open, the framework differs by {found.figure('differs'):.1e}"
    proof = f"{share:.2g} of what is allowed ({found.figure('difference'):.2g} of {found.figure('allowed'):.2g})"
    return f"{outcome}, {proof}; {rounding}" + ("" if outcome == "holds" else f": {found.figure('words')}")

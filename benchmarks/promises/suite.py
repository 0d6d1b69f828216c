"""Judging the sample entries from end to end, beside bare programs that only predict. Reported; nothing is promised."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Row
from benchmarks.harness import ROOT, Contender, Measurement, Program, interleaved
from benchmarks.settings import Settings

ENTRIES = ROOT / "sample_submissions" / "digits"
BATCH = "64"


def rows(settings: Settings) -> Iterator[Row]:
    models = [model for model in map(_model, sorted(ENTRIES.iterdir())) if model is not None]
    if settings.tiny:
        models = models[:1]
    judged = ENTRIES if not settings.tiny else models[0].parent
    with tempfile.TemporaryDirectory(prefix="micronet-bench-") as folder:
        inputs = _digits(Path(folder))
        command = str(Path(sys.executable).with_name("micronet-verify"))
        # 0: all passed, 1: an entry failed; both have judged every entry.
        ours = Program((command, "run", str(judged), "--report", str(Path(folder, "report"))), Path(folder), (0, 1))
        outputs = str(Path(folder, "outputs.npy"))
        contenders: dict[str, Contender] = {"ours": ours}
        for model in models:
            contenders[str(model)] = Program((sys.executable, "-m", "benchmarks.bare", str(model), str(inputs), outputs, BATCH))
        found = interleaved(contenders, settings.repeats)
        written = Path(folder, "report", "junit.xml").exists()
    bare = [found[str(model)] for model in models]
    reason = "; ".join([found["ours"].reason, *(each.reason for each in bare)]).strip("; ")
    if not written and not reason:
        reason = "micronet-verify run wrote no report"
    seconds = found["ours"].seconds if written else None
    yield Row("suite", f"micronet-verify run, {len(models)} digits entries", seconds, "bare predictions", _sum(bare), note=reason)


def _model(entry: Path) -> Path | None:
    """What the bare program loads: a model file, or the folder of a source entry."""
    if (entry / "model.py").exists():
        return entry
    return next((path for name in ("model.pt2", "model.onnx") if (path := entry / name).exists()), None)


def _sum(measurements: list[Measurement]) -> float | None:
    seconds = [each.seconds for each in measurements]
    return sum(each for each in seconds if each is not None) if None not in seconds else None


def _digits(folder: Path) -> Path:
    """The 500 test images as the track prepares them."""
    import numpy as np
    from sklearn.datasets import load_digits

    path = folder / "inputs.npy"
    np.save(path, (load_digits().images[1297:, None] / 16).astype(np.float32))
    return path

"""Predictions beside a bare loop in the same framework, at the same batch size, on one thread.

Twice: the plugin's loader beside the loop, in one process each, from the first answer to the last; and the sandbox's whole
predict step beside a whole Python program that loads the model, predicts and saves. PyTorch's loop also with freed memory kept,
as the loader keeps it: what is left of the difference then.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import networks
from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import THREADS, Contender, Measurement, Program, Task, cpu_seconds, interleaved
from benchmarks.settings import Settings
from micronet_verify.framework.requests import PredictRequest

LIMIT = Limit("ratio", 1.05)
BATCHES = (64, 128)
EXAMPLES = 10_000
AGREE = 1e-3


def rows(settings: Settings) -> Iterator[Row]:
    examples = 3 * BATCHES[0] if settings.tiny else EXAMPLES
    for name in ("tiny",) if settings.tiny else ("digits-baseline", *networks.SMALL_IMAGES):
        if settings.only and name not in settings.only:
            continue
        inputs = _inputs(name, examples, settings.work)
        for file, path, reason in networks.files(name, ("onnx",) if settings.tiny else networks.FORMATS, settings):
            subject = f"{examples:,} through {file}"
            if path is None:
                yield Row("predict", subject, None, limit=LIMIT, note=reason)
                continue
            for batch in BATCHES[:1] if settings.tiny else BATCHES:
                yield from _loop_rows(subject, path, inputs, batch, settings)
            yield _step_row(subject, path, inputs, settings)


def _inputs(name: str, examples: int, work: Path) -> Path:
    import numpy as np

    path = work / f"{name}-{examples}.npy"
    np.save(path, np.random.default_rng(0).random((examples, *networks.SHAPES[name]), np.float32))
    return path


def _rival(path: Path) -> str:
    """The bare loop of PyTorch runs the network as Python code, which loads faster than any archive."""
    return str(path.with_suffix(".weights") if path.suffix == ".pt2" else path)


def _loop_rows(subject: str, path: Path, inputs: Path, batch: int, settings: Settings) -> Iterator[Row]:
    arguments = {"inputs": str(inputs), "batch": batch}
    contenders: dict[str, Contender] = {
        "loader": Task("benchmarks.promises.predict:loading", {"path": str(path), **arguments}),
        "bare": Task("benchmarks.promises.predict:bare", {"model": _rival(path), **arguments}),
    }
    if path.suffix == ".pt2":
        contenders["keeping"] = Task("benchmarks.promises.predict:keeping", {"model": _rival(path), **arguments})
    found = interleaved(contenders, settings.repeats)
    loader, loop = found["loader"], found["bare"]
    note = "" if _agree(loader.figure("sum"), loop.figure("sum")) else "the answers differ"
    subject = f"{subject}, by {batch}"
    yield _row(subject, "bare loop", loader, loop, "loop", LIMIT, note)
    if "keeping" in found:
        yield _row(subject, "the same, freed memory kept", loader, found["keeping"], "loop")
    yield _row(f"{subject}, load to first answer", "bare loop", loader, loop, "first")


def _row(subject: str, beside: str, ours: Measurement, theirs: Measurement, figure: str, limit: Limit | None = None, note: str = "") -> Row:
    times, cpu = ((ours.figure(name), theirs.figure(name)) for name in (figure, f"{figure} cpu"))
    reasons = "; ".join(filter(None, (ours.reason, theirs.reason, note)))
    return Row("predict", subject, times[0], beside, times[1], "s", limit, reasons, cpu)


def _step_row(subject: str, path: Path, inputs: Path, settings: Settings) -> Row:
    with tempfile.TemporaryDirectory(prefix="micronet-bench-") as folder:
        saved, batch = str(Path(folder, "outputs.npy")), BATCHES[0]
        contenders: dict[str, Contender] = {
            "step": Task("benchmarks.promises.predict:stepping", {"path": str(path), "inputs": str(inputs), "batch": batch}),
            "program": Program((sys.executable, "-m", "benchmarks.bare", _rival(path), str(inputs), saved, str(batch))),
        }
        found = interleaved(contenders, settings.repeats)
    return seconds_row("predict", f"{subject}, the whole step", found["step"], "bare program", found["program"], LIMIT)


def _agree(ours: float | None, theirs: float | None) -> bool:
    return ours is None or theirs is None or abs(ours - theirs) <= AGREE * abs(theirs)


def loading(path: str, inputs: str, batch: int) -> Callable[[], dict[str, Any]]:
    """The plugin's loader, called as the step calls it."""
    import numpy as np

    from micronet_verify.framework.registry import framework_of

    loader, data = framework_of(path).loader(), np.load(inputs, mmap_mode="r")
    if path.endswith(".onnx"):
        import onnxruntime  # noqa: F401  the loader imports it when it is called; imports are not measured
    return lambda: _timed(answer.outputs for answer in loader.predict(PredictRequest(Path(path), data, batch, THREADS)))


def bare(model: str, inputs: str, batch: int) -> Callable[[], dict[str, Any]]:
    import numpy as np

    from benchmarks import bare as loop

    data = np.load(inputs, mmap_mode="r")
    if model.endswith(".onnx"):
        import onnxruntime  # noqa: F401
    else:
        import torch  # noqa: F401

    def outputs() -> Iterator[Any]:
        yield from loop.batches(loop.loaded(model), data, batch)

    return lambda: _timed(outputs())


def keeping(model: str, inputs: str, batch: int) -> Callable[[], dict[str, Any]]:
    """The bare loop with the loader's switch of memory."""
    from micronet_verify_pytorch.heap import keep_freed_memory

    keep_freed_memory()
    return bare(model, inputs, batch)


def _timed(answers: Iterator[Any]) -> dict[str, Any]:
    start, busy = time.perf_counter(), cpu_seconds()
    total = float(next(answers).sum(dtype="float64"))
    first, first_busy = time.perf_counter(), cpu_seconds()
    for outputs in answers:
        total += float(outputs.sum(dtype="float64"))
    end, end_busy = time.perf_counter(), cpu_seconds()
    return {
        "first": first - start,
        "first cpu": first_busy - busy,
        "loop": end - first,
        "loop cpu": end_busy - first_busy,
        "sum": total,
    }


def stepping(path: str, inputs: str, batch: int) -> Callable[[], dict[str, Any]]:
    """The predict step in its sandbox, from the judge's side."""
    from micronet_verify.framework.registry import framework_of
    from micronet_verify.sandbox.jobs import PredictJob
    from micronet_verify.sandbox.launcher import ProcessLauncher

    file, launcher = Path(path), ProcessLauncher()
    framework = framework_of(file.name).name

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="micronet-bench-") as folder:
            job = PredictJob(
                framework=framework,
                root=file.parent,
                primary=file.name,
                inputs=Path(inputs),
                out=Path(folder, "out"),
                batch_size=batch,
                threads=THREADS,
            )
            return {"examples": launcher.run(job).shape[0]}

    return work

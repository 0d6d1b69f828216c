"""ImageNet-sized images: prepared beside a plain Pillow + numpy loop on one core, fed and predicted without holding them in memory.

The plain loop opens each JPEG, makes it RGB, resizes the shorter side to 256, cuts 224×224 out of the centre and copies it
into an array on disk; for float32 it also divides, subtracts and divides again. Both sides do the same to the last bit.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import THREADS, Contender, Task, cpu_seconds, interleaved
from benchmarks.settings import Settings
from micronet_verify.framework.requests import PredictRequest

# At least as fast, as far as one run can tell.
LIMIT = Limit("ratio", 1.05)
MEMORY = Limit("ours", float(2 << 30))
IMAGES, DISTINCT, FEW, FED = 1_000, 32, 2_000, 50_000
MEAN, DEVIATION = ("0.485", "0.456", "0.406"), ("0.229", "0.224", "0.225")
BATCH = 64
# What the judge chooses for inputs of this size.
SMALL = 8


def rows(settings: Settings) -> Iterator[Row]:
    count, fed = (40, 2 * BATCH) if settings.tiny else (IMAGES, FED)
    folder = _jpegs(settings.work / "jpegs", 8 if settings.tiny else DISTINCT)
    for kind in ("bytes", "float32"):
        arguments = {"folder": str(folder), "count": count, "kind": kind}
        contenders: dict[str, Contender] = {name: Task(f"benchmarks.promises.images:{name}", arguments) for name in ("preparing", "plain")}
        found = interleaved(contenders, settings.repeats)
        ours, theirs = found["preparing"], found["plain"]
        note = "" if ours.figure("sum") == theirs.figure("sum") else "the inputs differ"
        yield seconds_row("images", f"{count:,} JPEGs to {kind}, one core", ours, "plain Pillow + numpy loop", theirs, LIMIT, note)
        if kind == "bytes":
            yield Row("images", f"memory of preparing {count:,}", ours.peak, "the loop's map", theirs.peak, "MB", MEMORY, ours.reason)
    with tempfile.TemporaryDirectory(dir=settings.work) as scratch:
        path = _sparse(Path(scratch, "inputs.npy"), fed)
        names = {"feeding": "feeding", "a map": "mapped"}
        kept = interleaved({name: Task(f"benchmarks.promises.images:{work}", {"path": str(path)}) for name, work in names.items()}, 1)
    subject, reason = f"memory of feeding {fed:,} of 224×224", kept["feeding"].reason
    yield Row("images", subject, kept["feeding"].peak, "a map of the same file", kept["a map"].peak, "MB", MEMORY, reason)
    with tempfile.TemporaryDirectory(dir=settings.work) as scratch:
        yield from _predicted(Path(scratch), settings)


def _predicted(folder: Path, settings: Settings) -> Iterator[Row]:
    """From bytes to answers, by a network so small that scaling is felt: the loader beside a loop that scales and runs in turn,
    from the first answer to the last."""
    few, many = (3 * BATCH, 4 * BATCH) if settings.tiny else (FEW, FED)
    model = str(_model(folder / "model.onnx"))
    arguments = {"path": str(_sparse(folder / "few.npy", few)), "model": model}
    found = interleaved(
        {name: Task(f"benchmarks.promises.images:{name}", arguments) for name in ("scaling_ahead", "scaling_in_turn")}, settings.repeats
    )
    ours, theirs = found["scaling_ahead"], found["scaling_in_turn"]
    note = "; ".join(filter(None, (ours.reason, theirs.reason))) or ("" if ours.figure("sum") == theirs.figure("sum") else "answers differ")
    cpu = ours.figure("loop cpu"), theirs.figure("loop cpu")
    subject = f"{few:,} of 224×224 from bytes to answers"
    yield Row("images", subject, ours.figure("loop"), "scale, run, in turn", theirs.figure("loop"), "s", None, note, cpu)
    arguments = {"path": str(_sparse(folder / "many.npy", many)), "model": model}
    step = interleaved({"step": Task("benchmarks.promises.images:stepping", arguments)}, 1)["step"]
    subject = f"memory of predicting {many:,} of 224×224, the step"
    yield Row("images", subject, step.peak, unit="MB", limit=MEMORY, note=step.reason)


def _jpegs(folder: Path, distinct: int) -> Path:
    """Pictures of 500×375 and 375×500, about 85 kB each, as most of ImageNet's are."""
    import numpy as np
    from PIL import Image

    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(distinct):
        size = (500, 375) if number % 4 else (375, 500)
        smooth = Image.fromarray(random.integers(0, 256, (25, 32, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        noisy = np.clip(np.asarray(smooth) + random.normal(0, 12, (size[1], size[0], 3)), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{number:04d}.JPEG", quality=90)
    return folder


def _sparse(path: Path, examples: int) -> Path:
    """Bytes of the right shape that take no room on the disk."""
    import numpy as np

    with path.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, {"descr": "|u1", "fortran_order": False, "shape": (examples, 3, 224, 224)})
        handle.truncate(handle.tell() + examples * 3 * 224 * 224)
    return path


def _one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def preparing(folder: str, count: int, kind: str) -> Callable[[], dict[str, Any]]:
    from micronet_verify.facts.data import Preprocessing
    from micronet_verify.quality.images import decode, write_images

    _one_core()
    paths = sorted(Path(folder).iterdir())
    mean, deviation = (tuple(map(Fraction, numbers)) for numbers in (MEAN, DEVIATION))
    steps = Preprocessing("x", 256, "bilinear", 224, Fraction(255), mean, deviation)

    def image(index: int) -> Any:
        path = paths[index % len(paths)]
        return decode(lambda: path, path.name)

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=Path(folder).parent) as scratch:
            path = Path(scratch, "inputs.npy")
            write_images(path, count, image, steps, "", 0 if kind == "bytes" else 1 << 62)
            return _summed(path)

    return work


def plain(folder: str, count: int, kind: str) -> Callable[[], dict[str, Any]]:
    import numpy as np
    from PIL import Image

    _one_core()
    paths = sorted(Path(folder).iterdir())
    mean, deviation = (np.array(numbers, np.float32) for numbers in (MEAN, DEVIATION))

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=Path(folder).parent) as scratch:
            path = Path(scratch, "inputs.npy")
            dtype = np.uint8 if kind == "bytes" else np.float32
            out = np.lib.format.open_memmap(path, "w+", dtype, (count, 3, 224, 224))
            for index in range(count):
                with Image.open(paths[index % len(paths)]) as opened:
                    image = opened.convert("RGB")
                width, height = image.size
                size = (256, 256 * height // width) if width <= height else (256 * width // height, 256)
                image = image.resize(size, Image.Resampling.BILINEAR)
                left, top = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
                pixels = np.asarray(image.crop((left, top, left + 224, top + 224)))
                if kind == "float32":
                    pixels = (pixels.astype(np.float32) / np.float32(255) - mean) / deviation
                out[index] = pixels.transpose(2, 0, 1)
            out.flush()
            return _summed(path)

    return work


def _summed(path: Path) -> dict[str, Any]:
    """A digest of the last example: cheap, and different where the order or a pixel is."""
    import hashlib

    import numpy as np

    return {"sum": hashlib.sha256(np.load(path, mmap_mode="r")[-1].tobytes()).hexdigest()}


def feeding(path: str) -> Callable[[], dict[str, Any]]:
    """What the predict step does with inputs kept as bytes."""
    from micronet_verify.facts.data import Scaling
    from micronet_verify.framework.protocols import as_batches
    from micronet_verify.sandbox.inputs import open_inputs

    inputs = open_inputs(Path(path), Scaling("255", MEAN, DEVIATION))
    return lambda: {"batches": sum(1 for _ in as_batches(inputs, BATCH))}


def mapped(path: str) -> Callable[[], dict[str, Any]]:
    import numpy as np

    inputs = np.load(path, mmap_mode="r")
    mean, deviation = (np.array(numbers, np.float32)[:, None, None] for numbers in (MEAN, DEVIATION))

    def work() -> dict[str, Any]:
        batches = 0
        for start in range(0, len(inputs), BATCH):
            scaled = (inputs[start : start + BATCH].astype(np.float32) / np.float32(255) - mean) / deviation
            batches += len(scaled) > 0
        return {"batches": batches}

    return work


def _model(path: Path) -> Path:
    """A convolution of stride 4 (15 million multiply-adds), a mean and a linear layer to 1,000 classes; batch free."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    random = np.random.default_rng(0)
    tensors = {"w": random.normal(size=(32, 3, 7, 7)), "v": random.normal(size=(1000, 32))}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], strides=[4, 4]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "v"], ["y"], transB=1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 224, 224])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1000])
    weights = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in tensors.items()]
    save(
        helper.make_model(helper.make_graph(nodes, "small", [x], [y], weights), opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        path,
    )
    return path


def _opened(model: str) -> None:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: F401  imports are not measured


def scaling_ahead(path: str, model: str) -> Callable[[], dict[str, Any]]:
    from micronet_verify.facts.data import Scaling
    from micronet_verify.framework.registry import framework_of
    from micronet_verify.sandbox.inputs import open_inputs

    _opened(model)
    loader = framework_of(model).loader()

    def work() -> dict[str, Any]:
        inputs = open_inputs(Path(path), Scaling("255", MEAN, DEVIATION))
        return _timed(answer.outputs for answer in loader.predict(PredictRequest(Path(model), inputs, SMALL, THREADS)))

    return work


def scaling_in_turn(path: str, model: str) -> Callable[[], dict[str, Any]]:
    import numpy as np

    from benchmarks import bare

    _opened(model)

    def work() -> dict[str, Any]:
        run = bare.loaded(model)
        inputs = np.load(path, mmap_mode="r")
        mean, deviation = (np.array(numbers, np.float32)[:, None, None] for numbers in (MEAN, DEVIATION))
        starts = range(0, len(inputs), SMALL)
        return _timed(run((inputs[start : start + SMALL].astype(np.float32) / np.float32(255) - mean) / deviation) for start in starts)

    return work


def _timed(answers: Iterator[Any]) -> dict[str, Any]:
    total = float(next(answers).sum(dtype="float64"))
    start, busy = time.perf_counter(), cpu_seconds()
    for outputs in answers:
        total += float(outputs.sum(dtype="float64"))
    return {"loop": time.perf_counter() - start, "loop cpu": cpu_seconds() - busy, "sum": total}


def stepping(path: str, model: str) -> Callable[[], dict[str, Any]]:
    """What runs inside the sandboxed process, the sample that is asked again included."""
    from micronet_verify.facts.data import Scaling
    from micronet_verify.framework.guarded import loader_on
    from micronet_verify.framework.protocols import CPU
    from micronet_verify.framework.registry import framework_of
    from micronet_verify.sandbox.asked_alone import sample_alone
    from micronet_verify.sandbox.jobs import PredictJob
    from micronet_verify.sandbox.run_job import predict

    _opened(model)
    file, framework = Path(model), framework_of(model)
    examples = int(Path(path).stat().st_size // (3 * 224 * 224))
    scaling = Scaling("255", MEAN, DEVIATION)

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            alone = sample_alone("0" * 64, examples)
            job = PredictJob(
                framework=framework.name,
                root=file.parent,
                primary=file.name,
                inputs=Path(path),
                out=Path(folder),
                batch_size=SMALL,
                threads=THREADS,
                scaling=scaling,
                alone=alone,
            )
            return {"examples": predict(job, loader_on(framework, CPU)).shape[0]}

    return work

"""ImageNet-sized images: prepared beside a plain Pillow + numpy loop on one core, and fed without holding them in memory.

The plain loop opens each JPEG, makes it RGB, resizes the shorter side to 256, cuts 224×224 out of the centre and copies it
into an array on disk; for float32 it also divides, subtracts and divides again. Both sides do the same to the last bit.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import Contender, Task, interleaved
from benchmarks.settings import Settings

# At least as fast, as far as one run can tell.
LIMIT = Limit("ratio", 1.05)
MEMORY = Limit("ours", float(2 << 30))
IMAGES, DISTINCT, FED = 1_000, 32, 50_000
MEAN, DEVIATION = ("0.485", "0.456", "0.406"), ("0.229", "0.224", "0.225")
BATCH = 64


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

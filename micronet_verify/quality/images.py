"""Images as inputs: decoded, resized and cropped with Pillow on every processor, and written as one ``.npy`` file.

Sizes follow the usual evaluation pipelines: the shorter side becomes ``resize``, the longer ``resize``·long/short rounded
down; the crop starts at (size − crop)/2 rounded half to even. Images are made RGB before they are resized; a rotation noted
in EXIF is not applied.

Inputs that take at most ``FLOAT_LIMIT`` bytes as float32 are kept so; larger ones as bytes, a quarter of the size, and
scaled by the worker that feeds the model (``facts.data.Scaling``: the same numbers to the last bit).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from micronet_verify.errors import BenchFault, MicronetError, Problem
from micronet_verify.facts.data import Preprocessing
from micronet_verify.quality.store import check_running

FLOAT_LIMIT = 1 << 30
MOST_PROBLEMS = 20
# Examples that a thread takes at a time.
_CHUNK = 64
_FILTERS = {name: Image.Resampling[name.upper()] for name in ("bilinear", "bicubic", "nearest", "box", "hamming", "lanczos")}


def prepared_pixels(image: Any, steps: Preprocessing, where: str = "") -> NDArray[np.uint8]:
    """One example as bytes, [channels, height, width] or [height, width, channels], not contiguous.

    ``image``: a Pillow image, or a uint8 array [height, width, channels].
    """
    if steps.resize:
        image = _resized(image if isinstance(image, Image.Image) else Image.fromarray(np.ascontiguousarray(image)), steps)
    elif isinstance(image, Image.Image):
        image = _rgb(image)
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise BenchFault(Problem(f"an image of shape {pixels.shape} and type {pixels.dtype}", "be bytes [height, width, channels]", where))
    if steps.crop:
        pixels = _cropped(pixels, steps.crop, where)
    return pixels.transpose(2, 0, 1) if steps.layout == "channels-first" else pixels


def write_images(
    path: Path,
    examples: int,
    image: Callable[[int], Any],
    steps: Preprocessing,
    where: str,
    float_limit: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Write all examples to ``path`` as ``.npy``, [examples, …] float32 or bytes; whether they were kept as bytes.

    Uses every processor that this process may use (Pillow works outside Python's lock) and holds a few images at a
    time. Raises ``BenchFault`` with every image that cannot be read, at most the first 20 and how many more, or soon after
    ``stopped()`` has become true.
    """
    shape = prepared_pixels(image(0), steps, where).shape
    as_bytes = 4 * examples * int(np.prod(shape)) > (FLOAT_LIMIT if float_limit is None else float_limit)
    dtype = np.dtype(np.uint8 if as_bytes else np.float32)
    scaling = steps.scaling

    def one(index: int, place: NDArray[Any]) -> None:
        pixels = prepared_pixels(image(index), steps, f"{where}, image {index:,}")
        if pixels.shape != shape:
            raise BenchFault(Problem(f"an image of shape {pixels.shape}", f"be {shape} like the first", f"{where}, image {index:,}"))
        if as_bytes:
            place[...] = pixels
        else:
            scaling.apply(np.ascontiguousarray(pixels)[None], place[None])

    def several(start: int) -> list[Problem]:
        check_running(stopped, where)
        problems: list[Problem] = []
        block = np.empty((min(_CHUNK, examples - start), *shape), dtype)
        for offset in range(len(block)):
            try:
                one(start + offset, block[offset])
            except MicronetError as error:
                problems += error.problems
        _write_at(handle.fileno(), block, data + start * block[0].nbytes)
        return problems

    with path.open("w+b") as handle:
        np.lib.format.write_array_header_1_0(handle, {"descr": dtype.str, "fortran_order": False, "shape": (examples, *shape)})
        handle.flush()
        data = handle.tell()
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            problems = [problem for found in pool.map(several, range(0, examples, _CHUNK)) for problem in found]
    if problems:
        rest = [Problem(f"{len(problems) - MOST_PROBLEMS:,} more images that cannot be read", "be corrected, too", where)]
        raise BenchFault(problems[:MOST_PROBLEMS] + (rest if len(problems) > MOST_PROBLEMS else []))
    return as_bytes


def decode(data: Callable[[], Any], where: str) -> Image.Image:
    """The JPEG or PNG in ``data()`` (a path, or a file in memory), decoded to the end, in RGB.

    Raises ``BenchFault`` with ``where`` for one that is truncated or none.
    """
    try:
        with Image.open(data(), formats=("JPEG", "PNG")) as image:
            image.load()
            return _rgb(image)
    except UnidentifiedImageError:  # its text has an address in it
        raise BenchFault(Problem("a file that is not a JPEG image", "be one", where)) from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise BenchFault(Problem(f"an image that cannot be decoded ({reason})", "be a whole JPEG file", where)) from None


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _resized(image: Image.Image, steps: Preprocessing) -> Image.Image:
    width, height = image.size
    short, long = sorted((width, height))
    other = steps.resize * long // short
    size = (steps.resize, other) if width <= height else (other, steps.resize)
    return _rgb(image) if size == (width, height) else _rgb(image).resize(size, _FILTERS[steps.interpolation])


def _cropped(pixels: NDArray[np.uint8], crop: int, where: str) -> NDArray[np.uint8]:
    height, width, _ = pixels.shape
    if height < crop or width < crop:
        raise BenchFault(Problem(f"an image of {width}×{height}", f"be at least {crop}×{crop}, which is cut out of it", where))
    # Half to even, as Python's round() and the usual pipelines do.
    top, left = round((height - crop) / 2), round((width - crop) / 2)
    return pixels[top : top + crop, left : left + crop]


def _write_at(descriptor: int, block: NDArray[Any], offset: int) -> None:
    view = block.reshape(-1).view(np.uint8).data
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written

"""Preprocessing beside a plain Pillow and numpy loop: the same numbers, to the last bit."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from micronet_verify.errors import BenchFault
from micronet_verify.facts.data import Preprocessing, Scaling
from micronet_verify.quality.images import decode, prepared_pixels, write_images
from tests.quality.published import jpeg

MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
STEPS = Preprocessing(
    "small", 32, "bilinear", 28, Fraction(255), tuple(Fraction(str(m)) for m in MEAN), tuple(Fraction(str(d)) for d in DEVIATION)
)
SIZES = [(60, 48), (48, 64), (50, 50), (33, 32), (32, 90), (45, 31)]
FILES = [jpeg(seed, *size) for seed, size in enumerate(SIZES)]


def plain(file: bytes, interpolation: Image.Resampling = Image.Resampling.BILINEAR) -> NDArray[np.float32]:
    """What a training pipeline does: shorter side to 32, the centre 28×28, divided by 255, normalised."""
    image = Image.open(io.BytesIO(file)).convert("RGB")
    width, height = image.size
    image = image.resize((32, int(32 * height / width)) if width < height else (int(32 * width / height), 32), interpolation)
    width, height = image.size
    left, top = round((width - 28) / 2.0), round((height - 28) / 2.0)
    pixels = np.array(image.crop((left, top, left + 28, top + 28)), np.float32) / np.float32(255)
    normal = (pixels - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return normal.transpose(2, 0, 1)


def image(index: int) -> Image.Image:
    return decode(lambda: io.BytesIO(FILES[index]), f"{index}.JPEG")


def test_the_same_as_a_plain_loop(tmp_path: Path) -> None:
    assert not write_images(tmp_path / "inputs.npy", len(FILES), image, STEPS, "test")
    inputs = np.load(tmp_path / "inputs.npy", allow_pickle=False)
    assert inputs.dtype == np.float32
    assert np.array_equal(inputs, np.stack([plain(file) for file in FILES]))


@pytest.mark.parametrize("name", ["bilinear", "bicubic", "nearest", "box", "hamming", "lanczos"])
def test_every_interpolation(name: Any) -> None:
    steps = replace(STEPS, interpolation=name)
    pixels = np.ascontiguousarray(prepared_pixels(image(0), steps))
    out = np.empty((1, 3, 28, 28), np.float32)
    steps.scaling.apply(pixels[None], out)
    assert np.array_equal(out[0], plain(FILES[0], Image.Resampling[name.upper()]))


def test_bytes_scaled_later_are_the_same_numbers(tmp_path: Path) -> None:
    assert write_images(tmp_path / "bytes.npy", len(FILES), image, STEPS, "test", float_limit=len(FILES) * 3 * 28 * 28 * 4 - 1)
    kept = np.load(tmp_path / "bytes.npy", allow_pickle=False)
    assert (kept.dtype, kept.shape) == (np.uint8, (len(FILES), 3, 28, 28))
    out = np.empty(kept.shape, np.float32)
    STEPS.scaling.apply(kept, out)
    assert np.array_equal(out, np.stack([plain(file) for file in FILES]))


def test_channels_last(tmp_path: Path) -> None:
    write_images(tmp_path / "inputs.npy", len(FILES), image, replace(STEPS, layout="channels-last"), "test")
    assert np.array_equal(np.load(tmp_path / "inputs.npy"), np.stack([plain(file).transpose(1, 2, 0) for file in FILES]))


def test_without_steps_an_image_stays_what_it_is() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(prepared_pixels(pixels, Preprocessing("x", layout="channels-last")), pixels)
    assert np.array_equal(prepared_pixels(pixels, Preprocessing("x")), pixels.transpose(2, 0, 1))
    out = np.empty((1, 2, 3, 3), np.float32)
    Scaling("1").apply(pixels[None], out)
    assert np.array_equal(out[0], pixels)


def test_an_array_is_resized_like_an_image() -> None:
    array = np.asarray(image(1))
    assert np.array_equal(prepared_pixels(array, STEPS), prepared_pixels(image(1), STEPS))


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA"])
def test_every_kind_of_picture_becomes_rgb(mode: str) -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(FILES[0])).convert(mode).save(file, "JPEG" if mode in ("L", "CMYK") else "PNG")
    made = decode(lambda: io.BytesIO(file.getvalue()), "x")
    assert np.array_equal(np.asarray(made), np.asarray(Image.open(io.BytesIO(file.getvalue())).convert("RGB")))


def test_a_crop_starts_half_to_even() -> None:
    """(33 − 28)/2 = 2.5 becomes 2, (35 − 28)/2 = 3.5 becomes 4."""
    pixels = np.zeros((33, 35, 3), np.uint8)
    pixels[:, :, 0], pixels[:, :, 1] = np.arange(33)[:, None], np.arange(35)
    cut = prepared_pixels(pixels, Preprocessing("x", crop=28, layout="channels-last"))
    assert (cut[0, 0, 0], cut[0, 0, 1]) == (2, 4)


def test_truncated_and_other_files_are_named(tmp_path: Path) -> None:
    files = {2: FILES[2][:100], 3: FILES[3][:-200], 4: b"no picture", 5: b""}

    def broken(index: int) -> Image.Image:
        return decode(lambda: io.BytesIO(files.get(index, FILES[0])), f"val/{index}.JPEG")

    with pytest.raises(BenchFault) as caught:
        write_images(tmp_path / "inputs.npy", 8, broken, STEPS, "val")
    header, first, second, third = (str(problem) for problem in caught.value.problems)
    assert header == "got an image that cannot be decoded (Truncated File Read) but should be a whole JPEG file [val/2.JPEG]"
    assert first.startswith("got an image that cannot be decoded (image file is truncated (")
    assert first.endswith(" not processed)) but should be a whole JPEG file [val/3.JPEG]")
    assert second == "got a file that is not a JPEG image but should be one [val/4.JPEG]"
    assert third == "got a file that is not a JPEG image but should be one [val/5.JPEG]"


def test_of_many_broken_images_the_first_twenty_are_told(tmp_path: Path) -> None:
    def broken(index: int) -> Image.Image:
        return decode(lambda: io.BytesIO(FILES[0] if index == 0 else b""), f"val/{index}.JPEG")

    with pytest.raises(BenchFault) as caught:
        write_images(tmp_path / "inputs.npy", 200, broken, STEPS, "val")
    assert len(caught.value.problems) == 21
    assert str(caught.value.problems[19]) == "got a file that is not a JPEG image but should be one [val/20.JPEG]"
    assert str(caught.value.problems[20]) == "got 179 more images that cannot be read but should be corrected, too [val]"


def test_images_of_several_sizes_without_a_crop(tmp_path: Path) -> None:
    with pytest.raises(BenchFault) as caught:
        write_images(tmp_path / "inputs.npy", 2, image, Preprocessing("x"), "val")
    assert str(caught.value) == "got an image of shape (3, 64, 48) but should be (3, 48, 60) like the first [val, image 1]"
    with pytest.raises(BenchFault, match=r"^got an image of 60×48 but should be at least 50×50, which is cut out of it \[val\]$"):
        write_images(tmp_path / "inputs.npy", 2, image, Preprocessing("x", crop=50), "val")


def test_all_processors_work(tmp_path: Path) -> None:
    """Two threads are inside ``image`` at the same time, wherever there are two processors."""
    together = threading.Barrier(min(2, len(os.sched_getaffinity(0))))
    waited: set[int] = set()

    def slow(index: int) -> NDArray[np.uint8]:
        if index in (64, 128):  # the first of two chunks
            together.wait(timeout=60)
            waited.add(index)
        return np.zeros((2, 2, 3), np.uint8)

    write_images(tmp_path / "inputs.npy", 192, slow, Preprocessing("x"), "test")
    assert waited == {64, 128}


def test_the_order_is_that_of_the_examples(tmp_path: Path) -> None:
    write_images(
        tmp_path / "inputs.npy", 1000, lambda index: np.full((1, 1, 2), (index // 256, index % 256), np.uint8), Preprocessing("x"), "t"
    )
    inputs = np.load(tmp_path / "inputs.npy").reshape(1000, 2)
    assert np.array_equal(inputs[:, 0] * 256 + inputs[:, 1], np.arange(1000))

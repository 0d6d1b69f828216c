"""Writes small data sets in the very formats in which the real ones are published."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SYNSETS = ("n02119789", "n02100735", "n02110185")  # as the devkit lists them: ids 1, 2 and 3
SORTED = ("n02100735", "n02110185", "n02119789")


def cifar_images(count: int, seed: int = 0) -> tuple[NDArray[np.uint8], list[int], list[int]]:
    """Pixels [count, 3072] channel after channel, fine and coarse classes."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 3 * 32 * 32), np.uint8)
    return pixels, random.integers(0, 100, count).tolist(), random.integers(0, 20, count).tolist()


class Python2:
    """Opcodes as cPickle of Python 2 and its numpy wrote them, protocol 2: texts are byte strings, and are memoized."""

    def __init__(self) -> None:
        self._places = 0

    def dump(self, value: object) -> bytes:
        return b"\x80\x02" + self._of(value) + b"."

    def _put(self) -> bytes:
        self._places += 1
        place = self._places
        return b"q" + bytes([place]) if place < 256 else b"r" + struct.pack("<I", place)

    def _of(self, value: object) -> bytes:
        if isinstance(value, dict):
            return b"}" + self._put() + b"(" + b"".join(self._of(key) + self._of(item) for key, item in value.items()) + b"u"
        if isinstance(value, list):
            return b"]" + self._put() + b"(" + b"".join(map(self._of, value)) + b"e"
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, str | bytes):
            raw = value.encode("latin-1") if isinstance(value, str) else value
            head = b"U" + bytes([len(raw)]) if len(raw) < 256 else b"T" + struct.pack("<i", len(raw))
            return head + raw + (self._put() if isinstance(value, str) else b"")
        assert isinstance(value, int)
        if 0 <= value < 1 << 8:
            return b"K" + bytes([value])
        return b"M" + struct.pack("<H", value) if 0 <= value < 1 << 16 else b"J" + struct.pack("<i", value)

    def _array(self, value: NDArray[Any]) -> bytes:
        assert value.dtype == np.uint8
        made = b"cnumpy.core.multiarray\n_reconstruct\n" + self._put() + b"cnumpy\nndarray\n" + self._put()
        made += b"K\x00\x85" + self._put() + b"U\x01b" + self._put() + b"\x87" + self._put() + b"R" + self._put()
        dtype = b"cnumpy\ndtype\n" + self._put() + b"U\x02u1" + self._put() + b"K\x00K\x01\x87" + self._put() + b"R" + self._put()
        dtype += b"(K\x03U\x01|" + self._put() + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t" + self._put() + b"b"
        shape = b"".join(map(self._of, value.shape)) + (b"\x86" if value.ndim == 2 else b"\x85") + self._put()
        return made + b"(K\x01" + shape + dtype + b"\x89" + self._of(value.tobytes()) + b"t" + self._put() + b"b"


def cifar_pickle(pixels: NDArray[np.uint8], fine: Sequence[int], coarse: Sequence[int]) -> bytes:
    names = [f"image_s_{place:06d}.png" for place in range(len(pixels))]
    return Python2().dump(
        {
            "filenames": names,
            "batch_label": "testing batch 1 of 1",
            "fine_labels": list(fine),
            "coarse_labels": list(coarse),
            "data": pixels,
        }
    )


def cifar_records(pixels: NDArray[np.uint8], fine: Sequence[int], coarse: Sequence[int]) -> bytes:
    return b"".join(bytes([coarse[place], fine[place]]) + pixels[place].tobytes() for place in range(len(pixels)))


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def tarred(path: Path, members: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def jpeg(seed: int, width: int = 60, height: int = 48, mode: str = "RGB") -> bytes:
    """A smooth random picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    made = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode).save(made, "JPEG", quality=90)
    return made.getvalue()


def validation_name(number: int) -> str:
    return f"ILSVRC2012_val_{number:08d}.JPEG"


def validation_images(count: int) -> dict[str, bytes]:
    """Name to JPEG: landscapes and portraits, one in grey."""
    sizes = [(60, 48), (48, 64), (50, 50)]
    return {validation_name(number): jpeg(number, *sizes[number % 3], mode="L" if number == 2 else "RGB") for number in range(1, count + 1)}

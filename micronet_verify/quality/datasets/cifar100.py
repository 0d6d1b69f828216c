"""CIFAR-100 as it is published: 32×32 colour images in 100 classes, in the python (pickle) or the binary form, packed or not.

The python form is a pickle of a dict whose ``data`` is uint8 [images, 3·32·32], channel after channel, and whose
``fine_labels`` are the classes. The binary form is one record per image: coarse class, fine class, 3·32·32 bytes.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.facts.data import Expected
from micronet_verify.framework.data import Split
from micronet_verify.framework.requests import OpenRequest
from micronet_verify.quality.datasets.pickles import read_pickle
from micronet_verify.quality.datasets.search import first, identity, missing, shown

NAME = "cifar100"
CLASSES = 100
PIXELS = 3 * 32 * 32
RECORD = 2 + PIXELS
PYTHON, BINARY = "cifar-100-python", "cifar-100-binary"
LARGEST = 1 << 29

Parsed = tuple[NDArray[np.uint8], NDArray[np.int64]]


class Cifar100:
    """The reader (see ``framework.data.Reader``)."""

    name = NAME
    splits: tuple[str, ...] = ("train", "test")

    def open(self, request: OpenRequest) -> Split:
        split, expected, home = request.split, request.expected, request.home
        names = (f"{PYTHON}/{split}", f"{BINARY}/{split}.bin", f"{PYTHON}.tar.gz", f"{BINARY}.tar.gz")
        path = first(home.root, names)
        if path is None:
            raise missing(NAME, names, home)
        where = shown(path, home.root)
        stamp = identity(path)
        pixels, _ = _parsed(path, split, where, stamp)
        _check_names(path, where, expected)

        def image(index: int) -> NDArray[np.uint8]:
            planes: NDArray[np.uint8] = pixels[index].reshape(3, 32, 32)
            return planes.transpose(1, 2, 0)

        def labels() -> NDArray[np.int64]:
            found = _parsed(path, split, where, stamp)[1]
            wrong = np.flatnonzero((found < 0) | (found >= CLASSES))
            if len(wrong):
                got = f"the class {found[wrong[0]]} for image {wrong[0]}"
                raise BenchFault(Problem(got, f"be 0 to {CLASSES - 1}", where, "the file is damaged: download it again"))
            return found

        return Split(where, len(pixels), stamp, labels, image, files=(path,))


@lru_cache(maxsize=2)
def _parsed(path: Path, split: str, where: str, stamp: str) -> Parsed:
    """Pixels [images, 3072] and classes. ``stamp`` tells a file from another that takes its place."""
    if path.suffix == ".gz":
        name = f"{PYTHON}/{split}" if PYTHON in path.name else f"{BINARY}/{split}.bin"
        data, where = _member(path, name, where), f"{where}: {name}"
        return _records(data, where) if name.endswith(".bin") else _pickled(data, where)
    data = path.read_bytes()
    return _records(data, where) if path.suffix == ".bin" else _pickled(data, where)


def _member(path: Path, name: str, where: str) -> bytes:
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.name.removeprefix("./") == name and member.isfile() and member.size <= LARGEST:
                    handle = archive.extractfile(member)
                    assert handle is not None
                    with handle:
                        return handle.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise BenchFault(Problem(f"an archive that cannot be read ({error})", "be a .tar.gz file", where, "download it again")) from None
    raise BenchFault(Problem(f"an archive without {name}", "have it", where))


def _records(data: bytes, where: str) -> Parsed:
    if not data or len(data) % RECORD:
        got = f"{len(data):,} bytes, which end in the middle of record {len(data) // RECORD:,},"
        raise BenchFault(Problem(got, f"be records of 1 + 1 + 3·32·32 = {RECORD:,} bytes", where, "download it again"))
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    return records[:, 2:], records[:, 1].astype(np.int64)


def _pickled(data: bytes, where: str) -> Parsed:
    held = _texts(read_pickle(data, where), where)
    pixels, classes = held.get("data"), held.get("fine_labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        got = f"'data' of shape {pixels.shape} and type {pixels.dtype}" if isinstance(pixels, np.ndarray) else "no array under 'data'"
        raise BenchFault(Problem(got, f"be uint8 of shape (images, {PIXELS:,})", where))
    if not isinstance(classes, list) or not all(type(item) is int and abs(item) < 1 << 31 for item in classes):
        raise BenchFault(Problem("no list of numbers under 'fine_labels'", "have the class of each image", where))
    if len(classes) != len(pixels):
        raise BenchFault(Problem(f"{len(classes):,} classes for {len(pixels):,} images", "be one for each", where))
    return pixels, np.array(classes, np.int64)


def _texts(held: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(held, dict):
        raise BenchFault(Problem(f"a pickle of a {type(held).__name__}", "be of a dict with 'data' and 'fine_labels'", where))
    return MappingProxyType({key.decode("latin-1") if isinstance(key, bytes) else str(key): value for key, value in held.items()})


def _check_names(path: Path, where: str, expected: Expected) -> None:
    """Class names, where they lie beside an unpacked file and the track says what they are: another order is another data set."""
    meta, listed = path.with_name("meta"), path.with_name("fine_label_names.txt")
    if not expected.labels or path.suffix == ".gz":
        return
    if path.suffix == ".bin" and listed.exists():
        names, place = [line.strip() for line in listed.read_text("utf-8", "replace").splitlines() if line.strip()], listed
    elif path.suffix != ".bin" and meta.exists():
        place = meta
        found = _texts(read_pickle(meta.read_bytes(), f"{Path(where).parent.as_posix()}/{meta.name}"), meta.name).get("fine_label_names")
        names = [item.decode("latin-1") if isinstance(item, bytes) else str(item) for item in found] if isinstance(found, list) else []
    else:
        return
    for index, (name, right) in enumerate(zip([*names, *[""] * len(expected.labels)], expected.labels, strict=False)):
        if name != right:
            got = f"class {index} named {name!r}"
            raise BenchFault(Problem(got, f"be {right!r}, as in the track's label map", f"{Path(where).parent.as_posix()}/{place.name}"))

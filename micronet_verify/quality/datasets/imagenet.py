"""The ImageNet validation set (ILSVRC2012): class folders, or flat images (a folder, or the published tar) with their ground truth.

Images are in the order of their names, ``ILSVRC2012_val_00000001.JPEG`` first, however they lie on the disk, so that
every form gives the same inputs. Classes are numbered by ``Expected.label_order``: by the sorted names of the synsets, as
PyTorch and TensorFlow models answer, or by the devkit's ILSVRC2012 ids.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.framework.data import Split
from micronet_verify.framework.requests import Home, OpenRequest
from micronet_verify.quality.datasets.imagenet_labels import (
    GROUND_TRUTHS,
    check_folders,
    find_truth,
    labels_of_folders,
    labels_of_truth,
    read_truth,
)
from micronet_verify.quality.datasets.search import identity, locate, missing, shown
from micronet_verify.quality.images import decode

NAME = "imagenet"
FOLDERS = ("val", "ILSVRC2012_img_val", "validation", "ILSVRC/Data/CLS-LOC/val")
TAR = "ILSVRC2012_img_val.tar"
ENDINGS = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True, slots=True)
class Images:
    """The images in order of name. ``folders`` has the class folder of each, or is empty where they lie flat."""

    path: Path
    names: tuple[str, ...]
    folders: tuple[str, ...]
    open: Callable[[int], Any]
    stamp: str


class ImageNet:
    """The reader (see ``framework.data.Reader``)."""

    name = NAME
    splits: tuple[str, ...] = ("validation",)

    def open(self, request: OpenRequest) -> Split:
        expected, home = request.expected, request.home
        images = _images(home)
        where = shown(images.path, home.root)
        truth = find_truth(home.root)
        if not images.folders and truth is None:
            raise missing(NAME, GROUND_TRUTHS, home, f"the images of {NAME} in {where} without their ground truth")
        if images.folders:
            check_folders(sorted(set(images.folders)), expected, where)

        def image(index: int) -> Any:
            return decode(lambda: images.open(index), f"{where}/{_relative(images, index)}")

        def labels() -> NDArray[np.int64]:
            told = read_truth(truth, home.root) if truth is not None else None
            if images.folders:
                return labels_of_folders(images.names, images.folders, told, expected, where)
            assert told is not None
            return labels_of_truth(told, len(images.names), expected)

        files = tuple(path for path in (images.path, truth) if path is not None and path.is_file())
        return Split(where, len(images.names), images.stamp, labels, image, files=files)


def _relative(images: Images, index: int) -> str:
    return f"{images.folders[index]}/{images.names[index]}" if images.folders else images.names[index]


def _images(home: Home) -> Images:
    for name in FOLDERS:
        for folder in locate(home.root, name):
            found = _in_folder(folder, shown(folder, home.root))
            if found is not None:
                return found
    for path in locate(home.root, TAR):
        return _in_tar(path, shown(path, home.root), identity(path))
    raise missing(NAME, (f"{FOLDERS[0]}/ with a folder for each class", TAR), home)


def _in_folder(folder: Path, where: str) -> Images | None:
    """Images of a folder's folders, or else of the folder itself; ``None`` where there are none."""
    found = {name: _listed(folder / name) for name in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())}
    classes = {name: listed for name, listed in found.items() if listed}
    if not classes:
        classes = {"": _listed(folder)}
    placed: dict[str, tuple[str, str]] = {}
    for place, listed in classes.items():
        for name, stamp in listed:
            if name in placed:
                got = f"the image {name} in the folders {placed[name][0]} and {place}"
                raise BenchFault(Problem(got, "be in one", where))
            placed[name] = place, stamp
    if not placed:
        return None
    names = tuple(sorted(placed))
    folders = tuple(placed[name][0] for name in names) if "" not in classes else ()
    paths = [str(folder / placed[name][0] / name) for name in names]
    stamp = identity(*(f"{name}\0{placed[name][1]}" for name in names))
    return Images(folder, names, folders, lambda index: io.BytesIO(_bytes(paths[index])), stamp)


def _listed(folder: Path) -> list[tuple[str, str]]:
    """Names of the images in a folder, each with its size and time."""
    with os.scandir(folder) as entries:
        states = [(entry.name, entry.stat()) for entry in entries if entry.name.lower().endswith(ENDINGS) and entry.is_file()]
    return [(name, f"{state.st_size}\0{state.st_mtime_ns}") for name, state in states]


def _bytes(path: str) -> bytes:
    with open(path, "rb") as handle:
        return handle.read()


@lru_cache(maxsize=1)
def _in_tar(path: Path, where: str, stamp: str) -> Images:
    """The images of the published tar, which is not compressed: each is read where it lies."""
    places: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isfile() and member.name.lower().endswith(ENDINGS):
                    places[member.name.rpartition("/")[2]] = member.offset_data, member.size
    except (OSError, EOFError, tarfile.TarError) as error:
        raise BenchFault(Problem(f"an archive that cannot be read ({error})", "be a whole .tar file", where, "download it again")) from None
    if not places:
        raise BenchFault(Problem("an archive without images", "have the validation images", where))
    names = tuple(sorted(places))

    def read(index: int) -> io.BytesIO:
        offset, size = places[names[index]]
        with path.open("rb") as handle:
            return io.BytesIO(os.pread(handle.fileno(), size, offset))

    return Images(path, names, (), read, stamp)

"""Classes of the ImageNet validation images, from class folders or the devkit, and whether both mean the same classes.

The devkit's ground truth has one ILSVRC2012 id (from 1) per line, in the order of the images' names; its ``meta.mat`` says
which synset an id is. A track's label map lists the synsets in the order of their ids.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.facts.data import Expected
from micronet_verify.quality.datasets.search import locate, shown

TRUTH = "ILSVRC2012_validation_ground_truth.txt"
DEVKIT = "ILSVRC2012_devkit_t12"
GROUND_TRUTHS = (f"{DEVKIT}.tar.gz", f"{DEVKIT}/data/{TRUTH}", TRUTH)
META = "meta.mat"
LARGEST = 1 << 26


@dataclass(frozen=True, slots=True)
class Truth:
    """The devkit's files as bytes: ``meta`` is empty where there is none."""

    where: str
    lines: bytes
    meta: bytes = b""

    @property
    def where_meta(self) -> str:
        return f"{self.where.partition(': ')[0]}: {META}"


def find_truth(root: Path | None) -> Path | None:
    """The ground truth, unpacked or in the devkit's archive; it is not opened."""
    return next((path for name in GROUND_TRUTHS for path in locate(root, name)), None)


def read_truth(path: Path, root: Path | None) -> Truth:
    """Opens it: labels are in it. Raises ``BenchFault`` for an archive that is damaged."""
    where = shown(path, root)
    if path.suffix == ".gz":
        return _unpacked(where, path)
    meta = path.with_name(META)
    return Truth(where, path.read_bytes(), meta.read_bytes()) if meta.exists() else Truth(where, path.read_bytes())


def _unpacked(where: str, path: Path) -> Truth:
    found = {TRUTH: b"", META: b""}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in found and member.isfile() and member.size <= LARGEST and (handle := archive.extractfile(member)):
                    with handle:
                        found[name] = handle.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise BenchFault(Problem(f"an archive that cannot be read ({error})", "be a .tar.gz file", where, "download it again")) from None
    if not found[TRUTH]:
        raise BenchFault(Problem(f"an archive without {TRUTH}", "be the devkit", where))
    return Truth(f"{where}: {TRUTH}", found[TRUTH], found[META])


def check_folders(folders: Sequence[str], expected: Expected, where: str) -> None:
    """The class folders are the classes of the track's label map. Raises ``BenchFault`` with those that are not."""
    if expected.labels:
        strange, absent = sorted(set(folders) - set(expected.labels)), sorted(set(expected.labels) - set(folders))
        if strange or absent:
            told = [f"{names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''} {what}"
                    for names, what in ((strange, "that it does not know"), (absent, "missing")) if names]  # fmt: skip
            raise BenchFault(Problem(f"class folders with {', '.join(told)}", "be those of the track's label map", where))
    elif expected.classes and len(folders) != expected.classes:
        raise BenchFault(Problem(f"{len(folders):,} class folders", f"be {expected.classes:,} as the track says", where))


def labels_of_folders(
    names: Sequence[str], folders: Sequence[str], truth: Truth | None, expected: Expected, where: str
) -> NDArray[np.int64]:
    """The class of each image, by its folder. Where the devkit is there too, both must agree on every image."""
    if expected.label_order == "listed" and not expected.labels:
        raise BenchFault(
            Problem("class folders in a track without a label map", "have one, because its classes are in listed order", where)
        )
    order = expected.ordered_labels or tuple(sorted(set(folders)))
    places = {name: place for place, name in enumerate(order)}
    found = np.array([places[folder] for folder in folders], np.int64)
    if truth is not None and (expected.labels or truth.meta):
        other = labels_of_truth(truth, len(names), expected)
        differ = np.flatnonzero(found != other)
        if len(differ):
            image = int(differ[0])
            got = f"the image {names[image]} in the folder {folders[image]}"
            should = f"be in {order[other[image]]}, as {truth.where} says"
            raise BenchFault(Problem(got, should, where, f"{len(differ):,} of {len(names):,} images differ: one of both is wrong"))
    return found


def labels_of_truth(truth: Truth, examples: int, expected: Expected) -> NDArray[np.int64]:
    """The class of each image, by the devkit's ids."""
    listed = _listed(truth, expected)
    order = tuple(sorted(listed)) if expected.label_order == "sorted" else listed
    places = {name: place for place, name in enumerate(order)}
    ids = _ids(truth, len(listed), examples)
    return np.array([places[name] for name in listed], np.int64)[ids - 1]


def _ids(truth: Truth, classes: int, examples: int) -> NDArray[np.int64]:
    """The lines of the ground truth, each an id from 1 to ``classes``."""
    lines = truth.lines.split()
    for number, line in enumerate(lines, 1):
        if not line.isdigit() or len(line) > 9 or not 1 <= int(line) <= classes:
            got = f"the class {line[:40].decode('utf-8', 'replace')!r}"
            raise BenchFault(Problem(got, f"be an id from 1 to {classes:,}", f"{truth.where}:{number}"))
    if len(lines) != examples:
        raise BenchFault(Problem(f"{len(lines):,} classes for {examples:,} images", "be one for each", truth.where))
    return np.array([int(line) for line in lines], np.int64)


def _listed(truth: Truth, expected: Expected) -> tuple[str, ...]:
    """Synsets in the order of their ids: the track's label map, ``meta.mat``, or both, which must agree."""
    found = _synsets(truth, expected.classes) if truth.meta else ()
    if not found and not expected.labels:
        raise BenchFault(Problem(f"a ground truth without {META}", "have it, because the track has no label map", truth.where))
    for number, (name, right) in enumerate(zip(found, expected.labels, strict=False), 1):
        if name != right:
            got = f"the synset {name} as id {number}"
            raise BenchFault(Problem(got, f"be {right}, as in the track's label map", truth.where_meta))
    return expected.labels or found


def _synsets(truth: Truth, classes: int) -> tuple[str, ...]:
    """Ids and synsets of ``meta.mat``, a MATLAB file of a struct array; ids above the number of classes are groups."""
    from scipy.io import loadmat

    where = truth.where_meta
    try:
        rows = loadmat(io.BytesIO(truth.meta), squeeze_me=True, variable_names=["synsets"])["synsets"]
        pairs = {int(number): str(name) for number, name in zip(rows["ILSVRC2012_ID"].tolist(), rows["WNID"].tolist(), strict=True)}
    except Exception as error:  # scipy's reader raises whatever a damaged file makes it stumble over
        raise BenchFault(Problem(f"a file that cannot be read ({type(error).__name__})", "be the devkit's", where)) from None
    numbers = range(1, (classes or len(pairs)) + 1)
    if any(number not in pairs for number in numbers):
        raise BenchFault(Problem(f"{len(pairs):,} synsets without all ids", f"have the ids 1 to {len(numbers):,}", where))
    return tuple(pairs[number] for number in numbers)

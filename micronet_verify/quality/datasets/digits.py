"""The handwritten digits that ship inside scikit-learn: 1,797 grey images of 8×8 pixels in 17 levels, 10 classes.

Train is the first 1,297 images in file order, test the last 500. The file is found without importing scikit-learn and
is known by its SHA-256, so every machine judges the same images.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.framework.data import Split
from micronet_verify.framework.requests import OpenRequest

IMAGES = 1797
PIXELS = 64
CLASSES = 10
SPLITS: Mapping[str, tuple[int, int]] = MappingProxyType({"train": (0, IMAGES - 500), "test": (IMAGES - 500, IMAGES)})
# Of the decompressed table: one line per image, 64 pixels and the class.
SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"


@cache
def lines() -> tuple[str, ...]:
    """The table's lines. Raises ``BenchFault`` where scikit-learn, or this very table, is missing."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise BenchFault(Problem("no scikit-learn, whose files hold the digits", "be installed", advice="pip install scikit-learn"))
    path = Path(spec.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise BenchFault(Problem(f"digits that cannot be read ({error})", "be scikit-learn's digits.csv.gz")) from None
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise BenchFault(Problem(f"digits of SHA-256 {found[:12]}…", f"be {SHA256[:12]}…", path.name, "another scikit-learn may help"))
    return tuple(data.decode("ascii").splitlines())


class Digits:
    """The reader (see ``framework.data.Reader``). It needs no data folder."""

    name = "digits"
    splits: tuple[str, ...] = tuple(SPLITS)

    def open(self, request: OpenRequest) -> Split:
        split = request.split
        start, stop = SPLITS[split]

        def inputs(path: Path) -> None:
            # [images, 1, 8, 8] in [0, 1]: pixel / 16, exact in float32.
            pixels = columns(split, 0, PIXELS).astype(np.float32) / np.float32(16)
            with path.open("wb") as handle:
                np.save(handle, pixels.reshape(-1, 1, 8, 8), allow_pickle=False)

        def labels() -> NDArray[np.int64]:
            return columns(split, PIXELS, PIXELS + 1)[:, 0].astype(np.int64)

        return Split("scikit-learn's digits.csv.gz", stop - start, SHA256, labels, ready={"divide-by-16": inputs})


def columns(split: str, first: int, end: int) -> NDArray[np.uint8]:
    """The table's columns ``first`` to ``end`` of one split: [images, end − first]."""
    start, stop = SPLITS[split]
    return np.loadtxt(lines()[start:stop], np.uint8, delimiter=",", usecols=range(first, end), ndmin=2)

"""The track's images, read from the file that scikit-learn ships, without importing scikit-learn.

Training is the first 1,297 images in file order, the test the last 500: later writers, so the test is a little harder
than a shuffled split would be. Nothing here trains on, or calibrates with, a test image.
"""

from __future__ import annotations

import gzip
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRAINING = 1297
TEST = 500
THRESHOLD = 475


@cache
def _table() -> NDArray[np.float32]:
    """The 1,797 rows of 64 pixels (0 to 16) and one label."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the digits ship inside scikit-learn: pip install scikit-learn")
    with gzip.open(Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.float32)
    if table.shape != (TRAINING + TEST, 65):
        raise ValueError(f"got a digits table of shape {table.shape} but should be {(TRAINING + TEST, 65)}")
    return table


def training_set() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images [1297, 1, 8, 8] float32 in 0…1 (multiples of 1/16), labels [1297]."""
    return _split(slice(0, TRAINING))


def test_set() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images [500, 1, 8, 8] float32 in 0…1 (multiples of 1/16), labels [500]."""
    return _split(slice(TRAINING, TRAINING + TEST))


def correct(logits: NDArray[Any], labels: NDArray[np.int64]) -> int:
    """How many rows of ``logits`` [N, 10] have their largest entry at the label."""
    return int((logits.argmax(axis=1) == labels).sum())


def smallest_gap(logits: NDArray[Any]) -> float:
    """The smallest distance between the two largest logits of a row: how far rounding is from changing an answer."""
    ordered = np.sort(logits, axis=1)
    return float((ordered[:, -1] - ordered[:, -2]).min())


def _split(rows: slice) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    table = _table()[rows]
    return (table[:, :64] / np.float32(16)).reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64)

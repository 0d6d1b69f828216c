from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sample_submissions.recipes.answers import answers
from sample_submissions.recipes.digits import test_set as read_test_set

TENSORFLOW = {"saved_model.pb": "tensorflow", "model.keras": "tensorflow", "model.tflite": "ai_edge_litert"}
SAMPLES = Path(__file__).parents[2] / "sample_submissions"
HONEST_ROW = re.compile(r"\| `([\w-]+)` \| [^|]+ \| (\d+) \| ([\d,]+) \|")
BROKEN_ROW = re.compile(r"\| `([\w-]+)` \| [^|]+ \|$", re.MULTILINE)


def documented_honest() -> dict[str, tuple[int, int]]:
    """The README's table of honest entries: right answers of 500, and bytes."""
    rows = HONEST_ROW.findall((SAMPLES / "README.md").read_text())
    return {name: (int(right), int(size.replace(",", ""))) for name, right, size in rows}


def documented_broken() -> set[str]:
    return set(BROKEN_ROW.findall((SAMPLES / "README.md").read_text()))


def needs(entry: str) -> str:
    """The package of TensorFlow's family that runs the entry at this path below the samples, or that is imported to make it."""
    return next((package for name, package in TENSORFLOW.items() if (SAMPLES / entry / name).exists()), "")


def pinned() -> bool:
    """Whether TensorFlow and Keras are those of constraints.txt, and Python is the one that compiled the sample's Lambda."""
    constraints = (SAMPLES.parent / "constraints.txt").read_text().split()
    try:
        installed = [f"{name}=={metadata.version(name)}" for name in ("tensorflow-cpu", "keras")]
    except metadata.PackageNotFoundError:
        return False
    return sys.version_info[:2] == (3, 11) and all(pin in constraints for pin in installed)


def grouped(names: Iterable[str], folder: str = "digits", made: bool = False) -> list[Any]:
    """Entries as parameters: those of TensorFlow share a worker, and are skipped where it is not installed.

    ``made``: the entries are made again, for which a .tflite file needs TensorFlow, too, and in the version that wrote them: it
    stands in the files.
    """
    found = []
    for name in names:
        package = needs(f"{folder}/{name}" if folder else name)
        package = "tensorflow" if made and package else package
        missing = bool(package) and importlib.util.find_spec(package) is None
        reason = f"{package} is not installed"
        if made and package and not missing and not pinned():
            missing, reason = True, "another version of TensorFlow, Keras or Python than the one that wrote the samples"
        marks = [pytest.mark.xdist_group("tensorflow"), pytest.mark.skipif(missing, reason=reason)]
        found.append(pytest.param(name, marks=marks if package else ()))
    return found


@pytest.fixture(scope="session")
def images() -> NDArray[np.float32]:
    return read_test_set()[0]


@pytest.fixture(scope="session")
def labels() -> NDArray[np.int64]:
    return read_test_set()[1]


@pytest.fixture(scope="session")
def answers_of(images: NDArray[np.float32]) -> Callable[[str], NDArray[Any]]:
    """The outputs of an entry, by its path below the samples; each model runs once."""
    return cache(lambda entry: answers(SAMPLES / entry, images))

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sample_submissions.recipes.answers import answers
from sample_submissions.recipes.digits import test_set as read_test_set

SAMPLES = Path(__file__).parents[2] / "sample_submissions"
HONEST_ROW = re.compile(r"\| `([\w-]+)` \| [^|]+ \| (\d+) \| ([\d,]+) \|")
BROKEN_ROW = re.compile(r"\| `([\w-]+)` \| [^|]+ \|$", re.MULTILINE)


def documented_honest() -> dict[str, tuple[int, int]]:
    """The README's table of honest entries: right answers of 500, and bytes."""
    rows = HONEST_ROW.findall((SAMPLES / "README.md").read_text())
    return {name: (int(right), int(size.replace(",", ""))) for name, right, size in rows}


def documented_broken() -> set[str]:
    return set(BROKEN_ROW.findall((SAMPLES / "README.md").read_text()))


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

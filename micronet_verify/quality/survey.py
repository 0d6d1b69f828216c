"""What there is of a track's data set on this machine: found, missing or wrong, in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from micronet_verify.errors import BenchFault, MicronetError
from micronet_verify.facts.data import Expected, KnownFile
from micronet_verify.framework.data import DatasetMissing, Split
from micronet_verify.framework.requests import Home
from micronet_verify.quality.datasets.search import digest_problem, locate, shown
from micronet_verify.quality.inputs.prepare import home_of, open_split
from micronet_verify.quality.labels import all_labels
from micronet_verify.quality.registry import reader_named
from micronet_verify.track.track import Dataset

State = Literal["found", "missing", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence. ``wrong``: it is there and is not what the track says."""

    state: State
    words: str


def survey(dataset: Dataset, folder: Path, root: Path | None = None) -> Iterator[Finding]:
    """Findings about ``dataset``, one by one as they are made: its split and labels, then every published file that is there.

    ``folder`` and ``root`` as in ``datasets.prepare``. Reads every file in full. Raises ``SpecError`` for a name that the
    data set does not know.
    """
    home = home_of(dataset.name, folder, root)
    try:
        found = open_split(dataset.name, dataset.split, dataset.expected, home)
    except (BenchFault, DatasetMissing) as error:
        yield from _problems(error)
    else:
        yield Finding("found", f"{found.examples:,} examples in {found.where}")
        yield from _of_labels(dataset, found, folder, root)
    for known in dataset.files:
        for path in locate(home.root, known.name):
            yield from _of_file(dataset.name, known, path, home)


def _of_labels(dataset: Dataset, found: Split, folder: Path, root: Path | None) -> Iterator[Finding]:
    try:
        told = all_labels(dataset.name, dataset.split, dataset.expected, root, folder)
    except (BenchFault, DatasetMissing) as error:
        yield from _problems(error)
    else:
        map_words = f", the label map of {len(dataset.labels):,} classes in {dataset.label_order} order" if dataset.labels else ""
        classes, ignored = told.classes[told.counted], int(np.count_nonzero(~told.counted))
        left_out = f", {ignored:,} to be ignored" if ignored else ""
        yield Finding("found", f"{told.classes.size:,} labels of {len(np.unique(classes)):,} classes{left_out}{map_words}")


def _of_file(dataset: str, known: KnownFile, path: Path, home: Home) -> Iterator[Finding]:
    if not path.is_file():
        return
    problem = digest_problem(path, known, home.root)
    if problem is not None:
        yield Finding("wrong", str(problem))
        return
    try:
        counted = _counted(dataset, known, home)
    except (BenchFault, DatasetMissing) as error:
        yield from _problems(error)
        return
    yield Finding("found", f"{shown(path, home.root)} is as published ({known.algorithm} {known.digest[:12]}…{counted})")


def _counted(dataset: str, known: KnownFile, home: Home) -> str:
    """Count the examples of a file that is named after a split, such as ``wiki.valid.tokens``."""
    parts = re.split(r"[^a-z0-9]+", known.name.rpartition("/")[2].lower())
    split = next((split for split in reader_named(dataset).splits if split in parts), None)
    if split is None or not known.examples:
        return ""
    found = open_split(dataset, split, replace(Expected(), examples=known.examples), home)
    return f", {found.examples:,} examples"


def _problems(error: MicronetError) -> Iterator[Finding]:
    state: State = "missing" if isinstance(error, DatasetMissing) else "wrong"
    for problem in error.problems:
        yield Finding(state, str(problem))

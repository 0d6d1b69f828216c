"""Data sets by name: the inputs of a split as one ``.npy`` file that a sandboxed step maps read-only.

A reader for another data set is one class and one line in ``READERS``. Labels are not here: ``labels`` alone opens them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from micronet_verify.errors import BenchFault, Problem, SpecError
from micronet_verify.quality.digits import Digits

# Tracks may name these, but this version cannot read them.
WITHOUT_READER = ("cifar100", "imagenet", "wikitext103")
# Part of the name of a prepared file: raise it where prepared bytes change.
EDITION = 1


class DatasetMissing(BenchFault):
    """The data set is not on this machine: its entries are skipped by name and stay unranked; they never pass."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Inputs as the model receives them: the ``.npy`` file, its SHA-256, and the array's shape (examples, …)."""

    path: Path
    sha256: str
    examples: int
    shape: tuple[int, ...]


class Reader(Protocol):
    """One data set. ``splits`` are its splits' names, ``preprocessing`` the names it knows."""

    name: str
    splits: Mapping[str, tuple[int, int]]
    preprocessing: tuple[str, ...]

    def source(self) -> str:
        """What identifies the bytes that inputs are made from: a SHA-256."""
        ...

    def write(self, split: str, preprocessing: str, path: Path) -> None:
        """Write the split's inputs [examples, …] to ``path`` as ``.npy``; same source, same bytes."""
        ...


READERS: Mapping[str, Reader] = {"digits": Digits()}


def prepare(dataset: str, split: str, preprocessing: str, folder: Path) -> Prepared:
    """The inputs of ``split`` as a file in ``folder``, made once and found again by the digest recorded beside it.

    Safe to call from several processes: a file appears whole or not at all. Raises ``DatasetMissing``, or
    ``SpecError`` for names that the data set does not know.
    """
    reader = reader_named(dataset)
    _known(split, tuple(reader.splits), f"the split {split!r} of {dataset}")
    _known(preprocessing, reader.preprocessing, f"the preprocessing {preprocessing!r} of {dataset}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{dataset}-{split}-{preprocessing}-{reader.source()[:12]}-{EDITION}.npy"
    record = path.with_suffix(".json")
    return _recorded(path, record) or _write(reader, split, preprocessing, path, record)


def reader_named(dataset: str) -> Reader:
    """Raises ``DatasetMissing`` for one that exists but cannot be read here, ``SpecError`` for one unknown."""
    if dataset in WITHOUT_READER:
        got = f"the data set {dataset!r}, which this version cannot read"
        raise DatasetMissing(Problem(got, f"be one of {', '.join(READERS)}", advice="its entries are skipped and stay unranked"))
    _known(dataset, (*READERS, *WITHOUT_READER), f"the data set {dataset!r}")
    return READERS[dataset]


def _known(name: str, names: tuple[str, ...], what: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        raise SpecError(Problem(what, f"be one of {', '.join(names)}", advice=f"did you mean {near[0]!r}?" if near else ""))


def _recorded(path: Path, record: Path) -> Prepared | None:
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        if data["sha256"] != _sha256(path):
            return None
        shape = tuple(int(size) for size in data["shape"])
        return Prepared(path, data["sha256"], shape[0], shape)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _write(reader: Reader, split: str, preprocessing: str, path: Path, record: Path) -> Prepared:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".preparing-") as draft:
        drafted = Path(draft, path.name)
        reader.write(split, preprocessing, drafted)
        shape = np.load(drafted, mmap_mode="r", allow_pickle=False).shape
        prepared = Prepared(path, _sha256(drafted), shape[0], shape)
        noted = Path(draft, record.name)
        noted.write_text(json.dumps({"sha256": prepared.sha256, "shape": shape}), encoding="utf-8")
        os.replace(drafted, path)
        os.replace(noted, record)
    return prepared


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

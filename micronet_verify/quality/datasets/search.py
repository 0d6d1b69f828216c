"""Finds published files in the data folder: in the folder itself, and in each folder directly in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from micronet_verify.errors import Problem
from micronet_verify.facts.data import KnownFile
from micronet_verify.framework.data import DatasetMissing
from micronet_verify.framework.requests import Home
from micronet_verify.quality.datasets.folders import WAYS


def locate(root: Path | None, name: str) -> list[Path]:
    """Every file or folder ``name`` (``cifar-100-python/test``) that exists, the data folder's own first."""
    return [path for folder in _folders(root) if (path := folder / name).exists()]


def first(root: Path | None, names: Sequence[str]) -> Path | None:
    """The first that exists of ``names``, which come before the order of folders."""
    return next((path for name in names for path in locate(root, name)), None)


def missing(dataset: str, names: Sequence[str], home: Home, what: str = "") -> DatasetMissing:
    """The error that says what was looked for, and where."""
    if home.root is None:
        return DatasetMissing(Problem(f"no folder of data sets, from which {dataset} is read,", "be named", advice=WAYS))
    if not home.root.is_dir():
        return DatasetMissing(Problem(f"the folder of data sets {str(home.root)!r}", "be a directory that exists", dataset, WAYS))
    listed = " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    should = f"be {listed}, there or in a folder directly in it"
    return DatasetMissing(Problem(what or f"no files of {dataset}", should, str(home.root), "its entries are skipped and stay unranked"))


def shown(path: Path, root: Path | None) -> str:
    """A path for a sentence: relative to the data folder where it lies in it."""
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else str(path)


def identity(*parts: Path | str) -> str:
    """SHA-256 (hex) of the files' names, sizes and times, and of texts: it changes when a file is exchanged."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            state = part.stat()
            part = f"{part.name}\0{state.st_size}\0{state.st_mtime_ns}"
        found.update(part.encode("utf-8", "surrogateescape") + b"\n")
    return found.hexdigest()


def known_as(path: Path, files: Iterable[KnownFile]) -> KnownFile | None:
    """Of a track's known files the one that ``path`` ends like, the longest name first."""
    fitting = [known for known in files if path.parts[-len(known.name.split("/")) :] == tuple(known.name.split("/"))]
    return max(fitting, key=lambda known: len(known.name), default=None)


def digest_problem(path: Path, known: KnownFile, root: Path | None) -> Problem | None:
    """``None`` where the file is the published one. Reads all of it."""
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, lambda: hashlib.new(known.algorithm, usedforsecurity=False)).hexdigest()
    if found == known.digest:
        return None
    got = f"a file of {known.algorithm} {found[:12]}…"
    return Problem(
        got,
        f"be {known.digest[:12]}…, as the track file has it",
        shown(path, root),
        "it is damaged, or a different file: download it again",
    )


def _folders(root: Path | None) -> list[Path]:
    if root is None or not root.is_dir():
        return []
    return [root, *sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))]

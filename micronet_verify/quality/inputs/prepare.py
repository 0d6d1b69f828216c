"""Data sets by name: the inputs of a split as one ``.npy`` file that a sandboxed step maps read-only.

What reads a data set is in ``registry``. Labels are not here: ``labels`` alone opens them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from micronet_verify.errors import BenchFault, Problem, SpecError
from micronet_verify.facts.data import ANYTHING, Expected, Preprocessing, Scaling
from micronet_verify.framework.data import DatasetMissing as DatasetMissing
from micronet_verify.framework.data import Split
from micronet_verify.framework.requests import Home, OpenRequest
from micronet_verify.quality.datasets.folders import data_root
from micronet_verify.quality.datasets.search import digest_problem, known_as
from micronet_verify.quality.guarded import opened
from micronet_verify.quality.images import write_images
from micronet_verify.quality.registry import made_by, reader_named, reader_offers
from micronet_verify.quality.store import keep
from micronet_verify.strict_yaml.sentences import did_you_mean

# Of how images are prepared; part of the name of a prepared file: raise it where prepared bytes change.
EDITION = 1


@dataclass(frozen=True, slots=True)
class Prepared:
    """Inputs as the model receives them: the ``.npy`` file, its SHA-256, and the array's shape (examples, …).

    Where ``scaling`` is given the file holds bytes, and the model receives them scaled to float32. ``preprocessing`` is
    what was done, as JSON data. ``whole`` is how many examples the split has: more than ``examples`` where these are but
    its first.
    """

    path: Path
    sha256: str
    examples: int
    shape: tuple[int, ...]
    scaling: Scaling | None = None
    preprocessing: str = ""
    whole: int = 0


def prepare(
    dataset: str,
    split: str,
    preprocessing: str | Preprocessing,
    folder: Path,
    expected: Expected = ANYTHING,
    root: Path | None = None,
    limit: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Prepared:
    """The inputs of ``split`` as a file in ``folder``, made once and found again by the digest recorded beside it.

    ``preprocessing``: the steps for images, or the name of one that the data set itself defines. ``root``: the folder of
    data sets, by default what the environment says. ``limit``: the first so many examples alone, in a file of their own. The
    source's files are compared with the digests in ``expected`` when inputs are made of them; what another reader, or another
    version of a plugin's reader, prepared is not found. Safe to call from several
    processes. Raises ``DatasetMissing``; ``SpecError`` for names that the data set does not know; ``BenchFault`` for damaged
    data, with file and place, and soon after ``stopped()`` has become true.
    """
    home = home_of(dataset, folder, root)
    found = open_split(dataset, split, expected, home)
    name, steps = _steps(dataset, found, preprocessing)
    reader = made_by(reader_offers().usable.get(dataset))
    described = json.dumps(
        {"name": name, "edition": EDITION, **(steps.data() if steps else {}), **({"reader": reader} if reader else {})}, sort_keys=True
    )
    count = found.examples if limit is None else min(limit, found.examples)
    first = f"first-{count}-" if count < found.examples else ""
    key = hashlib.sha256(f"{found.identity}\n{first}{described}".encode()).hexdigest()[:16]

    def make(draft: Path) -> dict[str, Any]:
        as_bytes = False
        with readable(dataset):
            _published(found, expected, home)
            if steps is not None and found.image is not None:
                as_bytes = write_images(draft, count, found.image, steps, found.where, stopped=stopped)
            else:
                found.ready[name](draft)
                if first:
                    _cut(draft, count)
        return {"as_bytes": as_bytes, "shape": np.load(draft, mmap_mode="r", allow_pickle=False).shape}

    path = home.cache / f"{split}-{name}-{first}{key}.npy"
    record = keep(path, make, stopped)
    shape = tuple(int(size) for size in record["shape"])
    scaling = steps.scaling if steps and record["as_bytes"] else None
    return Prepared(path, record["sha256"], shape[0], shape, scaling, described, shape[0] if not first else found.examples)


def home_of(dataset: str, folder: Path, root: Path | None = None) -> Home:
    """Where ``dataset`` is looked for, and its own folder in ``folder``."""
    return Home(data_root(root), folder / dataset)


def open_split(dataset: str, split: str, expected: Expected, home: Home) -> Split:
    """The split as its reader finds it, with as many examples as expected."""
    reader = reader_named(dataset)
    if split not in reader.splits:
        advice = did_you_mean(split, reader.splits)
        raise SpecError(Problem(f"the split {split!r} of {dataset}", f"be one of {', '.join(reader.splits)}", advice=advice))
    with readable(dataset):
        found = opened(dataset, OpenRequest(split, expected, home))
    if expected.examples and found.examples != expected.examples:
        got, should = f"{found.examples:,} examples of {dataset}", f"be {expected.examples:,}, as the track says"
        raise BenchFault(Problem(got, should, found.where, "it is a different data set, or incomplete"))
    return found


@contextmanager
def readable(dataset: str) -> Iterator[None]:
    """Turns what the operating system says of a file into a ``BenchFault`` with the file."""
    try:
        yield
    except OSError as error:
        got, where = f"a file of {dataset} that cannot be used ({error.strerror or error})", str(error.filename or "")
        raise BenchFault(Problem(got, "be readable, and prepared inputs fit on the disk", where)) from None


def _steps(dataset: str, found: Split, preprocessing: str | Preprocessing) -> tuple[str, Preprocessing | None]:
    name = preprocessing if isinstance(preprocessing, str) else preprocessing.name
    if name in found.ready:
        return name, None
    if isinstance(preprocessing, Preprocessing) and found.image is not None:
        return name, preprocessing
    should = f"be one of {', '.join(found.ready)}" if found.ready else "give its steps in the track file"
    raise SpecError(Problem(f"the preprocessing {name!r} of {dataset}", should, advice=did_you_mean(name, found.ready)))


def _cut(path: Path, count: int) -> None:
    """Keep the first ``count`` examples of an ``.npy`` file."""
    kept = np.array(np.load(path, mmap_mode="r", allow_pickle=False)[:count])
    with path.open("wb") as handle:
        np.save(handle, kept, allow_pickle=False)


def _published(found: Split, expected: Expected, home: Home) -> None:
    pairs = [(path, known_as(path, expected.files)) for path in found.files]
    problems = [digest_problem(path, known, home.root) for path, known in pairs if known is not None]
    wrong = [problem for problem in problems if problem is not None]
    if wrong:
        raise BenchFault(wrong)

"""The only module that opens labels. The judge imports it, after the sandboxes have ended; a worker never does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, PluginFault, Problem
from micronet_verify.facts.data import ANYTHING, Expected
from micronet_verify.quality.datasets.folders import cache_folder
from micronet_verify.quality.guarded import reading
from micronet_verify.quality.inputs.prepare import home_of, open_split, readable


@dataclass(frozen=True, slots=True)
class Labels:
    """``classes``: of each example [examples], or of each of its positions [examples, …]; ``counted``: the same shape, false where a
    label is to be ignored."""

    classes: NDArray[np.int64]
    counted: NDArray[np.bool_]


def labels(
    dataset: str, split: str, expected: Expected = ANYTHING, root: Path | None = None, folder: Path | None = None
) -> NDArray[np.int64]:
    """The class of each example, [examples]; for a text, its tokens. Raises as ``all_labels`` does."""
    return all_labels(dataset, split, expected, root, folder).classes


def all_labels(dataset: str, split: str, expected: Expected = ANYTHING, root: Path | None = None, folder: Path | None = None) -> Labels:
    """The labels, and which of them count.

    ``root`` and ``folder`` as in ``datasets.prepare``. Raises ``DatasetMissing``; ``SpecError`` for an unknown name;
    ``BenchFault`` where the data are damaged, a label is no class of the track, or none of them counts.
    """
    found = open_split(dataset, split, expected, home_of(dataset, folder or cache_folder(), root))
    with readable(dataset), reading(dataset, "labels"):
        classes = found.labels()
        if not isinstance(classes, np.ndarray) or classes.dtype.kind not in "iu" or classes.ndim == 0:
            got = f"{type(classes).__name__} from labels of {dataset}"
            raise PluginFault(Problem(got, "be an array of whole numbers, one for each example", found.where))
    if len(classes) != found.examples:
        raise BenchFault(Problem(f"{len(classes):,} labels for {found.examples:,} examples", "be one for each", found.where))
    counted = classes != found.ignore if found.ignore is not None else np.ones(classes.shape, np.bool_)
    if not counted.any():
        raise BenchFault(Problem(f"labels that are all {found.ignore}, to be ignored,", "have one that counts", found.where))
    told = classes[counted]
    if expected.classes and (int(told.min()) < 0 or int(told.max()) >= expected.classes):
        got, should = f"labels from {told.min()} to {told.max()}", f"be 0 to {expected.classes - 1:,}"
        raise BenchFault(Problem(got, should, found.where))
    return Labels(classes, counted)

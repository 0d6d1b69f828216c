"""What a plugin implements to bring a data set or a metric: a ``Reader`` finds the files, a ``Metric`` compares answers.

The judge applies preprocessing, decides whether a target is met, and alone asks for labels. A plugin's ``__init__``
must import little: workers load it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault
from micronet_verify.framework.requests import MeasureRequest, OpenRequest


class DatasetMissing(BenchFault):
    """The data set is not on this machine: its entries are skipped by name and stay unranked; they never pass."""


@dataclass(frozen=True, slots=True)
class Split:
    """One split of a data set, found on this machine.

    ``where`` names what it is read from. ``identity`` is a SHA-256 (hex) that changes whenever its inputs may have changed:
    of the bytes, or of the files' names, sizes and times. ``files`` are the files that it is made of, to be compared
    with the digests of a track. ``labels`` gives the class of each example, [examples]; only the judge calls it, and after
    the sandboxes have ended. A plugin's metric may want a class for each position of an example, [examples, …]. What has the label
    ``ignore`` (examples, positions, tokens) does not count: it is left out of every metric.

    Inputs come from one of two. ``image``: example number → a Pillow image, or a uint8 array [height, width, channels];
    called from many threads at once. ``ready``: for each preprocessing that the data set itself defines, by name, what
    writes the inputs [examples, …] to a path as ``.npy``: same source, same bytes.
    """

    where: str
    examples: int
    identity: str
    labels: Callable[[], NDArray[np.int64]]
    image: Callable[[int], Any] | None = None
    ready: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    ignore: int | None = None


class Reader(Protocol):
    """Finds one data set. ``name`` is what track files call it; ``splits`` are the names of its splits."""

    name: str
    splits: tuple[str, ...]

    def open(self, request: OpenRequest) -> Split:
        """The split, looked for under ``request.home.root``.

        Raises ``DatasetMissing`` with what is missing and where it is looked for; ``BenchFault`` with file and place for
        data that is damaged or another than ``request.expected``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of quality, exact: ``measure(request)`` compares outputs [examples, …] with labels [examples].

    A track names it under ``target.metric`` and sets ``at_least`` or ``at_most``. ``measure`` raises ``SubmissionFault``
    for outputs that it cannot judge.
    """

    name: str
    measure: Callable[[MeasureRequest], Fraction]

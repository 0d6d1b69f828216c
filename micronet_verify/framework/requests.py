"""What the judge asks of a plugin, each as one record: a field that is added later breaks no plugin.

A record is passed as it is; a plugin reads the fields that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.data import Expected
from micronet_verify.facts.graph import Shape


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The one step that runs entrant's code: ``entry_point`` is ``file.py:callable`` inside ``entry``.

    The callable takes no argument and returns the model; ``weights`` are loaded into it by the plugin. The export is
    for inputs of shape [batch, *example_shape], batch size free. The artifact goes into ``folder``.
    """

    entry: Path
    entry_point: str
    weights: str
    example_shape: Shape
    folder: Path
    input_format: str = "float32"


@dataclass(frozen=True, slots=True)
class TranslateRequest:
    """The file to translate, which is read as data. The builder says the rest: the size of a free batch, and whether it is a chunk."""

    artifact: Path


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """``inputs`` [examples, …], a read-only memory map, to be answered in order in batches of ``batch_size`` at most."""

    artifact: Path
    inputs: NDArray[Any]
    batch_size: int = 64
    threads: int = 1


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """One ``example`` [1, …] to run, so that every shape that the framework computes can be compared."""

    artifact: Path
    example: NDArray[Any]
    threads: int = 1


@dataclass(frozen=True, slots=True)
class StepRequest:
    """A language model to open over a vocabulary of ``words``: a step, or a chunk of many tokens."""

    artifact: Path
    words: int
    threads: int = 1
    chunk: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """``root``: the folder of data sets, ``None`` where the operator has named none. ``cache``: a folder to write into."""

    root: Path | None
    cache: Path


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A split of a data set to find under ``home.root``; ``expected`` is what the track says of it."""

    split: str
    expected: Expected
    home: Home


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """``outputs`` [examples, …] to be compared with ``labels`` [examples, …], each a class of ``classes``.

    Examples that the data set says to ignore have been left out. Where an example has many labels, ``counted``, of their shape, is
    false for those to ignore.
    """

    outputs: NDArray[Any]
    labels: NDArray[np.int64]
    classes: int
    counted: NDArray[np.bool_]

"""What a framework plugin implements: a ``Loader`` that exports and runs, a ``Counter`` that translates.

A plugin never sees a price, a threshold or a label. Its ``__init__`` must import no framework: the callables in
``Framework`` import it when a sandboxed worker needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.facts.graph import Graph, Shape
from micronet_verify.framework.builder import GraphBuilder


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The one step that runs entrant's code: ``entry_point`` is ``file.py:callable`` inside ``entry``.

    The callable takes no argument and returns the model; ``weights`` are loaded into it by the plugin. The export is
    for inputs of shape [batch, *example_shape], batch size free.
    """

    entry: Path
    entry_point: str
    weights: str
    example_shape: Shape
    input_format: str = "float32"


@dataclass(frozen=True, slots=True)
class Answer:
    """Outputs for one batch, [batch, …] float32 or float64, and which branch each example took (branch id → index)."""

    outputs: NDArray[Any]
    taken: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class Loader(Protocol):
    """Runs inside a sandboxed worker."""

    def export(self, request: ExportRequest, folder: Path) -> str:
        """Write a data-only artifact into ``folder``; its file name. Raises ``SubmissionFault``."""
        ...

    def predict(self, artifact: Path, inputs: NDArray[Any], batch_size: int, threads: int) -> Iterator[Answer]:
        """Answers for ``inputs`` [examples, …] in order, batch by batch; the last batch may be short.

        ``inputs`` is a read-only memory map. A model of fixed batch 1 is fed one example at a time. Raises
        ``SubmissionFault`` where the model does not accept the inputs.
        """
        ...


@runtime_checkable
class Tracing(Protocol):
    """A ``Loader`` that can compare every inferred shape with the one that the framework computes."""

    def check_shapes(self, artifact: Path, example: NDArray[Any], threads: int) -> None:
        """Run one example [1, …]. Raises ``BenchFault`` with every value of another shape than the counter infers."""
        ...


class Counter(Protocol):
    """Runs inside a sandboxed worker; reads the artifact as data and executes nothing of it."""

    def translate(self, artifact: Path, builder: GraphBuilder) -> Graph:
        """The artifact as a neutral graph for one example (batch 1); constants stay where their bytes lie.

        A batch that the artifact leaves free is given the size ``builder.batch``: the judge asks once more with another, to see
        that examples keep apart.

        Raises ``SubmissionFault`` with every operator that the op table lacks, by name and place, together.
        """
        ...


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework, as a plugin hands it over.

    ``suffixes`` are the artifact's file endings (``.onnx``); ``export_suffixes`` those of weights an entry in source
    form may bring. ``version`` returns the installed version of each package it needs, or ``None`` for a missing one.
    ``devices``: loaders that predict elsewhere than on the processor, by the name of the device (``cuda``); each raises
    ``BenchFault`` where the machine has no such device. A model never runs on another device than was asked for.
    """

    name: str
    suffixes: tuple[str, ...]
    loader: Callable[[], Loader]
    counter: Callable[[], Counter]
    version: Callable[[], Mapping[str, str | None]]
    export_suffixes: tuple[str, ...] = ()
    devices: Mapping[str, Callable[[], Loader]] = field(default_factory=dict)


CPU = "cpu"
"""The device that every framework has."""


def loader_on(framework: Framework, device: str) -> Loader:
    """The loader that predicts on ``device``. Raises ``BenchFault`` where the framework, or this machine, has none."""
    if device == CPU:
        return framework.loader()
    if device not in framework.devices:
        known = " or ".join((CPU, *sorted(framework.devices)))
        raise BenchFault(Problem(f"the device {device!r} for the framework {framework.name!r}", f"be {known}", "stage predict"))
    return framework.devices[device]()


def as_batches(inputs: NDArray[Any], batch_size: int) -> Iterator[NDArray[Any]]:
    """Consecutive slices of ``inputs`` of at most ``batch_size`` examples."""
    for start in range(0, len(inputs), batch_size):
        yield np.ascontiguousarray(inputs[start : start + batch_size])

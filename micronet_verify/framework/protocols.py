"""What a framework plugin implements: a ``Loader`` that exports and runs, a ``Counter`` that translates.

A plugin never sees a price, a threshold or a label. Its ``__init__`` must import no framework: the callables in
``Framework`` import it when a sandboxed worker needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.graph import Graph
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.requests import ExportRequest, PredictRequest, TraceRequest, TranslateRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """Outputs for one batch, [batch, …] float32 or float64, and which branch each example took (branch id → index)."""

    outputs: NDArray[Any]
    taken: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class Loader(Protocol):
    """Runs inside a sandboxed worker."""

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        """Answers for the request's inputs in order, batch by batch; the last batch may be short.

        A model of fixed batch 1 is fed one example at a time. Raises ``SubmissionFault`` where the model does not accept the
        inputs.
        """
        ...


@runtime_checkable
class Exporting(Protocol):
    """A ``Loader`` that makes an artifact of an entry in source form; without it, entries hand in the model file itself."""

    def export(self, request: ExportRequest) -> str:
        """Write a data-only artifact into the request's folder; its file name. Raises ``SubmissionFault``."""
        ...


@runtime_checkable
class Tracing(Protocol):
    """A ``Loader`` that can compare every inferred shape with the one that the framework computes."""

    def check_shapes(self, request: TraceRequest) -> None:
        """Run one example. Raises ``BenchFault`` with every value of another shape than the counter infers."""
        ...


class Counter(Protocol):
    """Runs inside a sandboxed worker; reads the artifact as data and executes nothing of it."""

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
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


def as_batches(inputs: NDArray[Any], batch_size: int) -> Iterator[NDArray[Any]]:
    """Consecutive slices of ``inputs`` of at most ``batch_size`` examples."""
    for start in range(0, len(inputs), batch_size):
        yield np.ascontiguousarray(inputs[start : start + batch_size])

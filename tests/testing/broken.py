"""Counters, loaders and steppers that go wrong in their own way, which no change of a program spells."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.protocols import Answer
from micronet_verify.framework.requests import PredictRequest, TranslateRequest
from micronet_verify.testing import Program, Step
from tests.testing.changes import every
from tests.testing.neutral.counter import NeutralCounter
from tests.testing.neutral.form import WEIGHTS
from tests.testing.neutral.loader import NeutralLoader

Edit = Callable[[Answer], Answer]


class Edited(NeutralLoader):
    """A loader whose answers to a batch are changed."""

    def __init__(self, edit: Edit) -> None:
        super().__init__()
        self._edit = edit

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        return map(self._edit, super().predict(request))


def taken_as(change: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Callable[[], Edited]:
    return lambda: Edited(lambda answer: replace(answer, taken={name: change(bodies) for name, bodies in answer.taken.items()}))


def mixed_up(answer: Answer) -> Answer:
    return replace(answer, taken=dict(zip(answer.taken, reversed(answer.taken.values()), strict=True)))


class Rewritten(NeutralCounter):
    """A counter whose graph is changed."""

    def __init__(self, edit: Callable[[Graph], Graph]) -> None:
        super().__init__()
        self._edit = edit

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        return self._edit(super().translate(request, builder))


def of_nodes(change: Callable[[Node], Node]) -> Callable[[Graph], Graph]:
    def edit(graph: Graph) -> Graph:
        nodes = (change(replace(node, bodies=tuple(edit(body) for body in node.bodies))) for node in graph.nodes)
        return replace(graph, nodes=tuple(nodes))

    return edit


def of_branches(change: Callable[[Node], Mapping[str, object]]) -> Callable[[Graph], Graph]:
    return of_nodes(lambda node: replace(node, attributes=change(node)) if node.kind == "branch" else node)  # type: ignore[arg-type]


def weights_as_inputs(graph: Graph) -> Graph:
    """Constants that come from nowhere: the graph takes them as further inputs."""
    values = {name: replace(value, constant=None) for name, value in graph.values.items()}
    return replace(graph, values=values, inputs=(*graph.inputs, *(name for name, value in graph.values.items() if value.constant)))


def input_of(graph: Graph, kind: str) -> Graph:
    first = graph.values[graph.inputs[0]]
    return replace(graph, values={**graph.values, first.id: replace(first, format=numeric_format(kind))})


class Hasty(NeutralLoader):
    """Forgets a last batch that is not full."""

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        inputs, size = request.inputs, request.batch_size
        whole = len(inputs) // size * size or len(inputs)
        return super().predict(replace(request, inputs=inputs[:whole]))


class Raising(NeutralCounter):
    """Lets an exception through where a file is cut short."""

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        if request.artifact.read_bytes()[:1] in (b"", b"n"):
            raise EOFError("cut short")
        return super().translate(request, builder)


class Scribbling(NeutralCounter):
    """Keeps something beside the artifact."""

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        (request.artifact.parent / "cache").write_text("here")
        return super().translate(request, builder)


class Random(NeutralCounter):
    """Depends on chance."""

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        builder.note(os.urandom(4).hex())
        return super().translate(request, builder)


class Ignorant(NeutralCounter):
    """Leaves out what it does not know."""

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        artifact = request.artifact
        known = artifact.with_name("known")
        known.mkdir()
        (known / WEIGHTS).write_bytes((artifact.parent / WEIGHTS).read_bytes())
        (known / artifact.name).write_text(artifact.read_text().replace("unheard", "relu"))
        return super().translate(replace(request, artifact=known / artifact.name), builder)


class FirstOfBatch(NeutralCounter):
    """Every example of the batch becomes the first."""

    def steps(self, steps: tuple[Step, ...], values: dict[str, Value], builder: GraphBuilder) -> Value:
        x = values["x"]
        builder.at("first")
        one = builder.emit("move", x, op="slice", axes=(0,), starts=(0,), ends=(1,), steps=(1,))
        values["x"] = builder.emit("move", one, op="expand", shape=x.shape)
        return super().steps(steps, values, builder)


class Remembering(NeutralCounter, NeutralLoader):
    """Keeps what it read by the name of the file."""

    known: ClassVar[dict[str, Path]] = {}

    def __init__(self) -> None:
        NeutralLoader.__init__(self)

    def _copy(self, artifact: Path) -> Path:
        """A copy of the first file of this name."""
        if artifact.name not in self.known:
            kept = artifact.parent.with_name(f"{artifact.parent.name}-kept")
            kept.mkdir()
            for path in artifact.parent.iterdir():
                (kept / path.name).write_bytes(path.read_bytes())
            self.known[artifact.name] = kept / artifact.name
        return self.known[artifact.name]

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        return super().translate(replace(request, artifact=self._copy(request.artifact)), builder)

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        return super().predict(replace(request, artifact=self._copy(request.artifact)))


def _filled(artifact: Path) -> Path:
    """A copy of an artifact with zeros for what is missing of its weights."""
    folder = artifact.parent.with_name(f"{artifact.parent.name}-filled")
    folder.mkdir(exist_ok=True)
    (folder / artifact.name).write_bytes(artifact.read_bytes())
    weights = artifact.parent / WEIGHTS
    held = weights.read_bytes() if weights.exists() else b""
    (folder / WEIGHTS).write_bytes(held.ljust(4096, b"\0")[: _length(artifact)])
    return folder / artifact.name


def _length(artifact: Path) -> int:
    return int(json.loads(artifact.read_text())["bytes"])


def _in_memory(program: Program) -> Program:
    """The program with its arrays read: they go to the sidecar, whatever becomes of the file."""
    return every(
        " ".join(program.operators), lambda step: replace(step, arrays={name: np.array(array) for name, array in step.arrays.items()})
    )(program)


class FillingCounter(NeutralCounter):
    def __init__(self) -> None:
        super().__init__(_in_memory)

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        return super().translate(replace(request, artifact=_filled(request.artifact)), builder)


class FillingLoader(NeutralLoader):
    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        return super().predict(replace(request, artifact=_filled(request.artifact)))

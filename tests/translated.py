"""A model file as its neutral graph: what the judge gets from the sandbox, with what tests ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from micronet_verify.counting.count import Count, count_graph
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.framework.batch.compare import check_batch
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.protocols import Counter
from micronet_verify.framework.registry import framework_named
from micronet_verify.framework.requests import TranslateRequest
from micronet_verify.interpreter.run import Watch, constants_of, execute
from micronet_verify.track.rules import CountingRules
from tests.difference import CLOSE, difference

Array = NDArray[Any]
Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class Translated:
    """A translated file: the graph as the judge gets it, and where its constants lie."""

    path: Path
    sidecar: Path
    graph: Graph
    store: ConstantStore

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.graph.nodes

    @property
    def kinds(self) -> list[str]:
        """``kind`` or ``kind:op`` of each node, in order."""
        return [f"{n.kind}:{n.attributes['op']}" if "op" in n.attributes else n.kind for n in self.graph.nodes]

    @property
    def work(self) -> list[str]:
        """The same without what only moves data."""
        return [kind for kind in self.kinds if not kind.startswith("move")]

    def shapes(self) -> list[tuple[int, ...]]:
        return [self.graph.values[name].shape for name in self.graph.outputs]

    def constants(self) -> dict[str, Array]:
        """Every constant by label."""
        return {
            value.label: np.array(self.store.open(value.constant, value.shape, value.format))
            for value in self.graph.values.values()
            if value.constant is not None
        }

    def count(self, rules: CountingRules | None = None) -> Count:
        return count_graph(self.graph, self.store, rules or CountingRules())

    def run(self, *inputs: Array, precision: Precision = "float32", watch: Watch | None = None) -> list[Array]:
        """The graph's outputs for one example: the graph's inputs in their order, each with its batch axis of 1."""
        given = dict(zip(self.graph.inputs, map(np.asarray, inputs), strict=True))
        return list(execute(self.graph, constants_of(self.store), given, precision=precision, watch=watch))

    def twice(self, *inputs: Array) -> tuple[list[Array], list[Array]]:
        """The outputs in float32 and in float64."""
        return self.run(*inputs), self.run(*inputs, precision="float64")

    def check(self, inputs: Sequence[Array], answers: Sequence[Array], most: float = CLOSE) -> None:
        """Fail unless the interpreter's outputs for one example are the framework's, within ``most`` times what rounding explains."""
        for mine, exact, theirs in zip(*self.twice(*inputs), answers, strict=True):
            found = difference(theirs, [mine], [exact], nan=True)
            assert found.ratio <= most, f"{found.ratio:.3g} times what rounding explains ({found.yardstick:.3g})"


def translated(counter: Counter | str, path: Path, sidecar: Path, batch: bool = False) -> Translated:
    """The file's graph after the JSON of the sandbox wall, validated, and if ``batch`` looked at with a larger batch.

    ``counter``: a plugin's, or the name of its framework. ``sidecar``: a folder for what has to be decoded.
    """
    reader = framework_named(counter).counter() if isinstance(counter, str) else counter
    builder = GraphBuilder(sidecar)
    graph = reader.translate(TranslateRequest(path), builder)
    if batch:
        check_batch(reader, path, graph, builder)
    found = load_graph(dump_graph(graph))
    validate(found)
    return Translated(path, sidecar, found, ConstantStore(path.parent, sidecar))

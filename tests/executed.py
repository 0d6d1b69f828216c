"""Runs a model file twice: in its framework, and as its neutral graph in the interpreter, and says how far the answers are apart.

The yardstick is what rounding explains: the interpreter's own float32 − float64 difference on the same examples, but at least
one unit in the last place of the answers' size, because a graph of one operator may round nowhere. Frameworks lie at about 1
to 3 of it; a translation that says something else than its file lies at thousands.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.registry import framework_named
from micronet_verify.interpreter.run import Watch, constants_of, execute

Array = NDArray[Any]
CLOSE = 8.0
"""Units of the yardstick within which a framework and the interpreter agree."""


@dataclass(frozen=True)
class Executed:
    """A translated file that can be run: the graph as the judge gets it, and where its constants lie."""

    graph: Graph
    store: ConstantStore

    def run(self, *inputs: Array, precision: Literal["float32", "float64"] = "float32", watch: Watch | None = None) -> list[Array]:
        """The graph's outputs for one example: the graph's inputs in their order, each with its batch axis of 1."""
        given = dict(zip(self.graph.inputs, map(np.asarray, inputs), strict=True))
        return list(execute(self.graph, constants_of(self.store), given, precision=precision, watch=watch))


@dataclass(frozen=True)
class Difference:
    """One output, all examples: how far the framework and the float32 run are from the float64 run."""

    framework: float
    yardstick: float

    @property
    def ratio(self) -> float:
        """The difference in units of the yardstick."""
        return self.framework / self.yardstick if self.framework else 0.0


def translated(framework: str, artifact: Path, sidecar: Path) -> Executed:
    """The file's graph after the JSON of the sandbox wall, validated."""
    graph = load_graph(dump_graph(framework_named(framework).counter().translate(artifact, GraphBuilder(sidecar))))
    validate(graph)
    return Executed(graph, ConstantStore(artifact.parent, sidecar))


def agreement(
    framework: str, artifact: Path, inputs: Array | Sequence[Array], answers: Sequence[Array] | None = None, nan: bool = False
) -> list[Difference]:
    """How well the framework and the interpreter agree on each output of ``artifact``.

    ``inputs`` [examples, …], one array for each input of the model; ``answers`` [examples, …], one for each output that is compared: what
    the framework answers, by default what the plugin's loader predicts (its one output). Numbers that are not finite must be
    the same in all three; ``nan``: NaN may stand where NaN stands.
    """
    given = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
    if answers is None:
        predicted = framework_named(framework).loader().predict(artifact, given[0], 1, 1)
        answers = [np.concatenate([np.asarray(answer.outputs) for answer in predicted])]
    with tempfile.TemporaryDirectory() as folder:
        found = translated(framework, artifact, Path(folder))
        single, double = (_runs(found, given, precision) for precision in ("float32", "float64"))
    return [
        difference(answer, [example[at] for example in single], [example[at] for example in double], nan)
        for at, answer in enumerate(answers)
    ]


def _runs(found: Executed, inputs: Sequence[Array], precision: Any) -> list[list[Array]]:
    return [found.run(*(each[at : at + 1] for each in inputs), precision=precision) for at in range(len(inputs[0]))]


def difference(answers: Array, single: Sequence[Array], double: Sequence[Array], nan: bool = False) -> Difference:
    """Of the framework's ``answers`` [examples, …] and both runs of the interpreter, example by example, from the float64 run."""
    exact = np.concatenate([np.asarray(array).reshape(1, -1) for array in double])
    assert answers.size == exact.size, f"got answers of shape {answers.shape} but should hold {exact.size} numbers"
    theirs, mine = (np.asarray(each).reshape(exact.shape) for each in (answers, np.concatenate([array.reshape(1, -1) for array in single])))
    if exact.dtype.kind in "iub":
        wrong = np.count_nonzero(theirs != exact)
        return Difference(float(wrong) * np.inf if wrong else 0.0, 1.0)
    theirs, mine, exact = (each.astype(np.float64) for each in (theirs, mine, exact))
    finite = np.isfinite(exact)
    same = (theirs == exact) | (np.isnan(theirs) & np.isnan(exact) & nan)
    if not same[~finite].all() or not np.isfinite(theirs[finite]).all():
        return Difference(np.inf, 1.0)
    size = float(np.sqrt(np.mean(exact[finite] ** 2))) if finite.any() else 0.0
    fraction = np.finfo(answers.dtype).eps if answers.dtype.name in ("float16", "float32", "float64") else 2.0**-8
    yardstick = max(float(np.abs(mine[finite] - exact[finite]).max(initial=0)), max(float(fraction), 2.0**-23) * size, 1e-30)
    return Difference(float(np.abs(theirs[finite] - exact[finite]).max(initial=0)), yardstick)


def assert_agrees(
    framework: str, artifact: Path, inputs: Array | Sequence[Array], answers: Sequence[Array] | None = None, most: float = CLOSE
) -> None:
    """Fail unless every output agrees within ``most`` units of the yardstick."""
    found = agreement(framework, artifact, inputs, answers)
    assert all(each.ratio <= most for each in found), f"got {[f'{each.ratio:.3g}' for each in found]} yardsticks apart"


def turns(graph: Graph, values: Mapping[str, Value] | None = None, times: int = 1) -> Iterator[tuple[Node, Mapping[str, Value], int]]:
    """Every node with the values that it sees and how often it runs: those in loops once for each turn."""
    seen = {**(values or {}), **graph.values}
    for node in graph.nodes:
        yield node, seen, times
        for body in node.bodies:
            yield from turns(body, seen, times * int(node.attributes.get("trips", 1)))  # type: ignore[arg-type]


def run_graph(
    graph: Graph, constants: Mapping[str, Array], *inputs: Array, precision: Literal["float32", "float64"] = "float32"
) -> list[Array]:
    """The outputs of a hand-made graph whose constants are given by value id."""
    return list(execute(graph, constants, dict(zip(graph.inputs, inputs, strict=True)), precision=precision))

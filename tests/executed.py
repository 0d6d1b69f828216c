"""Runs a model file twice: in its framework, and as its neutral graph in the interpreter, and says how far the answers are apart."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.framework.registry import framework_named
from micronet_verify.framework.requests import PredictRequest
from micronet_verify.interpreter.run import execute
from tests.difference import CLOSE, Difference, difference
from tests.translated import Precision, translated

Array = NDArray[Any]


def predicted(framework: str, artifact: Path, inputs: Array) -> Array:
    """What the plugin's own loader answers to ``inputs`` [n, …], asked one by one: [n, …]."""
    answers = framework_named(framework).loader().predict(PredictRequest(artifact, inputs, 1, 1))
    return np.concatenate([np.asarray(answer.outputs) for answer in answers])


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
        answers = [predicted(framework, artifact, given[0])]
    with tempfile.TemporaryDirectory() as folder:
        found = translated(framework, artifact, Path(folder))
        runs = [found.twice(*(each[at : at + 1] for each in given)) for at in range(len(given[0]))]
    return [
        difference(answer, [single[at] for single, _ in runs], [double[at] for _, double in runs], nan) for at, answer in enumerate(answers)
    ]


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


def run_graph(graph: Graph, constants: Mapping[str, Array], *inputs: Array, precision: Precision = "float32") -> list[Array]:
    """The outputs of a hand-made graph whose constants are given by value id."""
    return list(execute(graph, constants, dict(zip(graph.inputs, inputs, strict=True)), precision=precision))

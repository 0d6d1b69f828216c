"""Writes SavedModels, translates them without TensorFlow, and compares the neutral graph with what TensorFlow computes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from micronet_verify_tensorflow.counter import TensorFlowCounter
from micronet_verify_tensorflow.loader import TensorFlowLoader
from numpy.typing import NDArray

from micronet_verify.counting.count import Count, count_graph
from micronet_verify.errors import SubmissionFault
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.framework.batch.compare import check_batch
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.track.rules import CountingRules
from tests.executed import CLOSE, Executed, difference

Array = NDArray[Any]
PRECISIONS: tuple[Literal["float32"], Literal["float64"]] = ("float32", "float64")
MODEL = "saved_model.pb"


@dataclass
class Translated:
    """A translated model: the graph as the judge gets it, and where its constants lie."""

    path: Path
    sidecar: Path
    graph: Graph

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.graph.nodes

    @property
    def work(self) -> list[str]:
        """``kind`` or ``kind:op`` of each node that does more than move data."""
        kinds = [f"{n.kind}:{n.attributes['op']}" if "op" in n.attributes else n.kind for n in self.graph.nodes]
        return [kind for kind in kinds if not kind.startswith("move")]

    def shapes(self) -> list[tuple[int, ...]]:
        return [self.graph.values[name].shape for name in self.graph.outputs]

    def store(self) -> ConstantStore:
        return ConstantStore(self.path.parent, self.sidecar)

    def run(self, *feeds: Array) -> list[Array]:
        return Executed(self.graph, self.store()).run(*feeds)

    def check(self, feeds: Sequence[Array], answers: Sequence[Array], most: float = CLOSE) -> None:
        """Fail unless the interpreter's outputs for one example are the framework's, within ``most`` times what rounding explains."""
        single, double = (Executed(self.graph, self.store()).run(*feeds, precision=precision) for precision in PRECISIONS)
        for mine, exact, theirs in zip(single, double, answers, strict=True):
            found = difference(theirs, [mine], [exact], nan=True)
            assert found.ratio <= most, f"{found.ratio:.3g} times what rounding explains ({found.yardstick:.3g})"

    def count(self, rules: CountingRules | None = None) -> Count:
        return count_graph(self.graph, self.store(), rules or CountingRules())


def translate(path: Path, batch: bool = False) -> Translated:
    """The file's graph after the JSON of the sandbox wall, validated, and if ``batch`` looked at with a larger batch."""
    sidecar = path.parent / f"graph-{path.stem}"
    sidecar.mkdir(exist_ok=True)
    counter, builder = TensorFlowCounter(), GraphBuilder(sidecar)
    graph = counter.translate(path, builder)
    if batch:
        check_batch(counter, path, graph, builder)
    found = load_graph(dump_graph(graph))
    validate(found)
    return Translated(path, sidecar, found)


def problems(path: Path) -> list[str]:
    """The sentences with which a model is refused."""
    try:
        translate(path)
    except SubmissionFault as fault:
        return [str(problem) for problem in fault.problems]
    raise AssertionError("the model was not refused")


def predict(path: Path, inputs: Array, batch_size: int = 4) -> list[Any]:
    return list(TensorFlowLoader().predict(path, inputs, batch_size, 1))


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class Builder:
    """Writes what TensorFlow writes. ``folder`` holds one folder for each model."""

    def __init__(self, tf: Any, folder: Path) -> None:
        self.tf, self._folder, self._count = tf, folder, 0

    def folder(self) -> Path:
        self._count += 1
        path = self._folder / str(self._count)
        path.mkdir()
        return path

    def saved(
        self,
        function: Callable[..., Any],
        shapes: Sequence[Sequence[int | None]],
        dtypes: Sequence[str] = (),
        variables: Sequence[Array] = (),
        folder: Path | None = None,
        keep: Any = None,
    ) -> Path:
        """``function(inputs…, variables…)`` as a SavedModel; the path of its ``saved_model.pb``.

        ``keep``: a dictionary of the variables that the function makes when it is traced.
        """
        tf, folder = self.tf, folder or self.folder()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = tf.Module()
            module.kept = [tf.Variable(array, name=f"v{at}") for at, array in enumerate(variables)]
            kinds = list(dtypes) or ["float32"] * len(shapes)
            specs = [tf.TensorSpec(shape, kind, name=f"x{at}") for at, (shape, kind) in enumerate(zip(shapes, kinds, strict=True))]
            module.call = tf.function(lambda *x: function(*x, *module.kept), input_signature=specs, autograph=False)
            module.call.get_concrete_function()
            module.more = list(keep.values()) if keep else []
            tf.saved_model.save(module, str(folder))
        return folder / MODEL

    def exported(self, model: Any) -> Path:
        """A Keras model as its ``export`` writes it."""
        folder = self.folder()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.export(str(folder), verbose=False)
        return folder / MODEL

    def compare(
        self,
        function: Callable[..., Any],
        *inputs: Array,
        variables: Sequence[Array] = (),
        most: float = CLOSE,
    ) -> Translated:
        """Translate, and compare shapes and numbers with TensorFlow's answers for an example; ``most`` as in ``check``."""
        path = self.saved(function, [(None, *x.shape[1:]) for x in inputs], [x.dtype.name for x in inputs], variables)
        found = translate(path)
        answer = self.tf.nest.flatten(function(*map(self.tf.constant, inputs), *map(self.tf.constant, variables)))
        assert found.shapes() == [tuple(part.shape) for part in answer]
        found.check(inputs, [np.asarray(part) for part in answer], most)
        return found

"""Translates and counts small files, and compares the neutral graph number by number with what the interpreter computes."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("ai_edge_litert")
from ai_edge_litert.interpreter import Interpreter as Litert
from ai_edge_litert.interpreter import OpResolverType
from micronet_verify_tflite.counter import TfliteCounter

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
from tests.plugins.tflite.writer import File

Array = NDArray[Any]
PRECISIONS: tuple[Literal["float32"], Literal["float64"]] = ("float32", "float64")
# One folder for all files of a run, removed at its end.
_SCRATCH = tempfile.TemporaryDirectory(prefix="micronet-tflite-")
atexit.register(_SCRATCH.cleanup)


def scratch() -> Path:
    """A new empty folder."""
    return Path(tempfile.mkdtemp(dir=_SCRATCH.name))


def saved(file: File | bytes) -> Path:
    path = scratch() / "model.tflite"
    path.write_bytes(file if isinstance(file, bytes) else file.data())
    return path


@dataclass
class Translated:
    """A translated file: the graph as the judge gets it, and where its constants lie."""

    path: Path
    sidecar: Path
    graph: Graph

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


def translate(source: File | Path, batch: bool = True) -> Translated:
    """The file's graph after the JSON of the sandbox wall, validated, and looked at with a larger batch."""
    path, sidecar = saved(source) if isinstance(source, File) else source, scratch()
    counter, builder = TfliteCounter(), GraphBuilder(sidecar)
    graph = counter.translate(path, builder)
    if batch:
        check_batch(counter, path, graph, builder)
    found = load_graph(dump_graph(graph))
    validate(found)
    return Translated(path, sidecar, found)


def problems(source: File | Path) -> list[str]:
    """The sentences with which a model is refused."""
    try:
        translate(source)
    except SubmissionFault as fault:
        return [str(problem) for problem in fault.problems]
    raise AssertionError("the model was not refused")


def execute(path: Path, *feeds: Array) -> list[Array]:
    """What the interpreter's own kernels compute, as the file's types have it."""
    session = Litert(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, num_threads=1)
    session.allocate_tensors()
    for details, feed in zip(session.get_input_details(), feeds, strict=True):
        session.set_tensor(details["index"], feed)
    session.invoke()
    return [np.array(session.get_tensor(details["index"])) for details in session.get_output_details()]


def compare(file: File, *feeds: Array, most: float = CLOSE, batch: bool = True) -> Translated:
    """Translate a file of floats, and compare shapes and numbers with TFLite's answers, within ``most`` times what rounding explains."""
    found = translate(file, batch)
    answers = execute(found.path, *feeds)
    assert found.shapes() == [answer.shape for answer in answers]
    found.check(feeds, answers, most)
    return found


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def ints(*numbers: int) -> NDArray[np.int32]:
    return np.array(numbers, np.int32)


def bits(values: Sequence[float]) -> int:
    """Storage in bits of scalars: 8 for a power of two, 16 where fp16 holds the number, else 32."""
    return sum(8 if abs(np.frexp(v)[0]) == 0.5 else 16 if float(np.float16(v)) == v else 32 for v in values)

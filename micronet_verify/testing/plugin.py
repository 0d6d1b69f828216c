"""What an author hands to the contract: his framework's name, its module, and how a program is written in its format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from micronet_verify.counting.count import Count, count_graph
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.framework.batch.compare import check_batch
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.protocols import Framework
from micronet_verify.framework.registry import framework_named
from micronet_verify.framework.requests import PredictRequest, StepRequest, TranslateRequest
from micronet_verify.framework.stepping import Stepping
from micronet_verify.testing.program import Array, Program, Unsupported
from micronet_verify.testing.reference import Answers
from micronet_verify.testing.reference.walk import NOT_REACHED
from micronet_verify.track.rules import CountingRules


@dataclass(frozen=True, slots=True)
class Plugin:
    """``name``: the framework's, as manifests have it. ``module``: what the entry point names.

    ``write(program, folder)`` writes the program as an artifact into an empty folder and returns the file's path; it raises
    ``Unsupported`` for what the format cannot say. ``write_unknown(folder)`` writes an artifact with one operator that the
    op table has not, and returns the file's path and the operator's name. ``heavy`` are modules that the plugin's own may
    not import: by default its framework's packages, as ``version()`` names them. ``write_beside(program, folder)``, where the format
    can keep weights in files beside the artifact, writes it so.
    """

    name: str
    module: str
    write: Callable[[Program, Path], Path]
    write_unknown: Callable[[Path], tuple[Path, str]]
    heavy: tuple[str, ...] = ()
    write_beside: Callable[[Program, Path], Path] | None = None

    @property
    def framework(self) -> Framework:
        return framework_named(self.name)


@dataclass(frozen=True, slots=True)
class Translated:
    """A translated artifact: the graph as the judge gets it (through JSON, validated), and its constants."""

    graph: Graph
    text: str
    store: ConstantStore
    sidecar: bytes = field(default=b"", repr=False)

    def count(self, frequencies: Mapping[str, Fraction] | None = None) -> Count:
        return count_graph(self.graph, self.store, CountingRules(), frequencies)


def translate(plugin: Plugin, artifact: Path, folder: Path) -> Translated:
    """Translate ``artifact`` into the empty ``folder``, as the judge does it. Raises what the plugin raises."""
    folder.mkdir(parents=True, exist_ok=True)
    counter, builder = plugin.framework.counter(), GraphBuilder(folder)
    found = counter.translate(TranslateRequest(artifact), builder)
    check_batch(counter, artifact, found, builder)
    text = dump_graph(found)
    graph = load_graph(text)
    validate(graph)
    return Translated(graph, text, ConstantStore(artifact.parent, folder), b"".join(file.read_bytes() for file in sorted(folder.iterdir())))


def predict(plugin: Plugin, artifact: Path, inputs: Array, batch_size: int) -> Array:
    """The answers [examples, …] of the plugin's loader, on one thread."""
    return predict_all(plugin, artifact, inputs, batch_size).outputs


def predict_all(plugin: Plugin, artifact: Path, inputs: Array, batch_size: int) -> Answers:
    """The answers with which body each example took at each branch, by its id; where a batch does not name one, none came there."""
    answers = list(plugin.framework.loader().predict(PredictRequest(artifact, inputs, batch_size, 1)))
    outputs = [np.asarray(answer.outputs) for answer in answers]
    names = sorted({name for answer in answers for name in answer.taken})
    taken = {name: [answer.taken.get(name, (NOT_REACHED,) * len(answer.outputs)) for answer in answers] for name in names}
    return Answers(np.concatenate(outputs), {name: tuple(body for bodies in taken[name] for body in bodies) for name in names})


def read_all(plugin: Plugin, artifact: Path, program: Program, words: Array) -> Answers:
    """The rows [words, …] of the plugin's stepper, which is fed a text in two parts. Raises ``Unsupported`` where the loader has none."""
    loader = plugin.framework.loader()
    if not isinstance(loader, Stepping):
        raise Unsupported("a loader without a stepper")
    stepper = loader.stepper(StepRequest(artifact, program.words, 1))
    stepper.start()
    rows = np.zeros((len(words), program.words), stepper.rows_format)
    for part in (slice(0, 3), slice(3, None)):
        stepper.feed(words[part].astype(np.int64), rows[part])
    return Answers(rows.astype(np.float32), {})


def digests(folder: Path) -> Mapping[str, str]:
    """SHA-256 of every file under ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

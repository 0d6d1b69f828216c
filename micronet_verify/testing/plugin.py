"""What an author hands to the contract: his framework's name, its module, and how a program is written in its format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
from micronet_verify.testing.program import Array, Program
from micronet_verify.track.rules import CountingRules


@dataclass(frozen=True, slots=True)
class Plugin:
    """``name``: the framework's, as manifests have it. ``module``: what the entry point names.

    ``write(program, folder)`` writes the program as an artifact into an empty folder and returns the file's path; it raises
    ``Unsupported`` for what the format cannot say. ``write_unknown(folder)`` writes an artifact with one operator that the
    op table has not, and returns the file's path and the operator's name. ``heavy`` are modules that the plugin's own may
    not import: by default its framework's packages, as ``version()`` names them.
    """

    name: str
    module: str
    write: Callable[[Program, Path], Path]
    write_unknown: Callable[[Path], tuple[Path, str]]
    heavy: tuple[str, ...] = ()

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

    def count(self) -> Count:
        return count_graph(self.graph, self.store, CountingRules())


def translate(plugin: Plugin, artifact: Path, folder: Path) -> Translated:
    """Translate ``artifact`` into the empty ``folder``, as the judge does it. Raises what the plugin raises."""
    folder.mkdir(parents=True, exist_ok=True)
    counter, builder = plugin.framework.counter(), GraphBuilder(folder)
    found = counter.translate(artifact, builder)
    check_batch(counter, artifact, found, builder)
    text = dump_graph(found)
    graph = load_graph(text)
    validate(graph)
    return Translated(graph, text, ConstantStore(artifact.parent, folder), b"".join(file.read_bytes() for file in sorted(folder.iterdir())))


def predict(plugin: Plugin, artifact: Path, inputs: Array, batch_size: int) -> Array:
    """The answers [examples, …] of the plugin's loader, on one thread."""
    answers = plugin.framework.loader().predict(artifact, inputs, batch_size, 1)
    return np.concatenate([np.asarray(answer.outputs) for answer in answers])


def digests(folder: Path) -> Mapping[str, str]:
    """SHA-256 of every file under ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

"""A model file alone, without a manifest or a track: translated in the sandbox and counted, as an entry's would be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from micronet_verify.counting.analysed import Analysed, analyse
from micronet_verify.counting.price import Count, price
from micronet_verify.errors import BenchFault, MicronetError, Problem
from micronet_verify.facts.artifact import Artifact, seal
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.framework.registry import framework_of, frameworks, install, offers
from micronet_verify.sandbox.jobs import TranslateJob
from micronet_verify.sandbox.launcher import Launcher, ProcessLauncher
from micronet_verify.sandbox.products import read_graph
from micronet_verify.track.rules import CountingRules

# Endings by which a file tells the plugin that it needs, where that plugin is not installed.
ENDINGS = {".onnx": "onnx", ".pt2": "pytorch", ".keras": "tensorflow", ".h5": "tensorflow", ".pb": "tensorflow", ".tflite": "tflite"}


@dataclass(frozen=True)
class BareCount:
    """A model file, the files that its constants lie in, its graph, and what it costs."""

    framework: str
    artifact: Artifact
    graph: Graph
    count: Count


@dataclass(frozen=True)
class OpenModel:
    """A translated model file; its constants can be read as long as the ``with`` block of ``opened_file`` lasts."""

    framework: str
    root: Path
    primary: str
    graph: Graph
    store: ConstantStore

    def count(self, rules: CountingRules) -> Count:
        """Both bodies of a branch in full, because nothing was predicted. Raises ``SubmissionFault`` for what has no price."""
        return price(self.analysed, rules)

    @cached_property
    def analysed(self) -> Analysed:
        return analyse(self.graph, self.store)


@contextmanager
def opened_file(path: Path, launcher: Launcher | None = None) -> Iterator[OpenModel]:
    """Translate the model file ``path``.

    Raises ``SubmissionFault`` for a file that cannot be translated, ``BenchFault`` for a missing plugin.
    """
    framework = _framework(path)
    root, primary = path.absolute().parent, path.name
    with tempfile.TemporaryDirectory(prefix="micronet-count-") as folder:
        job = TranslateJob(framework, root, primary, Path(folder, "graph"))
        result = (launcher or ProcessLauncher()).run(job)
        yield OpenModel(framework, root, primary, read_graph(job.out / result.graph), ConstantStore(root, job.out))


def count_file(
    path: Path, rules: CountingRules, launcher: Launcher | None = None, show: Callable[[Analysed], None] | None = None
) -> BareCount:
    """Count the model file ``path``; ``show`` is given what was analysed. Raises as ``opened_file`` and ``OpenModel.count`` do."""
    with opened_file(path, launcher) as model:
        # Constants are read from files that the store has contained, so counting comes before digesting.
        if show is not None:
            show(model.analysed)
        count = model.count(rules)
        artifact = seal(model.root, model.primary, tuple(sorted(set(_files(model.graph)))))
        return BareCount(model.framework, artifact, model.graph, count)


def _framework(path: Path) -> str:
    try:
        return framework_of(path.name).name
    except MicronetError:
        needed = next((name for ending, name in ENDINGS.items() if path.name.endswith(ending)), None)
        if needed is not None and needed not in frameworks():
            if broken := offers().lost(needed):
                raise BenchFault(broken) from None
            got = f"the file {path.name!r} without the plugin that reads it"
            raise BenchFault(Problem(got, f"have it installed: {install(needed)}")) from None
        if not frameworks() and not offers().broken:
            advice = "have one installed: pip install micronet-verify-pytorch, or -onnx"
            raise BenchFault(Problem("no framework plugin", advice)) from None
        raise


def _files(graph: Graph) -> Iterator[str]:
    for value in graph.values.values():
        if value.constant is not None and value.constant.store == "artifact":
            yield value.constant.path
    for node in graph.nodes:
        for body in node.bodies:
            yield from _files(body)

"""What a record rests on: the graph that was counted, the predictions, the rules, and the versions that did the work."""

from __future__ import annotations

import json
import platform
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from typing import Any

from micronet_verify.errors import BenchFault
from micronet_verify.evaluation import Evaluation
from micronet_verify.facts.graph import Graph
from micronet_verify.framework.installed import installed
from micronet_verify.framework.protocols import Framework
from micronet_verify.framework.registry import frameworks
from micronet_verify.framework.registry import versions as needed
from micronet_verify.quality.registry import made_by, metric_offers
from micronet_verify.reports.structure import structure_data
from micronet_verify.wording.numbers import exact

PACKAGES = ("micronet-verify", "ml-dtypes", "numpy", "pillow", "pluggy", "pydantic", "pyyaml", "scikit-learn")


def evidence(evaluation: Evaluation) -> dict[str, Any]:
    """JSON data; ``None`` where the judge did not get that far."""
    submission, artifact, predictions, inputs = evaluation.submission, evaluation.artifact, evaluation.predictions, evaluation.inputs
    return {
        "artifact": [asdict(file) for file in artifact.files] if artifact else None,
        "environment": environment(),
        "files": [asdict(file) for file in submission.files] if submission else None,
        "graph": graph_summary(evaluation.graph) if evaluation.graph else None,
        "inputs": {
            "examples": inputs.examples,
            "preprocessing": json.loads(inputs.preprocessing),
            "scaled_by_the_step": inputs.scaling is not None,
            "sha256": inputs.sha256,
        }
        if inputs
        else None,
        # The first examples alone: inputs, predictions and branches are theirs.
        "partial": {"examples": evaluation.partial.examples, "of": evaluation.partial.of} if evaluation.partial else None,
        # Whose metric it is: nothing for the judge's own.
        "metric": made_by(metric_offers().usable.get(evaluation.track.target.metric)) if evaluation.track else None,
        "manifest_sha256": submission.manifest_sha256 if submission else None,
        "predictions": {
            "artifact_sha256": predictions.artifact_sha256,
            "batch_size": predictions.batch_size,
            "device": predictions.device,
            "branches": {name: exact(share) for name, share in sorted(evaluation.shares.items())},
            "examples": predictions.examples,
            "sha256": predictions.sha256,
        }
        if predictions
        else None,
        "branches": {
            "taken": {name: list(counts) for name, counts in evaluation.branches.taken.items()},
            "least_operations": exact(evaluation.branches.least) if evaluation.branches.least is not None else None,
            "most_operations": exact(evaluation.branches.most) if evaluation.branches.most is not None else None,
        }
        if evaluation.branches
        else None,
        # How the graph is wired (S9), charged or not.
        "structure": structure_data(evaluation),
        "transient_activation_bits": asdict(evaluation.count.peak_activations) if evaluation.count else None,
        # What was sampled follows from it: whoever has it repeats the run.
        "seed": evaluation.seed,
        "rules": asdict(evaluation.track.rules) if evaluation.track else None,
        "versions": versions(),
    }


def graph_summary(graph: Graph) -> dict[str, Any]:
    """Sizes of the graph, bodies of branches and loops included."""
    graphs = list(_with_bodies(graph))
    kinds = Counter(node.kind for part in graphs for node in part.nodes)
    constants = [value for part in graphs for value in part.values.values() if value.constant is not None]
    return {
        "constant_values": sum(value.numel for value in constants),
        "constants": len(constants),
        "formats": dict(sorted(Counter(value.format.name for value in constants).items())),
        "inputs": [_shape(graph, name) for name in graph.inputs],
        "nodes": dict(sorted(kinds.items())),
        "outputs": [_shape(graph, name) for name in graph.outputs],
        "values": sum(len(part.values) for part in graphs),
    }


def _shape(graph: Graph, name: str) -> str:
    return "×".join(map(str, graph.values[name].shape)) or "scalar"


def _with_bodies(graph: Graph) -> Iterator[Graph]:
    yield graph
    for node in graph.nodes:
        for body in node.bodies:
            yield from _with_bodies(body)


def environment() -> dict[str, str]:
    """The machine as far as it can change a number: no name, no path, no time."""
    return {
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "system": platform.system(),
    }


def versions() -> dict[str, Any]:
    """Python, the packages that judge, the plugins, and per installed framework the packages that it needs."""
    return {
        "frameworks": {name: _needed(framework) for name, framework in frameworks().items()},
        "packages": {name: _version(name) for name in PACKAGES},
        "plugins": {plugin.origin.distribution: plugin.origin.version for plugin in installed().plugins},
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def _needed(framework: Framework) -> dict[str, str | None]:
    try:
        return dict(sorted(needed(framework).items()))
    except BenchFault:  # its plugin is broken: every entry of it says so
        return {}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None

"""The judge's part of a language model: whether the graph is a step, where its states begin, and the run over the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from micronet_verify.analysis.values.carried_states import Carried
from micronet_verify.errors import BenchFault, Problem
from micronet_verify.facts.artifact import Artifact
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.predictions import Predictions
from micronet_verify.framework.stepping import Form, Port, check_states, check_step
from micronet_verify.quality.inputs.prepare import Prepared
from micronet_verify.quality.sealed_predictions import seal_predictions
from micronet_verify.sandbox.jobs import PredictResult, StepJob
from micronet_verify.sandbox.products import read_taken
from micronet_verify.stages.bench import Bench, check_unchanged, limits_of
from micronet_verify.submission.manifest import Manifest
from micronet_verify.submission.states import States, read_states
from micronet_verify.submission.submission import Submission
from micronet_verify.track.track import Track

METRIC = "perplexity"


@dataclass(frozen=True, slots=True)
class Stretch:
    """``tokens`` of the text from token ``start`` on; ``states``: ``.npy`` files of what the model had before them."""

    start: int
    tokens: int
    states: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """What the run over the text gave: predictions, which body each token took at each branch, the text, and whole rows of some tokens
    (``shown``, all in the file ``rows``).
    """

    predictions: Predictions
    taken: Mapping[str, tuple[int, ...]]
    text: Prepared
    shown: tuple[Stretch, ...] = ()
    rows: Path | None = None


def is_language(track: Track) -> bool:
    """Whether entries of the track are steps, which read a text."""
    return track.target.metric == METRIC


def carried_by(manifest: Manifest, track: Track, artifact: Artifact) -> Carried | None:
    """The states of a step, for its count; ``None`` in other tracks."""
    return Carried(initial_states(manifest, artifact)) if is_language(track) else None


def initial_states(manifest: Manifest, artifact: Artifact) -> States:
    """The states that the entry's file holds, by name; none where all begin at zero. Raises ``SubmissionFault``."""
    name = manifest.step.initial_state
    return {} if name is None else read_states(artifact.root / name, name)


def check_graph(graph: Graph, track: Track, states: States) -> Form:
    """The graph is a step over the track's vocabulary, and ``states`` are its own. Raises ``SubmissionFault``."""
    inputs, outputs = ([_port(graph, name) for name in names] for names in (graph.inputs, graph.outputs))
    form = check_step(inputs, outputs, track.dataset.classes, "the step")
    if states:
        check_states({name: (array.shape, array.dtype.name) for name, array in states.items()}, form.states)
    return form


def read_text(submission: Submission, track: Track, artifact: Artifact, text: Prepared, bench: Bench, work: Path, shown: int = 0) -> Read:
    """Have the step, or its chunk, read the text; every token's log-likelihood comes back, and of ``shown`` tokens the whole row."""
    manifest, total = submission.manifest, track.dataset.examples
    if text.shape != (total + 1, 1):
        should = f"be {(total + 1, 1)}: a first token, and then each of the {total:,} that are to be predicted"
        raise BenchFault(Problem(f"a text of shape {text.shape}", should, track.name, "see docs/datasets.md on readers of texts"))
    tokens = min(total, bench.limit or total)
    job = StepJob(
        framework=manifest.framework,
        root=artifact.root,
        primary=artifact.primary,
        text=text.path,
        out=work / "predictions",
        tokens=tokens,
        words=track.dataset.classes,
        tolerance=float(track.target.sum_tolerance),
        seed=bench.seed_of(submission.id, track),
        initial=written(initial_states(manifest, artifact), work / "states"),
        chunk=manifest.step.chunk or "",
        shown=shown,
        threads=bench.threads,
        device=bench.device,
    )
    result = bench.launcher.run(job, limits_of(track, track.limits.predict))
    check_unchanged(artifact)
    predictions = seal_predictions(job.out / result.outputs, artifact.sha256, tokens, 1, bench.device)
    taken = read_taken(job.out / result.taken, tokens) if result.taken else {}
    return Read(predictions, taken, replace(text, examples=tokens, whole=total), *_shown(job, result))


def _shown(job: StepJob, result: PredictResult) -> tuple[tuple[Stretch, ...], Path | None]:
    if not result.rows:
        return (), None
    pairs = list(zip(result.stretches[::2], result.stretches[1::2], strict=True))
    each = len(result.states) // len(pairs)
    states = [job.out / name for name in result.states]
    found = (Stretch(start, tokens, tuple(states[each * at : each * (at + 1)])) for at, (start, tokens) in enumerate(pairs))
    return tuple(found), job.out / result.rows


def _port(graph: Graph, name: str) -> Port:
    value = graph.values[name]
    return Port(value.label or name, value.shape, value.format.name)


def written(states: States, folder: Path) -> tuple[tuple[str, Path], ...]:
    """Copies of the states that the judge wrote, one ``.npy`` each: a worker opens nothing of the entry but its models."""
    found = []
    folder.mkdir(exist_ok=True)
    for number, (name, array) in enumerate(states.items()):
        path = folder / f"{number}.npy"
        np.save(path, array, allow_pickle=False)
        found.append((name, path))
    return tuple(found)

"""The stage that makes a neutral graph of the artifact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.artifact import Artifact
from micronet_verify.facts.graph import Graph
from micronet_verify.sandbox.jobs import TranslateJob
from micronet_verify.sandbox.products import read_graph
from micronet_verify.stages.bench import Bench, check_unchanged, limits_of
from micronet_verify.stages.language import check_graph, initial_states, is_language
from micronet_verify.submission.submission import Submission
from micronet_verify.track.track import Track

_OTHER_ORDER = "the axes have another order: begin the model with a transpose, which costs nothing, and keep its layers as they are"


def translate(submission: Submission, track: Track, artifact: Artifact, bench: Bench, work: Path) -> Graph:
    """The neutral graph of the artifact, which takes what the track feeds."""
    chunk = submission.manifest.step.chunk or ""
    job = TranslateJob(
        framework=submission.manifest.framework,
        root=artifact.root,
        primary=artifact.primary,
        out=work / "graph",
        threads=bench.threads,
        chunk=chunk,
    )
    try:
        result = bench.launcher.run(job, limits_of(track, track.limits.translate))
    except SubmissionFault as fault:
        # What is wrong with the file as a whole has no place within it.
        raise SubmissionFault(replace(problem, where=problem.where or artifact.primary) for problem in fault.problems) from None
    graph = read_graph(job.out / result.graph)
    check_unchanged(artifact)
    if is_language(track):
        check_graph(graph, track, initial_states(submission.manifest, artifact))
    else:
        _accepts(graph, track)
    return graph


def _accepts(graph: Graph, track: Track) -> None:
    """The model's inputs are the track's: one tensor of [1, *input_shape]."""
    wanted = (1, *track.dataset.input_shape)
    shapes = [graph.values[name].shape for name in graph.inputs]
    if shapes != [wanted]:
        got = ", ".join(map(str, shapes)) or "none"
        advice = _OTHER_ORDER if len(shapes) == 1 and sorted(shapes[0]) == sorted(wanted) else ""
        raise SubmissionFault(Problem(f"inputs of shape {got}", f"be one of shape {wanted}", "the model's inputs", advice))

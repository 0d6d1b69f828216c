"""What a worker does for each job. Runs inside the sandbox; the framework plugin does the work, this checks and writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.facts.serde import dump_graph
from micronet_verify.facts.tensors import SIDECAR
from micronet_verify.framework.batch.compare import check_batch
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.chunk import check_chunk
from micronet_verify.framework.guard import no_exit
from micronet_verify.framework.guarded import GuardedLoader, counter_of, loader_on
from micronet_verify.framework.protocols import CPU, Answer, Counter, Framework
from micronet_verify.framework.registry import framework_named, incomplete
from micronet_verify.framework.requests import PredictRequest, TraceRequest, TranslateRequest
from micronet_verify.sandbox.asked_alone import check_alone
from micronet_verify.sandbox.inputs import open_inputs
from micronet_verify.sandbox.jobs import (
    GRAPH,
    OUTPUTS,
    TAKEN,
    AnyJob,
    AnyResult,
    ExportJob,
    ExportResult,
    PredictJob,
    PredictResult,
    ProveJob,
    StepJob,
    TranslateJob,
    TranslateResult,
)
from micronet_verify.sandbox.language.evaluate import read_text

WHERE = "stage predict"
# Index of a branch that an example never came to, because an outer branch went the other way.
NOT_REACHED = -1


def run_step(job: AnyJob, ready: Callable[[], None]) -> AnyResult:
    """Run one job; ``ready`` is called once the plugin stands and just before anything of the entry is touched.

    Raises ``SubmissionFault`` or ``BenchFault``, a ``PluginFault`` for a plugin's defect, and whatever an export lets through.
    """
    assert not isinstance(job, ProveJob)  # which needs prices, and has a worker of its own
    framework = _installed(job)
    if isinstance(job, TranslateJob):  # reads the artifact as data, so a counter may do without the framework itself
        counter = counter_of(framework)
        ready()
        with no_exit():
            return translate(job, counter)
    if lack := incomplete(framework):
        raise BenchFault(replace(lack, where=f"stage {job.stage}"))
    loader = loader_on(framework, CPU if isinstance(job, ExportJob) else job.device)
    ready()
    if isinstance(job, ExportJob):
        return export(job, loader, framework)
    with no_exit():
        return read_text(job, loader) if isinstance(job, StepJob) else predict(job, loader)


def _installed(job: ExportJob | TranslateJob | PredictJob | StepJob) -> Framework:
    """The judge has found the plugin; a worker finds only what is installed, and that it does not is no entry's fault."""
    try:
        return framework_named(job.framework)
    except SubmissionFault:
        got, advice = f"a worker without the plugin of the framework {job.framework!r}", "install the plugin: workers ignore PYTHONPATH"
        raise BenchFault(Problem(got, "find it as the judge does", f"stage {job.stage}", advice)) from None


def export(job: ExportJob, loader: GuardedLoader, framework: Framework) -> ExportResult:
    """Have the entrant's code build its model, and the plugin write it."""
    if not loader.exports:
        should = f"hand in the model file itself ({' or '.join(framework.suffixes)})"
        raise SubmissionFault(Problem(f"an entry in source form for the framework {framework.name!r}", should, job.request.entry_point))
    return ExportResult(loader.export(job.request))


def translate(job: TranslateJob, counter: Counter) -> TranslateResult:
    """Write ``graph.json`` and, where constants had to be decoded, the sidecar ``constants.bin``."""
    builder = GraphBuilder(job.out)
    graph = counter.translate(TranslateRequest(job.root / job.primary), builder)
    check_batch(counter, job.root / job.primary, graph, builder)
    if job.chunk:
        check_chunk(counter, job.root, job.chunk, graph, job.out)
    (job.out / GRAPH).write_text(dump_graph(graph), encoding="utf-8")
    return TranslateResult(GRAPH, SIDECAR if (job.out / SIDECAR).exists() else "")


def predict(job: PredictJob, loader: GuardedLoader) -> PredictResult:
    """Write ``outputs.npy`` [examples, …] and, for a model that branches, ``taken.json`` (branch id → index per example)."""
    inputs = open_inputs(job.inputs, job.scaling)
    if len(inputs) == 0:
        raise BenchFault(Problem("no inputs", "be at least one example", WHERE))
    if loader.traces:
        loader.check_shapes(TraceRequest(job.root / job.primary, inputs[:1], job.threads))
    answers = loader.predict(PredictRequest(job.root / job.primary, inputs, job.batch_size, job.threads))
    shape, taken = _collect(answers, len(inputs), job.out / OUTPUTS)
    if job.alone:
        again = loader.predict(PredictRequest(job.root / job.primary, inputs[list(job.alone)], 1, job.threads))
        check_alone(np.load(job.out / OUTPUTS, mmap_mode="r"), np.concatenate([answer.outputs for answer in again]), job.alone, WHERE)
    if taken:
        (job.out / TAKEN).write_text(json.dumps(taken, sort_keys=True), encoding="utf-8")
    return PredictResult(OUTPUTS, shape, TAKEN if taken else "")


def _collect(answers: Iterator[Answer], examples: int, path: Path) -> tuple[tuple[int, ...], dict[str, list[int]]]:
    """Copy batches into one ``.npy`` file, allocated when the first batch has shown its shape and type."""
    outputs: NDArray[Any] | None = None
    taken: dict[str, list[int]] = {}
    done = 0
    for answer in answers:
        batch = answer.outputs
        if outputs is None:
            outputs = np.lib.format.open_memmap(path, "w+", batch.dtype, (examples, *batch.shape[1:]))
        if batch.shape[1:] != outputs.shape[1:] or batch.dtype != outputs.dtype:
            got = f"outputs of shape {batch.shape} and type {batch.dtype} for the examples from {done} on"
            raise SubmissionFault(Problem(got, f"be of shape {_shape(outputs)} and type {outputs.dtype} like those before", WHERE))
        outputs[done : done + len(batch)] = batch
        for branch, indices in answer.taken.items():
            record = taken.setdefault(branch, [])
            record.extend([NOT_REACHED] * (done - len(record)))
            record.extend(int(index) for index in indices)
        done += len(batch)
    assert outputs is not None  # ``GuardedLoader`` has seen one answer for each example
    for record in taken.values():
        record.extend([NOT_REACHED] * (examples - len(record)))
    outputs.flush()  # type: ignore[attr-defined]  # a memmap
    return outputs.shape, taken


def _shape(outputs: NDArray[Any]) -> str:
    return "[batch" + "".join(f", {size}" for size in outputs.shape[1:]) + "]"

"""The corridor as one function: track and entry go in, everything that is known about the entry comes out.

    manifest ─► export ─► artifact ─┬► translate ─► graph ───────┬► count ─► ledger ─┐
                                    └► predict ─► predictions ───┴► quality ─────────┴► score

A stage that fails records its fault and the rest goes on as far as it can: an entry that misses one question still
gets its answers to the others. Nothing of one entry can reach another.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeVar

from micronet_verify.counting.count import Count, count_graph
from micronet_verify.counting.ledger import Ledger
from micronet_verify.errors import BenchFault, MicronetError, Problem, SpecError, SubmissionFault
from micronet_verify.facts.artifact import Artifact, seal
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.predictions import Predictions
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.framework.protocols import ExportRequest
from micronet_verify.framework.registry import framework_named
from micronet_verify.quality.datasets import DatasetMissing, Prepared, prepare
from micronet_verify.quality.home import cache_folder, data_root
from micronet_verify.quality.labels import labels
from micronet_verify.quality.measuring import check_metric, measure
from micronet_verify.quality.metrics import AnyQuality
from micronet_verify.quality.predictions import open_predictions, seal_predictions
from micronet_verify.sandbox.alone import sample_alone
from micronet_verify.sandbox.jobs import ExportJob, PredictJob, TranslateJob
from micronet_verify.sandbox.launcher import Launcher, ProcessLauncher
from micronet_verify.sandbox.limits import Limits
from micronet_verify.sandbox.products import read_graph, read_taken
from micronet_verify.score import Score, score_of
from micronet_verify.submission.choices import choose_track, preprocessing_of
from micronet_verify.submission.load import load_submission
from micronet_verify.submission.submission import Submission
from micronet_verify.track.library import load_track, track_names
from micronet_verify.track.rules import CountingRules
from micronet_verify.track.track import StepLimit, Track

StageName = Literal["manifest", "track", "export", "translate", "count", "predict", "quality"]
STAGES: tuple[StageName, ...] = ("manifest", "track", "export", "translate", "count", "predict", "quality")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a stage has no result. ``acts``: who must act. ``missing``: a data set is not on this machine."""

    acts: Literal["entrant", "organizer", "operator"]
    problems: tuple[Problem, ...]
    missing: bool = False

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Branches:
    """What the test set did at the branches (rule O13).

    ``taken``: by branch id, how many examples took the first body, how many the second. ``least`` and ``most``: operations
    of the cheapest and the dearest example, in the regime that is charged; ``None`` where there are too many ways through.
    """

    taken: Mapping[str, tuple[int, int]]
    least: Fraction | None
    most: Fraction | None


@dataclass(frozen=True)
class Evaluation:
    """All that was found out about one entry; ``None`` where a stage did not get there (``faults`` say which and why)."""

    id: str
    submission: Submission | None = None
    track: Track | None = None
    artifact: Artifact | None = None
    graph: Graph | None = None
    count: Count | None = None
    ledger: Ledger | None = None
    predictions: Predictions | None = None
    quality: AnyQuality | None = None
    score: Score | None = None
    frequencies: Mapping[str, Fraction] = field(default_factory=dict)
    branches: Branches | None = None
    faults: Mapping[StageName, Fault] = field(default_factory=dict)
    store: ConstantStore | None = None
    inputs: Prepared | None = None

    def recount(self, rules: CountingRules) -> Count:
        """The same graph under other rules; only while the judge's working folder stands. For entries that were counted."""
        assert self.graph is not None
        assert self.store is not None
        return count_graph(self.graph, self.store, rules, self.frequencies)

    def blocked_by(self, *stages: StageName) -> StageName | None:
        """The first of all stages up to the last of ``stages`` that failed and that they need, or ``None``."""
        needed = {name for stage in stages for name in (*NEEDS[stage], stage)}
        return next((name for name in STAGES if name in needed and name in self.faults), None)


NEEDS: Mapping[StageName, tuple[StageName, ...]] = {
    "manifest": (),
    "track": ("manifest",),
    "export": ("manifest", "track"),
    "translate": ("manifest", "track", "export"),
    "predict": ("manifest", "track", "export"),
    "count": ("manifest", "track", "export", "translate"),
    "quality": ("manifest", "track", "export", "predict"),
}


@dataclass(frozen=True)
class Bench:
    """Where and how entries are judged. ``work`` is a folder of the judge's; ``tracks`` are extra folders of track files.

    ``data`` is the folder of data sets, by default what the environment says. ``inputs`` is where prepared inputs are kept;
    by default that is between runs where there is a folder of data sets, and in ``work`` where there is none.
    """

    work: Path
    tracks: Sequence[Path] = ()
    launcher: Launcher = field(default_factory=ProcessLauncher)
    threads: int = 1
    batch_size: int = 64
    data: Path | None = None
    inputs: Path | None = None

    @property
    def kept(self) -> Path:
        """The folder of prepared inputs. Raises ``BenchFault`` for settings that cannot be read."""
        return self.inputs or (cache_folder() if data_root(self.data) else self.work / "inputs")

    def folder(self, id: str) -> Path:
        """The working folder of the entry ``id``: by digest, so that no two ids share one and every id fits in a file name."""
        return self.work / "entries" / hashlib.sha256(id.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def evaluate(entry: Path, id: str, bench: Bench, progress: Callable[[str, str], None] | None = None) -> Evaluation:
    """Judge the entry in the directory ``entry``. ``progress(id, stage)`` is told of every stage as it starts.

    Never raises for a fault of the entry, the organizers or the bench: it is recorded with its stage.
    """
    run = _Run(id, progress or (lambda entry_id, stage: None))
    work = bench.folder(id)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    submission = run.stage("manifest", lambda: load_submission(entry, id))
    track = run.stage("track", lambda s: _track(s, bench), submission)
    artifact = run.stage("export", lambda s, t: _artifact(s, t, bench, work), submission, track)
    graph = run.stage("translate", lambda s, t, a: _translate(s, t, a, bench, work), submission, track, artifact)
    answered = run.stage("predict", lambda s, t, a: _predict(s, t, a, bench, work), submission, track, artifact)
    predictions, taken, inputs = answered or (None, {}, None)
    frequencies = {name: _share(indices) for name, indices in taken.items()}
    # Constants lie beside the file that a framework opens, or decoded beside the graph.
    store = ConstantStore(artifact.path.parent, work / "graph") if artifact and graph else None
    count = run.stage("count", lambda t, g, s: count_graph(g, s, t.rules, frequencies), track, graph, store)
    quality = run.stage("quality", lambda t, a, p: _quality(t, a, p, bench), track, artifact, predictions)
    ledger = count.cheapest(track.baseline.parameters, track.baseline.operations) if count and track else None
    score = score_of(ledger, track.baseline) if ledger and track else None
    branches = None
    if ledger and track and graph and store and taken:
        branches = _branches(taken, ledger, lambda shares: count_graph(graph, store, track.rules, shares))
    faults = dict(run.faults)
    return Evaluation(
        id, submission, track, artifact, graph, count, ledger, predictions, quality, score, frequencies, branches, faults, store, inputs
    )


class _Run:
    """Runs stages of one evaluation; a stage whose operands are missing is passed over."""

    def __init__(self, id: str, progress: Callable[[str, str], None]) -> None:
        self.id, self.progress, self.faults = id, progress, dict[StageName, Fault]()

    def stage(self, name: StageName, work: Callable[..., T], *needs: Any) -> T | None:
        if any(need is None for need in needs):
            return None
        self.progress(self.id, name)
        try:
            return work(*needs)
        except DatasetMissing as fault:
            self.faults[name] = Fault("operator", fault.problems, missing=True)
        except SubmissionFault as fault:
            self.faults[name] = Fault("entrant", fault.problems)
        except SpecError as fault:
            self.faults[name] = Fault("organizer", fault.problems)
        except MicronetError as fault:
            self.faults[name] = Fault("operator", fault.problems)
        except Exception as error:  # our own defect: it costs this entry its verdict, and no other entry anything
            where = _place(error)
            self.faults[name] = Fault("operator", (Problem(f"{type(error).__name__}: {error}", "not happen: please report it", where),))
        return None


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


def _track(submission: Submission, bench: Bench) -> Track:
    """The track that the manifest names; a wrong name is the entrant's fault, a wrong file the organizer's."""
    name = submission.manifest.track
    known = track_names(bench.tracks)
    return choose_track(submission.manifest, {other: load_track(name, bench.tracks) if other == name else None for other in known})


def _artifact(submission: Submission, track: Track, bench: Bench, work: Path) -> Artifact:
    """A copy of the artifact in the judge's own folder: what is counted and what is evaluated, whatever the entry does meanwhile."""
    manifest, folder = submission.manifest, work / "artifact"
    framework = framework_named(manifest.framework)
    if manifest.source is not None:
        entry = _copied(submission, work / "entry", [file.path for file in submission.files])
        request = ExportRequest(
            entry, manifest.source.entry_point, manifest.source.weights, track.dataset.input_shape, track.dataset.input_format
        )
        result = bench.launcher.run(ExportJob(framework.name, request, folder, bench.threads), _limits(track, track.limits.export))
        return seal(folder, result.artifact)
    assert manifest.model is not None
    if not manifest.model.endswith(framework.suffixes):
        should = f"end in {' or '.join(framework.suffixes)} for the framework {framework.name}"
        raise SubmissionFault(Problem(f"model: {manifest.model!r}", should, manifest.where("model")))
    _copied(submission, folder, [manifest.model, *manifest.external_data])
    sealed = seal(folder, manifest.model, manifest.external_data)
    named = {file.path: file.sha256 for file in submission.files}
    for file in sealed.files:
        if named[file.path] != file.sha256:
            raise SubmissionFault(Problem(f"{file.path} of SHA-256 {file.sha256[:12]}…", f"be {named[file.path][:12]}… as first read"))
    return sealed


def _copied(submission: Submission, folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(submission.root / name, target, follow_symlinks=False)
    return folder


def _translate(submission: Submission, track: Track, artifact: Artifact, bench: Bench, work: Path) -> Graph:
    job = TranslateJob(submission.manifest.framework, artifact.root, artifact.primary, work / "graph", bench.threads)
    result = bench.launcher.run(job, _limits(track, track.limits.translate))
    graph = read_graph(job.out / result.graph)
    _unchanged(artifact)
    _accepts(graph, track)
    return graph


def _accepts(graph: Graph, track: Track) -> None:
    """The model's inputs are the track's: one tensor of [1, *input_shape]."""
    wanted = (1, *track.dataset.input_shape)
    shapes = [graph.values[name].shape for name in graph.inputs]
    if shapes != [wanted]:
        got = ", ".join(map(str, shapes)) or "none"
        raise SubmissionFault(Problem(f"inputs of shape {got}", f"be one of shape {wanted}", "the model's inputs"))


def _unchanged(artifact: Artifact) -> None:
    if seal(artifact.root, artifact.primary, tuple(file.path for file in artifact.files)).sha256 != artifact.sha256:
        raise BenchFault(Problem("an artifact that changed while it was judged", "stay as it was sealed", artifact.primary))


def _predict(
    submission: Submission, track: Track, artifact: Artifact, bench: Bench, work: Path
) -> tuple[Predictions, Mapping[str, tuple[int, ...]], Prepared]:
    data = track.dataset
    check_metric(track.target)
    if track.target.metric == "perplexity":
        raise DatasetMissing(Problem("the metric perplexity", "be one that this version measures", track.name))
    steps = data.steps_named(preprocessing_of(submission.manifest, track))
    prepared = prepare(data.name, data.split, steps, bench.kept, data.expected, bench.data)
    if prepared.shape[1:] != data.input_shape:
        got, should = f"inputs of shape {prepared.shape[1:]}", f"be {data.input_shape}, as dataset.input_shape says"
        raise SpecError(Problem(got, should, track.name))
    job = PredictJob(
        submission.manifest.framework,
        artifact.root,
        artifact.primary,
        prepared.path,
        work / "predictions",
        bench.batch_size,
        bench.threads,
        prepared.scaling,
        sample_alone(artifact.sha256, prepared.examples),
    )
    result = bench.launcher.run(job, _limits(track, track.limits.predict))
    _unchanged(artifact)
    predictions = seal_predictions(job.out / result.outputs, artifact.sha256, prepared.examples, bench.batch_size)
    taken = read_taken(job.out / result.taken, prepared.examples) if result.taken else {}
    return predictions, taken, prepared


# More ways through the branches than this are not each counted again.
_MOST_WAYS = 64


def _branches(taken: Mapping[str, tuple[int, ...]], ledger: Ledger, recount: Callable[[Mapping[str, Fraction]], Count]) -> Branches:
    """How often each body was taken, and what the cheapest and the dearest example cost."""
    counts = {name: (indices.count(0), indices.count(1)) for name, indices in sorted(taken.items())}
    ways = sorted(set(zip(*(taken[name] for name in counts), strict=True)))
    if len(ways) > _MOST_WAYS:
        return Branches(counts, None, None)
    found = [
        recount({name: Fraction(int(index == 0)) for name, index in zip(counts, way, strict=True)}).ledgers[ledger.regime].operations
        for way in ways
    ]
    return Branches(counts, min(found), max(found))


def _share(indices: Sequence[int]) -> Fraction:
    """Of the examples that reached a branch, the share that took its first body (rule O13)."""
    reached = sum(index >= 0 for index in indices)
    return Fraction(sum(index == 0 for index in indices), reached) if reached else Fraction(0)


def _quality(track: Track, artifact: Artifact, predictions: Predictions, bench: Bench) -> AnyQuality:
    outputs = open_predictions(predictions, artifact.sha256, track.limits.output_bytes)
    found = labels(track.dataset.name, track.dataset.split, track.dataset.expected, bench.data, bench.kept)
    return measure(track.target, outputs, found, track.dataset.classes)


def _limits(track: Track, step: StepLimit) -> Limits:
    return Limits(step.seconds, step.memory, track.limits.output_bytes)

"""The corridor as one function: track and entry go in, everything that is known about the entry comes out.

    manifest ─► export ─► artifact ─┬► translate ─► graph ───────┬► count ─► ledger ─┬► score
                                    │                            └──────► prove ◄────┤
                                    └► predict ─► predictions ───────┴──► quality ───┘

A stage that fails records its fault and the rest goes on as far as it can: an entry that misses one question still
gets its answers to the others. Nothing of one entry can reach another.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeVar

from micronet_verify.analysis.values.carried_states import Carried
from micronet_verify.counting.analysed import Analysed, analyse
from micronet_verify.counting.ledger import Ledger
from micronet_verify.counting.price import Count, price
from micronet_verify.counting.score import Score
from micronet_verify.errors import MicronetError, Problem, SpecError, SubmissionFault
from micronet_verify.facts.artifact import Artifact
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.predictions import Predictions
from micronet_verify.facts.proof import Proof
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.quality.inputs.prepare import DatasetMissing, Prepared
from micronet_verify.quality.metrics.accuracy import AnyQuality, Partial
from micronet_verify.stages.bench import Bench as Bench
from micronet_verify.stages.branches import Branches as Branches
from micronet_verify.stages.branches import branches_of, share_of
from micronet_verify.stages.export import artifact_of
from micronet_verify.stages.language import carried_by
from micronet_verify.stages.predict import begin_preparing, predict
from micronet_verify.stages.prove import examples_of, prove
from micronet_verify.stages.quality import quality_of
from micronet_verify.stages.translate import translate
from micronet_verify.submission.choices import choose_track
from micronet_verify.submission.load import load_submission, read_manifest
from micronet_verify.submission.manifest import Manifest
from micronet_verify.submission.submission import Submission
from micronet_verify.track.library import load_track, track_names
from micronet_verify.track.rules import CountingRules
from micronet_verify.track.track import Track

StageName = Literal["manifest", "track", "export", "translate", "count", "predict", "prove", "quality"]
STAGES: tuple[StageName, ...] = ("manifest", "track", "export", "translate", "count", "predict", "prove", "quality")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a stage has no result. ``acts``: who must act. ``missing``: a data set is not on this machine."""

    acts: Literal["entrant", "organizer", "operator"]
    problems: tuple[Problem, ...]
    missing: bool = False

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All that was found out about one entry; ``None`` where a stage did not get there (``faults`` say which and why).

    ``partial``: only the first examples were predicted. ``quality`` is then ``None``, and ``shares`` and ``branches``, and
    what is counted with them, are those of the first examples. ``seed``: the run's, from which follows what was sampled.
    """

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
    shares: Mapping[str, Fraction] = field(default_factory=dict)
    branches: Branches | None = None
    faults: Mapping[StageName, Fault] = field(default_factory=dict)
    store: ConstantStore | None = None
    inputs: Prepared | None = None
    carried: Carried | None = None
    partial: Partial | None = None
    analysed: Analysed | None = None
    seed: str = ""
    proof: Proof | None = None

    def recount(self, rules: CountingRules) -> Count:
        """The same graph under other rules; only while the judge's working folder stands. For entries that were counted."""
        assert self.analysed is not None
        return price(self.analysed, rules, self.shares)

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
    "prove": ("manifest", "track", "export", "translate", "count", "predict"),
    "quality": ("manifest", "track", "export", "predict"),
}


def evaluate(entry: Path, id: str, bench: Bench, progress: Callable[[str, str], None] | None = None) -> Evaluation:
    """Judge the entry in the directory ``entry``. ``progress(id, stage)`` is told of every stage as it starts.

    Never raises for a fault of the entry, the organizers or the bench: it is recorded with its stage.
    """
    run = _Run(id, progress or (lambda entry_id, stage: None))
    work = bench.folder(id)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    submission = run.stage("manifest", lambda: load_submission(entry, id))
    track = run.stage("track", lambda s: _track(s.manifest, bench), submission)
    if submission and track:
        begin_preparing(submission.manifest, track, bench)
    artifact = run.stage("export", lambda s, t: artifact_of(s, t, bench, work), submission, track)
    graph = run.stage("translate", lambda s, t, a: translate(s, t, a, bench, work), submission, track, artifact)
    shown = examples_of(track, graph) if track else 0
    answered = run.stage("predict", lambda s, t, a: predict(s, t, a, bench, work, shown), submission, track, artifact)
    predictions, taken, inputs = (answered.predictions, answered.taken, answered.inputs) if answered else (None, {}, None)
    shares = {name: share_of(indices) for name, indices in taken.items()}
    # Constants lie beside the file that a framework opens, or decoded beside the graph.
    store = ConstantStore(artifact.path.parent, work / "graph") if artifact and graph else None
    carried = carried_by(submission.manifest, track, artifact) if submission and track and artifact and graph else None
    analysed, count = run.stage("count", lambda t, g, s: _counted(t, g, s, shares, carried), track, graph, store) or (None, None)
    quality = run.stage("quality", lambda t, a, found: quality_of(t, a, found, bench), track, artifact, answered)
    ledger = count.cheapest(track.baseline.parameters, track.baseline.operations) if count and track else None
    needs = submission, track, artifact, graph, ledger, answered
    proof = run.stage("prove", lambda s, t, a, g, charged, found: prove(s, t, a, g, charged.regime, found, bench, work), *needs)
    score = Score.of(ledger, track.baseline) if ledger and track else None
    branches = None
    if ledger and track and analysed and taken:
        branches = branches_of(taken, ledger, lambda way: price(analysed, track.rules, way))
    partial = Partial(inputs.examples, inputs.whole, quality) if inputs and inputs.examples < inputs.whole else None
    return Evaluation(
        id=id,
        submission=submission,
        track=track,
        artifact=artifact,
        graph=graph,
        count=count,
        ledger=ledger,
        predictions=predictions,
        quality=None if partial else quality,
        score=score,
        shares=shares,
        branches=branches,
        faults=dict(run.faults),
        store=store,
        inputs=inputs,
        carried=carried,
        partial=partial,
        analysed=analysed,
        seed=bench.seed,
        proof=proof,
    )


def _counted(
    track: Track, graph: Graph, store: ConstantStore, shares: Mapping[str, Fraction], carried: Carried | None
) -> tuple[Analysed, Count]:
    analysed = analyse(graph, store, carried, track.baseline.per_word)
    return analysed, price(analysed, track.rules, shares)


def prepare_for(entry: Path, bench: Bench) -> None:
    """Have the inputs of an entry made in the background before its turn comes. Says nothing: ``evaluate`` will."""
    with suppress(MicronetError, OSError):
        manifest = read_manifest(entry)
        begin_preparing(manifest, _track(manifest, bench), bench)


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


def _track(manifest: Manifest, bench: Bench) -> Track:
    """The track that the manifest names; a wrong name is the entrant's fault, a wrong file the organizer's."""
    name = manifest.track
    known = track_names(bench.tracks)
    return choose_track(manifest, {other: load_track(name, bench.tracks) if other == name else None for other in known})

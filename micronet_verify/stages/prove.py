"""The stage that proves the count: what was priced is run on examples of the test set, in a child process that sees no label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.facts.artifact import Artifact
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.proof import Compared, Proof
from micronet_verify.proof.examples import how_many
from micronet_verify.quality.sealed_predictions import open_predictions
from micronet_verify.sandbox.answers import readable
from micronet_verify.sandbox.inputs import open_inputs
from micronet_verify.sandbox.jobs import ProveJob
from micronet_verify.sandbox.sampling import sample
from micronet_verify.stages.bench import Bench, check_unchanged, limits_of
from micronet_verify.stages.language import initial_states, is_language, written
from micronet_verify.stages.predict import Answered
from micronet_verify.submission.submission import Submission
from micronet_verify.track.track import Track


def examples_of(track: Track, graph: Graph | None) -> int:
    """How many examples the graph is to be proved on; 0 without one."""
    terms = track.proof
    return 0 if graph is None else how_many(graph, terms.seconds, terms.least, terms.most)


def prove(
    submission: Submission, track: Track, artifact: Artifact, graph: Graph, regime: str, answered: Answered, bench: Bench, work: Path
) -> Proof:
    """Run the graph as translated and as priced on examples that the run's seed draws. Raises as a step does."""
    folder, seed = work / "proof", bench.seed_of(submission.id, track)
    folder.mkdir()
    places, rows = _places(track, graph, answered, seed), answered.rows
    if rows is None:
        answers = _answers(track, artifact, answered, places)
        finite = _finite(answers)
        places, rows = [places[at] for at in finite], _kept(folder / "answers.npy", answers[finite])
    job = ProveJob(
        graph=work / "graph",
        root=artifact.path.parent,
        rows=_kept(folder / "rows.npy", _inputs(answered, places)),
        answers=rows,
        out=folder / "out",
        rules=asdict(track.rules),
        regime=regime,
        per_word=str(track.baseline.per_word),
        terms={"factor": float(track.proof.factor), "cap": float(track.proof.cap), "ratio": float(track.proof.ratio)}
        | {"spread": float(track.proof.rounding)},
        seed=seed,
        language=is_language(track),
        begins=_begins(answered),
        states=tuple(path for stretch in answered.shown for path in stretch.states),
        initial=written(initial_states(submission.manifest, artifact), folder / "initial") if is_language(track) else (),
        threads=bench.threads,
    )
    result = bench.launcher.run(job, limits_of(track, track.limits.prove))
    check_unchanged(artifact)
    return read_proof(job.out / result.file)


def _places(track: Track, graph: Graph, answered: Answered, seed: str) -> Sequence[int]:
    """Which examples of the test set, or tokens of the text, are run."""
    if answered.shown:
        return [place for stretch in answered.shown for place in range(stretch.start, stretch.start + stretch.tokens)]
    return sample(seed, "proof", examples_of(track, graph), answered.inputs.examples)


def _finite(answers: NDArray[Any]) -> list[int]:
    """The rows of ``answers`` that are finite, or all where none is. The quality check refuses the others; they compare with nothing."""
    finite = np.isfinite(answers.reshape(len(answers), -1)).all(axis=1)
    return [at for at, is_finite in enumerate(finite.tolist()) if is_finite] or list(range(len(answers)))


def _begins(answered: Answered) -> tuple[int, ...]:
    ends = np.cumsum([0, *(stretch.tokens for stretch in answered.shown)]).tolist()
    return tuple(ends[:-1])


def _inputs(answered: Answered, places: Sequence[int]) -> NDArray[Any]:
    return np.asarray(open_inputs(answered.inputs.path, answered.inputs.scaling)[list(places)])


def _answers(track: Track, artifact: Artifact, answered: Answered, places: Sequence[int]) -> NDArray[Any]:
    return np.asarray(open_predictions(answered.predictions, artifact.sha256, track.limits.output_bytes)[list(places)])


def _kept(path: Path, array: NDArray[Any]) -> Path:
    np.save(path, array, allow_pickle=False)
    return path


def read_proof(path: Path) -> Proof:
    """What a prove step wrote. Raises ``BenchFault`` for anything else: it was our own code."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        first, second = (None if data[name] is None else _compared(data[name]) for name in ("translated", "priced"))
        assert first is not None
        return Proof(
            int(data["examples"]), float(data["noise"]), int(data["settled"]), first, second, int(data["codes"]), int(data["codes_of"])
        )
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise BenchFault(
            Problem(f"a proof that cannot be read ({type(error).__name__})", "be as the step wrote it", "stage prove")
        ) from None


def _compared(data: dict[str, Any]) -> Compared:
    texts = (readable(str(data[name])) for name in ("words", "place", "constant", "advice"))
    return Compared(data["outcome"], float(data["difference"]), float(data["allowed"]), *texts)

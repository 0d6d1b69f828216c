"""The stage that runs a model, in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from micronet_verify.errors import MicronetError, Problem, SpecError
from micronet_verify.facts.artifact import Artifact
from micronet_verify.facts.predictions import Predictions
from micronet_verify.quality.inputs.background import Wanted
from micronet_verify.quality.inputs.prepare import Prepared
from micronet_verify.quality.metrics.measure import check_metric
from micronet_verify.quality.sealed_predictions import seal_predictions
from micronet_verify.sandbox.asked_alone import sample_alone
from micronet_verify.sandbox.jobs import PredictJob
from micronet_verify.sandbox.products import read_taken
from micronet_verify.stages.bench import Bench, check_unchanged, limits_of
from micronet_verify.stages.language import Stretch, is_language, read_text
from micronet_verify.submission.choices import preprocessing_of
from micronet_verify.submission.manifest import Manifest
from micronet_verify.submission.submission import Submission
from micronet_verify.track.track import Track


@dataclass(frozen=True, slots=True)
class Answered:
    """What the predict stage found: the predictions, which body each example took at each branch, and the inputs.

    Of a language model whole rows of some tokens besides (``shown``, all in the file ``rows``).
    """

    predictions: Predictions
    taken: Mapping[str, tuple[int, ...]]
    inputs: Prepared
    shown: tuple[Stretch, ...] = ()
    rows: Path | None = None


def wanted(manifest: Manifest, track: Track, bench: Bench) -> Wanted:
    """The inputs that the entry asks for. Raises ``BenchFault`` for settings that cannot be read."""
    data = track.dataset
    steps = data.steps_named(preprocessing_of(manifest, track))
    # A text is prepared whole: to read it costs little, and its vocabulary comes from all of the training text.
    limit = None if is_language(track) else bench.limit
    return Wanted(data.name, data.split, steps, bench.kept, data.expected, bench.data, limit)


def begin_preparing(manifest: Manifest, track: Track, bench: Bench) -> None:
    """Have the inputs made in the background; what is wrong with them, the predict stage says."""
    with suppress(MicronetError):
        bench.preparing.begin(wanted(manifest, track, bench))


def predict(submission: Submission, track: Track, artifact: Artifact, bench: Bench, work: Path, shown: int = 0) -> Answered:
    """Run the model on the track's inputs. ``shown``: of so many tokens of a text whole rows come back."""
    data = track.dataset
    check_metric(track.target)
    prepared = bench.preparing.result(wanted(submission.manifest, track, bench))
    if prepared.shape[1:] != data.input_shape:
        got, should = f"inputs of shape {prepared.shape[1:]}", f"be {data.input_shape}, as dataset.input_shape says"
        raise SpecError(Problem(got, should, track.name))
    if is_language(track):
        read = read_text(submission, track, artifact, prepared, bench, work, shown)
        return Answered(read.predictions, read.taken, read.text, read.shown, read.rows)
    batch_size = bench.batch(data.input_shape)
    job = PredictJob(
        framework=submission.manifest.framework,
        root=artifact.root,
        primary=artifact.primary,
        inputs=prepared.path,
        out=work / "predictions",
        batch_size=batch_size,
        threads=bench.threads,
        scaling=prepared.scaling,
        alone=sample_alone(bench.seed_of(submission.id, track), prepared.examples),
        device=bench.device,
    )
    result = bench.launcher.run(job, limits_of(track, track.limits.predict))
    check_unchanged(artifact)
    predictions = seal_predictions(job.out / result.outputs, artifact.sha256, prepared.examples, batch_size, bench.device)
    taken = read_taken(job.out / result.taken, prepared.examples) if result.taken else {}
    return Answered(predictions, taken, prepared)

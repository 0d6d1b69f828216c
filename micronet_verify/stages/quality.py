"""The stage that compares a model's answers with the labels, in the judge."""

from __future__ import annotations

import numpy as np

from micronet_verify.facts.artifact import Artifact
from micronet_verify.quality.datasets.token_stream import check_stream
from micronet_verify.quality.labels import all_labels
from micronet_verify.quality.metrics.accuracy import AnyQuality
from micronet_verify.quality.metrics.measure import measure
from micronet_verify.quality.sealed_predictions import open_predictions
from micronet_verify.stages.bench import Bench
from micronet_verify.stages.language import is_language
from micronet_verify.stages.predict import Answered
from micronet_verify.track.track import Track


def quality_of(track: Track, artifact: Artifact, answered: Answered, bench: Bench) -> AnyQuality:
    """Compare the predictions with the labels, which are opened here and now."""
    outputs = open_predictions(answered.predictions, artifact.sha256, track.limits.output_bytes)
    found = all_labels(track.dataset.name, track.dataset.split, track.dataset.expected, bench.data, bench.kept)
    if is_language(track):  # the predictor looked up the token that came; it must have been the right one
        check_stream(np.load(answered.inputs.path, mmap_mode="r", allow_pickle=False), found.classes, track.name)
    limit = bench.limit
    return measure(track.target, outputs, found.classes[:limit], track.dataset.classes, found.counted[:limit])

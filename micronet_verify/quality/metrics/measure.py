"""Outputs against labels, by the metric that the track names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem, SpecError
from micronet_verify.framework.requests import MeasureRequest
from micronet_verify.quality.guarded import measured
from micronet_verify.quality.metrics.accuracy import AnyQuality, top1
from micronet_verify.quality.metrics.perplexity import LARGEST, perplexity
from micronet_verify.quality.metrics.thresholds import level
from micronet_verify.quality.registry import metric_named
from micronet_verify.track.track import QualityTarget


def check_metric(target: QualityTarget) -> None:
    """Raises ``SpecError`` for a metric that neither the judge nor an installed plugin has."""
    if target.metric not in ("top1", "perplexity"):
        metric_named(target.metric)


def measure(
    target: QualityTarget,
    outputs: NDArray[Any],
    labels: NDArray[np.int64],
    classes: int,
    counted: NDArray[np.bool_] | None = None,
) -> AnyQuality:
    """Top-1, or the metric of a plugin, of ``outputs`` [examples, …] and ``labels`` [examples].

    Perplexity is of ``outputs`` [tokens], the log-likelihoods of ``labels`` [tokens]. Examples that are not ``counted`` are left out.
    Only a plugin's metric takes labels of positions [examples, …], and is told which of them count. Raises ``SubmissionFault`` for
    outputs that cannot be judged.
    """
    counted = np.ones(labels.shape, np.bool_) if counted is None else counted
    if labels.ndim == 1 and len(outputs) == len(labels) and not counted.all():
        outputs, labels, counted = outputs[counted], labels[counted], counted[counted]
    if target.metric in ("top1", "perplexity") and labels.ndim != 1:
        got = f"labels of shape {labels.shape} for the metric {target.metric}"
        raise SpecError(Problem(got, "be one class for each example", advice="a metric of a plugin can take more"))
    if target.metric == "top1":
        return top1(outputs, labels, classes, target.correct)
    if target.metric == "perplexity":
        if len(outputs) != len(labels):
            raise BenchFault(Problem(f"{len(outputs):,} log-likelihoods of {len(labels):,} tokens", "be one for each"))
        return perplexity(outputs, target.at_most, max(LARGEST, float(target.sum_tolerance)))
    value = measured(target.metric, MeasureRequest(outputs, labels, classes, counted))
    return level(target.metric, value, int(np.count_nonzero(counted)), target.at_most, target.at_least)

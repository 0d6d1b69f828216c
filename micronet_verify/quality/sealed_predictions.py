"""Predictions bound to the artifact that gave them: opened only for that artifact, and only unchanged."""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.facts.artifact import digest
from micronet_verify.facts.predictions import Predictions

# What numpy's reader of .npy headers is known to raise on hostile bytes.
_UNREADABLE = (OSError, EOFError, ValueError, TypeError, OverflowError, SyntaxError, RecursionError, tokenize.TokenError)
_LONGEST = 200


def seal_predictions(path: Path, artifact_sha256: str, examples: int, batch_size: int, device: str = "cpu") -> Predictions:
    """Digest the outputs as the sandbox left them, and bind them to the artifact that was run."""
    return Predictions(artifact_sha256, path, digest(path.parent, path.name).sha256, examples, batch_size, device)


def open_predictions(predictions: Predictions, artifact_sha256: str, most_bytes: int) -> NDArray[Any]:
    """The outputs [examples, …], float32 or float64, mapped read-only; for the artifact that was counted.

    Raises ``SubmissionFault`` for predictions of another artifact, larger than ``most_bytes``, or not such an array;
    ``BenchFault`` where the file is no longer the one that was sealed.
    """
    where = predictions.path.name
    if predictions.artifact_sha256 != artifact_sha256:
        got = f"predictions of artifact {predictions.artifact_sha256[:12]}…"
        raise SubmissionFault(Problem(got, f"be of {artifact_sha256[:12]}…, which was counted", where))
    try:
        found = digest(predictions.path.parent, predictions.path.name)
    except OSError as error:
        raise BenchFault(Problem(f"predictions that cannot be read ({error.strerror})", "be where they were sealed", where)) from None
    if found.sha256 != predictions.sha256:
        raise BenchFault(Problem(f"predictions of SHA-256 {found.sha256[:12]}…", f"be {predictions.sha256[:12]}… as sealed", where))
    if found.size > most_bytes:
        raise SubmissionFault(Problem(f"predictions of {found.size:,} bytes", f"be at most {most_bytes:,}", where))
    try:
        # For .npy and nothing else, unlike numpy.load; it never unpickles.
        outputs = np.lib.format.open_memmap(predictions.path, mode="r")
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:_LONGEST]
        raise SubmissionFault(Problem(f"predictions that cannot be read ({reason})", "be a .npy file", where)) from None
    if outputs.dtype not in (np.float32, np.float64):
        raise SubmissionFault(Problem(f"predictions of type {outputs.dtype}", "be float32 or float64", where))
    if outputs.ndim == 0 or len(outputs) != predictions.examples:
        got = f"predictions of shape {outputs.shape}"
        raise SubmissionFault(Problem(got, f"be of {predictions.examples:,} examples along the first axis", where))
    return outputs

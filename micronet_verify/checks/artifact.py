"""Is there a data-only model file: handed in, or exported from source, and one that can be read at all?"""

from __future__ import annotations

from micronet_verify.checks.blame import unreadable
from micronet_verify.checks.reach import lost, not_reached, told
from micronet_verify.checks.verdict import Verdict
from micronet_verify.evaluation import Evaluation

NAME = "artifact"


def check(evaluation: Evaluation) -> Verdict:
    """Failed where the export failed, or where the file cannot be read, or does not take the track's inputs."""
    if (blocked := not_reached(NAME, evaluation, "track")) is not None:
        return blocked
    fault = evaluation.faults.get("export") or unreadable(evaluation)
    if fault is not None:
        return told(NAME, fault)
    if evaluation.artifact is None or evaluation.submission is None:
        return lost(NAME, "artifact")
    artifact, source = evaluation.artifact, evaluation.submission.manifest.source
    origin = f"exported from {source.entry_point}" if source else "as handed in"
    message = f"{artifact.primary}, {origin}: {artifact.size:,} bytes, SHA-256 {artifact.sha256[:12]}…"
    if evaluation.graph is not None and evaluation.graph.notes:
        message = "\n".join((message, *evaluation.graph.notes))
    return Verdict(NAME, "passed", message, {"sha256": artifact.sha256, "bytes": artifact.size})

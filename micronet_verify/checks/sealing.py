"""Is what was counted what was evaluated, and what was handed in?"""

from __future__ import annotations

from micronet_verify.checks.reach import lost, not_reached
from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation
from micronet_verify.wording.numbers import many

NAME = "sealing"


def check(evaluation: Evaluation) -> Verdict:
    """Compares digests: of the file that answered, of the file that was counted, and of the files that the manifest names."""
    if (blocked := not_reached(NAME, evaluation, "translate", "predict")) is not None:
        return blocked
    submission, artifact, predictions = evaluation.submission, evaluation.artifact, evaluation.predictions
    if submission is None or artifact is None or predictions is None:
        return lost(NAME, "predictions")
    problems: list[Problem] = []
    if predictions.artifact_sha256 != artifact.sha256:
        got = f"predictions of the artifact {predictions.artifact_sha256[:12]}…"
        problems.append(Problem(got, f"be of {artifact.sha256[:12]}…, which was counted", artifact.primary))
    if submission.manifest.source is None:
        named = {file.path: file.sha256 for file in submission.files}
        for file in artifact.files:
            wanted = named.get(file.path)
            if wanted is None:
                problems.append(Problem(f"a file {file.path!r} in the artifact", "be one that the manifest names", file.path))
            elif wanted != file.sha256:
                problems.append(Problem(f"SHA-256 {file.sha256[:12]}…", f"be {wanted[:12]}… as handed in", file.path))
    evidence = {"artifact_sha256": artifact.sha256, "predictions_sha256": predictions.sha256}
    if problems:
        return Verdict(NAME, "failed", "\n".join(map(str, problems)), evidence)
    part = f" (partial: {evaluation.partial.share})" if evaluation.partial else ""
    message = f"sealed: {many(predictions.examples, 'answer')}{part} by the counted file, SHA-256 {artifact.sha256[:12]}…"
    return Verdict(NAME, "passed", message, {**evidence, "trust": "sealed"})

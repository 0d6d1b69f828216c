"""Is the manifest sound, and are the track and the choices that it names the organizers' own?"""

from __future__ import annotations

from micronet_verify.checks.reach import lost, told
from micronet_verify.checks.verdict import Verdict
from micronet_verify.evaluation import Evaluation
from micronet_verify.wording.numbers import many

NAME = "manifest"


def check(evaluation: Evaluation) -> Verdict:
    """Failed with one sentence per problem of ``submission.yaml``; a broken track file is an error."""
    for stage in ("manifest", "track"):
        if stage in evaluation.faults:
            return told(NAME, evaluation.faults[stage])
    if evaluation.submission is None:
        return lost(NAME, "manifest")
    manifest, files = evaluation.submission.manifest, evaluation.submission.files
    message = f"{manifest.team}: {manifest.title}, in the track {manifest.track}; {many(len(files), 'file')} named"
    return Verdict(NAME, "passed", message, {"sha256": evaluation.submission.manifest_sha256, "files": len(files)})

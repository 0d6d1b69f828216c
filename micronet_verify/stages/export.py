"""The stage that makes an artifact of an entry: the judge's own copy, which all that follows reads."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.artifact import Artifact, seal
from micronet_verify.framework.registry import framework_named
from micronet_verify.framework.requests import ExportRequest
from micronet_verify.sandbox.jobs import ExportJob
from micronet_verify.stages.bench import Bench, limits_of
from micronet_verify.submission.manifest import Manifest
from micronet_verify.submission.submission import Submission
from micronet_verify.track.track import Track

_KEYS = ("source.entry_point", "source.weights")
_NO_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([A-Za-z_][\w.]*)'")


def artifact_of(submission: Submission, track: Track, bench: Bench, work: Path) -> Artifact:
    """A copy of the artifact in the judge's own folder: what is counted and what is evaluated, whatever the entry does meanwhile."""
    manifest, folder = submission.manifest, work / "artifact"
    framework = framework_named(manifest.framework, manifest.where("framework"), manifest.model or "")
    if manifest.source is not None:
        entry = _copied(submission, work / "entry", [file.path for file in submission.files])
        request = ExportRequest(
            entry, manifest.source.entry_point, manifest.source.weights, track.dataset.input_shape, folder, track.dataset.input_format
        )
        try:
            result = bench.launcher.run(ExportJob(framework.name, request, bench.threads), limits_of(track, track.limits.export))
        except SubmissionFault as fault:
            raise SubmissionFault(_unlisted(_in_manifest(problem, manifest), submission) for problem in fault.problems) from None
        return seal(folder, result.file)
    assert manifest.model is not None
    should = f"end in {' or '.join(framework.suffixes)} for the framework {framework.name}"
    named = {"model": manifest.model, "step.chunk": manifest.step.chunk}
    wrong = {key: name for key, name in named.items() if name is not None and not name.endswith(framework.suffixes)}
    if wrong:
        raise SubmissionFault(Problem(f"{key}: {name!r}", should, manifest.where(key)) for key, name in wrong.items())
    others = (*manifest.external_data, *manifest.step.files)
    _copied(submission, folder, [manifest.model, *others])
    sealed = seal(folder, manifest.model, others)
    read = {file.path: file.sha256 for file in submission.files}
    for file in sealed.files:
        if read[file.path] != file.sha256:
            raise SubmissionFault(Problem(f"{file.path} of SHA-256 {file.sha256[:12]}…", f"be {read[file.path][:12]}… as first read"))
    return sealed


def _in_manifest(problem: Problem, manifest: Manifest) -> Problem:
    """A fault of a key of the manifest, placed at its line."""
    return replace(problem, where=manifest.where(problem.where)) if problem.where in _KEYS else problem


def _unlisted(problem: Problem, submission: Submission) -> Problem:
    """A module of the entry that the manifest does not name is not there when the entry is exported."""
    missing = _NO_MODULE.search(problem.got)
    file = f"{missing[1].replace('.', '/')}.py" if missing else ""
    if problem.advice or not file or not (submission.root / file).is_file():
        return problem
    return replace(problem, advice=f"name {file} under modules of source: only files that the manifest names are there")


def _copied(submission: Submission, folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(submission.root / name, target, follow_symlinks=False)
    return folder

"""Whether what an entry chose exists: its track, and the preprocessing among the track's own."""

from __future__ import annotations

from collections.abc import Mapping

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.strict_yaml.sentences import did_you_mean
from micronet_verify.submission.manifest import Manifest
from micronet_verify.track.track import Track


def choose_track(manifest: Manifest, tracks: Mapping[str, Track | None]) -> Track:
    """The track that the entry names, of ``tracks`` by name (``None``: known, and not loaded).

    Raises ``SubmissionFault`` if there is none, or if the entry's choices are not the track's.
    """
    if manifest.track not in tracks:
        advice = did_you_mean(manifest.track, tracks)
        raise SubmissionFault(
            Problem(f"track: {manifest.track!r}", f"be one of {', '.join(sorted(tracks))}", manifest.where("track"), advice)
        )
    track = tracks[manifest.track]
    assert track is not None
    problems: list[Problem] = []
    known = track.dataset.preprocessing
    if manifest.preprocessing is not None and manifest.preprocessing not in known:
        got = f"preprocessing: {manifest.preprocessing!r}"
        advice = did_you_mean(manifest.preprocessing, known)
        problems.append(Problem(got, f"be one of {', '.join(known)}", manifest.where("preprocessing"), advice))
    quality = manifest.claims.quality
    if track.target.metric == "top1" and quality is not None and quality > 1:
        got = f"quality: the number {manifest.claims.written['quality']}"
        problems.append(
            Problem(got, "be the share of right answers, from 0 to 1", manifest.where("claims.quality"), "write 95.2 % as 0.952")
        )
    if track.target.metric != "perplexity" and manifest.step.files:
        should = "be left out: it belongs to tracks of language models"
        problems.append(Problem(f"step in the track {track.name!r}", should, manifest.where("step")))
    if track.target.metric == "perplexity" and manifest.source is not None:
        got, should = "a language model as source", "be a model file: the exported step (token, state…) → (log-probabilities, state…)"
        problems.append(Problem(got, should, manifest.where("source"), "export it, and name the file under 'model'"))
    if problems:
        raise SubmissionFault(problems)
    return track


def preprocessing_of(manifest: Manifest, track: Track) -> str:
    """The preprocessing that the entry chose, or the track's first."""
    return manifest.preprocessing or track.dataset.preprocessing[0]

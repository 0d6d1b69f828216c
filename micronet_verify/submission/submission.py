"""An entry whose manifest was read and whose files were found to lie inside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from micronet_verify.facts.artifact import FileDigest
from micronet_verify.submission.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Submission:
    """One entry. ``id`` is its POSIX path below the folder of submissions; ``root`` its directory.

    ``files`` are the files that the manifest names, each once and in order of path, with SHA-256 and size.
    """

    id: str
    root: Path
    manifest: Manifest
    manifest_sha256: str
    files: tuple[FileDigest, ...]

"""The artifact: the data-only graph file that is both counted and evaluated, known by its SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One file of an artifact: its path relative to the artifact's folder, SHA-256 (hex) and size in bytes."""

    path: str
    sha256: str
    size: int

    @property
    def listed(self) -> str:
        """The line that ``sha256sum`` prints for it."""
        return f"{self.sha256}  {self.path}\n"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model file and the files it needs (external weights). ``primary`` is the one a framework opens."""

    root: Path
    primary: str
    files: tuple[FileDigest, ...]

    @property
    def path(self) -> Path:
        return self.root / self.primary

    @property
    def size(self) -> int:
        """Bytes, all files together."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str:
        """The file's digest; of several files, the digest of their ``sha256sum`` listing in order of path."""
        if len(self.files) == 1:
            return self.files[0].sha256
        listing = "".join(file.listed for file in sorted(self.files, key=lambda file: file.path))
        return hashlib.sha256(listing.encode()).hexdigest()


def seal(root: Path, primary: str, others: tuple[str, ...] = ()) -> Artifact:
    """Digest the files of an artifact under ``root``; paths are relative to it and in POSIX form."""
    return Artifact(root, primary, tuple(digest(root, path) for path in (primary, *sorted(set(others) - {primary}))))


def digest(root: Path, path: str) -> FileDigest:
    """SHA-256 and size of one file, read in blocks."""
    with (root / path).open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256")
        return FileDigest(path, found.hexdigest(), handle.tell())

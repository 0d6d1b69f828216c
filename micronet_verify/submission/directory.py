"""Finds entries: directories that hold a ``submission.yaml``. Opens no file, follows no link."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.submission.manifest import MANIFEST

_NEARLY = (MANIFEST, "submission.yml")


@dataclass(frozen=True, slots=True)
class EntryPath:
    """Where an entry lies: ``id`` is its POSIX path below the folder of submissions."""

    id: str
    path: Path


def find_entries(root: Path) -> list[EntryPath]:
    """Every directory at or below ``root`` that holds a manifest, in order of id; ``root`` itself has its own name as id.

    An entry's own directories are never entered, and links to directories are not followed. A directory that cannot be
    listed counts as an entry, so that loading it says so. Raises ``BenchFault`` if ``root`` is no directory.
    """
    if not root.is_dir():
        raise BenchFault(Problem(f"the folder of submissions {str(root)!r}", "be a directory that exists"))
    if _is_entry(root):
        return [_entry(root.resolve(), root.resolve().parent)]
    found: list[EntryPath] = []

    def unreadable(error: OSError) -> None:
        found.append(_entry(Path(error.filename), root))

    for folder, names, _ in os.walk(root, onerror=unreadable):
        entries = {name for name in names if _is_entry(Path(folder, name))}
        found += [_entry(Path(folder, name), root) for name in entries]
        names[:] = [name for name in names if name not in entries]
    return sorted(found, key=lambda entry: entry.id)


def misnamed(root: Path, entries: Sequence[EntryPath]) -> list[Path]:
    """Files at or below ``root`` that seem to be meant as manifests (``submission.yml``, ``Submission.yaml``) and make no entry.

    Nobody is judged by them; they are looked for so that an entry does not vanish without a word.
    """
    inside = {entry.path for entry in entries}
    found: list[Path] = []
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if Path(folder, name) not in inside]
        if Path(folder).resolve() not in inside:
            found += [Path(folder, name) for name in files if name.lower() in _NEARLY and name != MANIFEST]
    return sorted(found)


def _entry(folder: Path, root: Path) -> EntryPath:
    # A name that cannot be printed is escaped here and refused, by name, when the entry is loaded.
    name = os.fsencode(folder.relative_to(root)).decode("utf-8", "backslashreplace")
    return EntryPath("".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in name), folder)


def _is_entry(folder: Path) -> bool:
    # A link named submission.yaml makes an entry too: loading it then says what is wrong, instead of nothing at all.
    return not folder.is_symlink() and os.path.lexists(folder / MANIFEST)

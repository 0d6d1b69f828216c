"""Finds entries: directories that hold a ``submission.yaml``. Opens no file, follows no link."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from micronet_verify.submission.manifest import MANIFEST


@dataclass(frozen=True, slots=True)
class EntryPath:
    """Where an entry lies: ``id`` is its POSIX path below the folder of submissions."""

    id: str
    path: Path


def find_entries(root: Path) -> list[EntryPath]:
    """Every directory at or below ``root`` that holds a manifest, in order of id; ``root`` itself has its own name as id.

    An entry's own directories are never entered, and links to directories are not followed.
    """
    if _is_entry(root):
        return [EntryPath(root.resolve().name, root)]
    found = []
    for folder, names, _ in os.walk(root):
        names.sort()
        entries = [name for name in names if _is_entry(Path(folder, name))]
        found += [EntryPath(Path(folder, name).relative_to(root).as_posix(), Path(folder, name)) for name in entries]
        names[:] = [name for name in names if name not in entries]
    return sorted(found, key=lambda entry: entry.id)


def _is_entry(folder: Path) -> bool:
    # A link named submission.yaml makes an entry too: loading it then says what is wrong, instead of nothing at all.
    return not folder.is_symlink() and os.path.lexists(folder / MANIFEST)

"""Where a report's files lie, and how they get there: whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

LEADERBOARD = "leaderboard.md"
JUNIT = "junit.xml"
EVIDENCE = "evidence.json"
LEDGER = "ledger.csv"
PLUGINS = "plugin-reports"
_RESERVED = frozenset({LEADERBOARD, JUNIT, EVIDENCE, LEDGER, PLUGINS})
_SAFE = re.compile(r"\w([\w .+()-]{0,98}[\w+)-])?")


def entry_folder(report: Path, id: str) -> Path:
    """The folder of one entry below ``report``. An id that could leave it, or meet a file of ours, is replaced by its digest."""
    parts = id.split("/")
    if all(map(is_safe, parts)):
        return report.joinpath(*parts)
    return report / f"entry-{hashlib.sha256(id.encode('utf-8', 'backslashreplace')).hexdigest()[:16]}"


def is_safe(name: str) -> bool:
    """Whether ``name`` can name a folder below a report's."""
    return bool(_SAFE.fullmatch(name)) and name.casefold() not in _RESERVED


def write_atomically(path: Path, text: str) -> None:
    """Write UTF-8 ``text`` with ``\\n`` line ends; a reader, or a run after a crash, sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise

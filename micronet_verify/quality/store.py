"""Files made once and kept: whole or not at all, known by their digest, one maker at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from micronet_verify.errors import BenchFault, Problem

# Digests that this process has verified, by what would change if the file did.
_VERIFIED: dict[tuple[str, int, int, int], str] = {}


# Seconds between two looks at a lock that another holds.
_TICK = 0.1


def keep(path: Path, make: Callable[[Path], dict[str, Any]], stopped: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """The record of the kept file ``path``, which ``make`` writes where it is not there yet or is damaged.

    ``make`` writes to the path it is given and returns JSON data; the record is that data and ``sha256``. Safe to call
    from many threads and processes: those that come second wait and find the file made. ``make`` runs under the lock of
    the file's folder, so it must keep nothing in the same folder. Whoever waits for that lock raises ``BenchFault`` soon
    after ``stopped()`` has become true.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        got, advice = f"a folder that cannot be made ({error.strerror})", "name another with cache: in the config file"
        raise BenchFault(Problem(got, "keep prepared inputs", str(path.parent), advice)) from None
    found = _recorded(path)
    if found is None:
        with _alone(path.parent, stopped):
            found = _recorded(path)
            return found if found is not None else _make(path, make)
    return found


def _make(path: Path, make: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".preparing-") as draft:
        drafted, noted = Path(draft, path.name), Path(draft, "record")
        data = make(drafted)
        record = {**data, "sha256": _sha256(drafted)}
        noted.write_text(json.dumps(record, sort_keys=True), encoding="utf-8")
        drafted.chmod(0o444)
        os.replace(drafted, path)
        os.replace(noted, _record(path))
    _VERIFIED[_key(path)] = record["sha256"]
    return record


def _recorded(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(_record(path).read_text(encoding="utf-8"))
        key = _key(path)
        if key not in _VERIFIED:
            _VERIFIED[key] = _sha256(path)
        return dict(record) if record["sha256"] == _VERIFIED[key] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record(path: Path) -> Path:
    return path.with_suffix(".json")


def _key(path: Path) -> tuple[str, int, int, int]:
    state = path.stat()
    return str(path), state.st_ino, state.st_size, state.st_mtime_ns


def check_running(stopped: Callable[[], bool], where: str) -> None:
    """Raise ``BenchFault`` if the run was stopped."""
    if stopped():
        raise BenchFault(Problem("inputs that were being prepared when the run was stopped", "be prepared to their end", where))


@contextmanager
def _alone(folder: Path, stopped: Callable[[], bool]) -> Iterator[None]:
    """Holds the folder's lock, which the kernel takes back from a process that dies."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while not _locked(descriptor):
            check_running(stopped, folder.name)
            time.sleep(_TICK)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

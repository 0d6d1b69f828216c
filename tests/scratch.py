"""Folders for files that tests write where no fixture reaches, such as parameters; all are removed when the tests end."""

from __future__ import annotations

import atexit
import tempfile
from pathlib import Path

_ALL = tempfile.TemporaryDirectory(prefix="micronet-tests-")
atexit.register(_ALL.cleanup)


def scratch() -> Path:
    """A new empty folder."""
    return Path(tempfile.mkdtemp(dir=_ALL.name))

"""How a run tells somebody how far it is: a callable in ``config.stash``, used if it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from micronet_verify.reports.entry import EntryRecord

DONE = "done"
Progress = Callable[[str, str, "EntryRecord | None"], None]
"""``progress(entry, stage, record)``: a stage starts (record ``None``), or the entry is ``"done"``, with its record where there
is one. Called from several threads."""

PROGRESS = pytest.StashKey[Progress]()

"""The answer to one question about one entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["passed", "failed", "skipped", "error"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``check`` asks, ``outcome`` answers.

    ``failed``: the entrant acts, and ``message`` is one or more sentences ``got … but should … [where]``.
    ``error``: the operator acts. ``skipped``: an earlier stage, named in ``message``, did not get here.
    ``passed``: ``message`` may say by how much. ``evidence`` holds str, int and float only (exact values as strings).
    """

    check: str
    outcome: Outcome
    message: str = ""
    evidence: Mapping[str, str | int | float] = field(default_factory=dict)

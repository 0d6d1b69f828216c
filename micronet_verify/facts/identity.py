"""Which entry it is, whose, and for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Texts are ``""`` where the manifest was not read. ``members`` are (id, name); ``submitted`` is ISO 8601 with its zone."""

    id: str
    title: str = ""
    team: str = ""
    members: tuple[tuple[str, str], ...] = ()
    track: str = ""
    framework: str = ""
    submitted: str = ""

"""A file's content with the line of every value, as the strict reader hands it to the models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from micronet_verify.errors import Problem

Place = tuple[str | int, ...]
"""Where a value stands in a file: ``("members", 0, "id")``; the whole file is ``()``."""


@dataclass(frozen=True, slots=True)
class Located:
    """What a file says, and where.

    ``data`` is made of ``dict``, ``list``, ``str``, ``bool``, ``int`` and ``Decimal``. ``lines`` has the line (from 1)
    of every key and item, ``texts`` every scalar as it was written, without quotes. ``problems`` pairs each problem
    with the place that it spoils, ``None`` where that is no value. ``data`` is ``None`` where reading had to stop.
    """

    name: str
    data: Any
    lines: Mapping[Place, int]
    texts: Mapping[Place, str]
    problems: tuple[tuple[Place | None, Problem], ...]

    def where(self, place: Place) -> str:
        """``name:line`` of a place, or of the nearest place around it that has a line."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.name}:{self.lines.get(place, 1)}"

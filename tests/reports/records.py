"""Records made by hand, so that every rule of ranking can be shown on numbers that can be read."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from micronet_verify.reports.entry import Answered, Asked, Board, EntryRecord, Figure, Price

PASSED = (Asked("manifest", "passed"), Asked("quality", "passed"), Asked("score", "passed"))


def board(**changes: Any) -> Board:
    """The digits track: 9,930 words and 623,104 operations, 475 of 500, the best 10 % marked, at most 3 entries per person."""
    keys: dict[str, Any] = {
        "track": "digits",
        "title": "Handwritten digits",
        "target": "at least 475 of 500 correct",
        "edition": "micronet-2019",
        "baseline_parameters": Figure.of(Fraction(9930)),
        "baseline_operations": Figure.of(Fraction(623104)),
        "population": "ranked",
        "rounding": "ceiling",
        "top_percent": 10,
        "entries_per_person": 3,
    }
    return Board(**keys | changes)


def price(storage: str | Fraction, operations: str | Fraction, regime: str = "freebie") -> Price:
    """Ratios to the baseline; the amounts follow."""
    s, o = Fraction(storage), Fraction(operations)
    return Price(regime, *map(Figure.of, (s + o, s, o, s * 9930, o * 623104)))


def quality(correct: int = 488) -> Answered:
    distance = correct - 475
    margin = (
        f"{abs(distance)} image{'s' if abs(distance) > 1 else ''} {'above' if distance > 0 else 'short'}"
        if distance
        else "exactly on the target"
    )
    return Answered("top1", correct, 500, 475, correct >= 475, margin, 0)


def entry(id: str, team: str = "", storage: str = "1/2", operations: str = "1/2", day: int = 1, **changes: Any) -> EntryRecord:
    """An entry that ranks: passed, measured, submitted on that day of January 2026 by a member called like the team."""
    team = team or f"Team {id}"
    who = team.lower().replace(" ", "-")
    keys: dict[str, Any] = {
        "title": f"Entry {id}",
        "team": team,
        "members": ((who, team),),
        "track": "digits",
        "framework": "onnx",
        "submitted": f"2026-01-{day:02d}T12:00:00+00:00",
        "board": board(),
        "trust": "sealed",
        "artifact_sha256": "ab" * 32,
        "artifact_size": 13174,
        "price": price(storage, operations),
        "quality": quality(),
        "verdicts": PASSED,
    }
    return EntryRecord(id, **keys | changes)

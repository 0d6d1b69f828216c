"""The entry under every documented alternative reading of each knob: how much of a score is the rules' wording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from micronet_verify.track.rules import KNOBS, CountingRules


class Reading(NamedTuple):
    """The score with one knob at another value; ``change`` is against the edition's own reading."""

    knob: str
    value: str | int
    score: Fraction
    change: Fraction


class Readings(NamedTuple):
    """``score`` as the edition reads; every single change; ``low`` and ``high`` with the cheapest and dearest value of each knob."""

    score: Fraction
    single: tuple[Reading, ...]
    low: Fraction
    high: Fraction

    @property
    def moves_most(self) -> Reading | None:
        """The single change that moves the score most, ``None`` where none does."""
        most = max(self.single, key=lambda reading: abs(reading.change), default=None)
        return most if most is not None and most.change else None


def read_again(score_under: Callable[[CountingRules], Fraction | None], rules: CountingRules) -> Readings:
    """Score the entry again under each reading. ``score_under`` gives ``None`` where a reading does not admit the entry."""
    own = score_under(rules)
    assert own is not None
    single: list[Reading] = []
    extremes: dict[str, tuple[tuple[Fraction, str | int], tuple[Fraction, str | int]]] = {}
    for knob, values in KNOBS.items():
        standing = getattr(rules, knob)
        found = [(own, standing)]
        for value in values:
            score = None if value == standing else score_under(replace(rules, **{knob: value}))  # type: ignore[arg-type]
            if score is not None:
                single.append(Reading(knob, value, score, score - own))
                found.append((score, value))
        extremes[knob] = (min(found, key=lambda item: item[0]), max(found, key=lambda item: item[0]))
    ends = []
    for end, choose in ((0, min), (1, max)):
        chosen = {knob: pair[end][1] for knob, pair in extremes.items()}
        together = score_under(replace(rules, **chosen))  # type: ignore[arg-type]
        alone = choose([own, *(reading.score for reading in single)])
        ends.append(alone if together is None else choose(alone, together))
    return Readings(own, tuple(single), ends[0], ends[1])

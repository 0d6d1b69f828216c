"""Which knobs an answer hangs on: those that were asked for while it was made. Under rules that agree on them it is the same.

Pricing asks knobs of ``CountingRules`` and of nothing else, so nobody keeps a list of what depends on what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from micronet_verify.track.rules import CountingRules

T = TypeVar("T")


class Asked:
    """Rules that note which of their knobs are asked for, since ``start``. Rules that note may be asked by others that do."""

    def __init__(self, rules: CountingRules) -> None:
        self._asked: set[str] = set()
        self._own = rules

    @property
    def rules(self) -> CountingRules:
        """To be handed on in place of the rules."""
        return cast("CountingRules", self)

    def start(self) -> None:
        self._asked.clear()

    def answers(self) -> tuple[tuple[str, object], ...]:
        """The knobs asked for, with their values."""
        return tuple((name, getattr(self._own, name)) for name in sorted(self._asked))

    def agrees(self, answers: tuple[tuple[str, object], ...]) -> bool:
        """Whether these rules give the same ``answers``."""
        return all(getattr(self._own, name) == value for name, value in answers)

    def __getattr__(self, name: str) -> object:
        found = getattr(self._own, name)
        self._asked.add(name)
        return found


class Known(Generic[T]):
    """What was found for one thing, each time with what its rules were asked."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: list[tuple[tuple[tuple[str, object], ...], T]] = []

    def under(self, asked: Asked, make: Callable[[], T]) -> T:
        """What was found under rules that give the same answers, or what ``make`` finds."""
        for answers, found in self._found:
            if asked.agrees(answers):
                return found
        asked.start()
        made = make()
        self._found.append((asked.answers(), made))
        return made

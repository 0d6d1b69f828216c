"""The three kinds of failure, named after who must act.

Every message reads ``got … but should … [where]`` so that the person who must act knows what was found, what was
expected, and the place, without a traceback. ``Problem`` is that sentence as data; an error carries all problems
found in one pass, because a user who mends one at a time runs the tool ten times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence: what was found, what was expected, where (``file:line`` or an operator's place), and advice."""

    got: str
    should: str
    where: str = ""
    advice: str = ""

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        hint = f" ({self.advice})" if self.advice else ""
        return f"got {self.got} but should {self.should}{place}{hint}"


class MicronetError(Exception):
    """Base of every error a user may see; ``problems`` holds all of them, in the order in which they were found."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        found = (problems,) if isinstance(problems, Problem) else tuple(problems)
        if not found:
            raise ValueError("an error needs at least one problem")
        self.problems: tuple[Problem, ...] = found
        super().__init__("\n".join(str(problem) for problem in found))

    def __reduce__(self) -> tuple[type[MicronetError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class SpecError(MicronetError):
    """A track file, an edition file or a dataset on the organizer's side is wrong: organizers act."""


class SubmissionFault(MicronetError):
    """The entry is wrong: the entrant acts."""


class BenchFault(MicronetError):
    """The machine, an installation or this program is wrong: operators act; no entry is to blame."""


class PluginFault(BenchFault):
    """A plugin does not keep to its interface: its authors act, and operators tell them. No entry is to blame."""

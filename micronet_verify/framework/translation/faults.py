"""Faults of one translation: collected, so that an entrant sees all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.shapes import ShapeError
from micronet_verify.framework.translation.limits import LONGEST, MOST_NODES

MISFITS = (ValueError, TypeError, LookupError, ArithmeticError, AssertionError)
"""What a rule meets in arguments that no real exporter writes: axes out of range, a factor of 0, a text for a number.

Memory that runs out is none of these: whoever set the limit says so."""

COLLECTED = (SubmissionFault, *MISFITS)


class Faults:
    """``problems`` in the order in which they were found; ``translated`` operators so far. ``file`` names the place of the whole."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.translated = 0

    def one_more(self) -> None:
        """Count an operator. Raises ``SubmissionFault`` with everything so far where there are too many."""
        self.translated += 1
        if self.translated > MOST_NODES:
            got = f"more than {MOST_NODES:,} operators once functions and loops are written out"
            raise SubmissionFault([*self.problems, Problem(got, "be fewer", self.file)])

    def keep(self, error: BaseException, where: str) -> None:
        """Remember one of ``COLLECTED``. Raises it again where the translation is too long to go on."""
        if isinstance(error, SubmissionFault):
            if self.translated > MOST_NODES:
                raise error
            self.problems.extend(error.problems)
        elif isinstance(error, ShapeError):
            self.problems.append(error.at(where))
        else:
            detail = str(error).splitlines()[0][:LONGEST] if str(error) else type(error).__name__
            self.problems.append(Problem(f"operands that do not fit ({detail})", "follow the operator's specification", where))

    @contextmanager
    def collecting(self, where: str) -> Iterator[None]:
        """Keeps a fault of what is done inside, and goes on behind it."""
        try:
            yield
        except COLLECTED as error:
            self.keep(error, where)

    def check(self) -> None:
        """Raise ``SubmissionFault`` with all problems, each once, if there are any."""
        if self.problems:
            raise SubmissionFault(dict.fromkeys(self.problems))

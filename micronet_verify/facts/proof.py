"""What came of running the graph that was priced: an entry's proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["holds", "differs", "unproved"]
"""``unproved``: nothing was found against it, and nothing for it either; the words say why."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Answers of two runs. ``difference`` and ``allowed`` are in units of the spread between examples.

    ``words``: what was found, where it does not hold. ``place``: the first node whose value differs, ``constant``: which stored
    tensor it reads and what that was rebuilt from; both ``""`` where nobody had to look, or nothing was found. ``advice``: who can do
    what about it, where that is not the usual.
    """

    outcome: Outcome
    difference: float
    allowed: float
    words: str = ""
    place: str = ""
    constant: str = ""
    advice: str = ""

    @property
    def share(self) -> float:
        """The difference as a share of what is allowed."""
        return self.difference / self.allowed if self.allowed else float(self.difference > 0)


@dataclass(frozen=True, slots=True)
class Proof:
    """``translated``: the graph as translated against the framework. ``priced``: the graph as priced, with every constant rebuilt from
    what the ledger charges, against the graph as translated; ``None`` where the first does not hold.

    ``examples`` of the test set were run (tokens of a text). ``noise``: what rounding in float32 does, in units of the spread.
    ``settled``: examples on which no decision of a quantizer or a comparison hangs on the last bits.
    ``codes``: how many codes of ``codes_of`` were taken from the graph as translated, because they lie on a tie.
    """

    examples: int
    noise: float
    settled: int
    translated: Compared
    priced: Compared | None = None
    codes: int = 0
    codes_of: int = 0

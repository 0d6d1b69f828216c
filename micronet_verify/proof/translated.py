"""(a): does the graph as translated give the framework's answers?

The yardstick is the interpreter's own difference between float32 and float64 on the same examples, every decision (a code, a
comparison, a place) being the same in both. Frameworks lie at .9 to 2.7 times of it, so ``factor`` times of it is agreement,
``cap`` at most.

Where a value lies on a tie of a quantizer, the last bits decide the code, and the answer with it. Such examples are no proof:
- where no decision of ours hung on the last bits, the framework's will rarely: as many examples must agree closely as would if
  it had ``factor`` times as many flips as our two runs, and half of that at least;
- what flips of codes on ties do is measured, and no example may differ by more than that explains.
"""

from __future__ import annotations

import numpy as np

from micronet_verify.facts.proof import Compared
from micronet_verify.proof.spread import Array, Rows, apart, size_of

# Flips that were tried at random are a sample of those that the framework may have made.
FLIPS = 4.0
EPS = 2.0**-24


def floor_of(answers: Array, spread: float, factor: float) -> float:
    """What the answers' own last bits leave open: ``factor`` units in the last place of their largest number, its row's mean taken out."""
    return factor * EPS * max(size_of(answers) / spread, 1.0)


def allowed(noise: float, floor: float, factor: float, cap: float) -> float:
    return min(max(factor * noise, floor), cap)


def decide(differences: Rows, limit: float, settled: int, flips: float, ties: bool, factor: float) -> Compared:
    """``differences`` [n] of the framework's answers from ours; ``settled``: on so many examples both of our runs decided alike.

    ``flips``: the most that flips on ties did to an answer. ``ties``: the graph decides something (quantizers, comparisons).
    """
    n = len(differences)
    close = int(np.count_nonzero(differences <= limit))
    worst = float(differences.max())
    if close == n:
        return Compared("holds", worst, limit)
    if not ties:
        return Compared("differs", worst, limit, _words(n - close, n, worst, limit))
    wanted = int(n * (settled / n) ** factor / 2)
    if close < wanted:
        words = f"{_words(n - close, n, worst, limit)}; on {settled} of them rounding decides no code and no comparison"
        return Compared("differs", float(np.sort(differences)[max(wanted - 1, 0)]), limit, words)
    if worst > FLIPS * flips:
        words = f"{_words(n - close, n, worst, limit)}; codes on ties explain {FLIPS * flips:.2g}"
        return Compared("differs", worst, FLIPS * flips, words)
    return Compared("holds", worst, FLIPS * flips)


def _words(off: int, n: int, worst: float, limit: float) -> str:
    how = f"they differ by {worst:.2g} of the spread between examples, and rounding explains {limit:.2g}"
    return f"different answers to {off} of {n} examples: {how}"


__all__ = ["allowed", "apart", "decide", "floor_of"]

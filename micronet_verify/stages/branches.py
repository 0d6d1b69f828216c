"""What the test set did at the branches of a model (rule O13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from micronet_verify.counting.count import Count
from micronet_verify.counting.ledger import Ledger

# More ways through the branches than this are not each counted again.
_MOST_WAYS = 64


@dataclass(frozen=True, slots=True)
class Branches:
    """How often each body was taken, and what that costs.

    ``taken``: by branch id, how many examples took the first body, how many the second. ``least`` and ``most``: operations
    of the cheapest and the dearest example, in the regime that is charged; ``None`` where there are too many ways through.
    """

    taken: Mapping[str, tuple[int, int]]
    least: Fraction | None
    most: Fraction | None


def branches_of(taken: Mapping[str, tuple[int, ...]], ledger: Ledger, recount: Callable[[Mapping[str, Fraction]], Count]) -> Branches:
    """How often each body was taken, and what the cheapest and the dearest example cost."""
    counts = {name: (indices.count(0), indices.count(1)) for name, indices in sorted(taken.items())}
    ways = sorted(set(zip(*(taken[name] for name in counts), strict=True)))
    if len(ways) > _MOST_WAYS:
        return Branches(counts, None, None)
    found = [
        recount({name: Fraction(int(index == 0)) for name, index in zip(counts, way, strict=True)}).ledgers[ledger.regime].operations
        for way in ways
    ]
    return Branches(counts, min(found), max(found))


def share_of(indices: Sequence[int]) -> Fraction:
    """Of the examples that reached a branch, the share that took its first body (rule O13)."""
    reached = sum(index >= 0 for index in indices)
    return Fraction(sum(index == 0 for index in indices), reached) if reached else Fraction(0)

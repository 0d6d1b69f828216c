"""Quality as a number with a bound: perplexity, and the metrics of plugins. Whether the bound is met is never read off a print."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from micronet_verify.errors import BenchFault, Problem

PLACES = 2
MOST_PLACES = 30


@dataclass(frozen=True, slots=True)
class Level:
    """``value`` of the metric over ``of`` examples, where ``bound`` is the most that passes, or the least if higher is better.

    ``met`` is the exact decision; ``value`` may be rounded (perplexity is irrational), to far more places than are shown.
    """

    metric: str
    value: Fraction
    of: int
    bound: Fraction
    met: bool
    higher_is_better: bool = False

    @property
    def words(self) -> str:
        """``perplexity 35.05``, with as many places as tell it from the bound."""
        places = PLACES
        while places < MOST_PLACES and self.value != self.bound and round(self.value, places) == round(self.bound, places):
            places += 1
        return f"{self.metric} {_decimal(round(self.value, places), places)}"

    @property
    def margin(self) -> str:
        """``0.05 perplexity above``, ``1.20 perplexity below``, ``exactly on the target``."""
        distance = abs(self.value - self.bound)
        if not distance:
            return "exactly on the target"
        side = "above" if self.met == self.higher_is_better else "below"
        return f"{_shown(distance)} {self.metric} {side}"


def level(metric: str, value: object, of: int, at_most: Fraction, at_least: Fraction | None = None) -> Level:
    """What a plugin's metric measured, against the track's bound. Raises ``BenchFault`` for a value that is not exact."""
    if not isinstance(value, int | Fraction) or isinstance(value, bool):
        raise BenchFault(Problem(f"a {type(value).__name__} from the metric {metric!r}", "be a Fraction, which is exact"))
    exact = Fraction(value)
    if at_least is not None:
        return Level(metric, exact, of, at_least, exact >= at_least, True)
    return Level(metric, exact, of, at_most, exact <= at_most)


def _shown(distance: Fraction) -> str:
    """To two places, or to two digits where two places would be nothing."""
    if distance >= Fraction(5, 1000):
        return _decimal(round(distance, PLACES), PLACES)
    with localcontext(prec=2) as context:
        return format(context.divide(Decimal(distance.numerator), Decimal(distance.denominator)), "f")


def _decimal(number: Fraction, places: int) -> str:
    """``number``, which has at most ``places`` decimal places, with all of them."""
    scaled = int(number * 10**places)
    whole, rest = divmod(abs(scaled), 10**places)
    return f"{'-' if scaled < 0 else ''}{whole:,}.{rest:0{places}d}"

"""Exact numbers in sentences: rounded half up for reading, and to the places of a claim for comparing."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction


def exact(number: Fraction) -> str:
    """``numerator/denominator``: how evidence keeps a number."""
    return f"{number.numerator}/{number.denominator}"


def decimal(number: Fraction, places: int) -> str:
    """``number`` rounded half up to ``places`` decimals, with thousands separated."""
    units = to_unit(number, Fraction(1, 10**places)) * 10**places
    whole, rest = divmod(abs(units.numerator), 10**places)
    return f"{'-' if units < 0 else ''}{whole:,}{f'.{rest:0{places}d}' if places else ''}"


def amount(number: Fraction) -> str:
    """A quantity for people: whole numbers as they are, others with two decimals."""
    return decimal(number, 0 if number.denominator == 1 else 2)


def to_unit(number: Fraction, unit: Fraction) -> Fraction:
    """The multiple of ``unit`` nearest to ``number``, ties away from zero."""
    steps = abs(number) / unit
    nearest = (2 * steps.numerator + steps.denominator) // (2 * steps.denominator)
    return nearest * unit if number >= 0 else -nearest * unit


def unit_of(text: str) -> Fraction | None:
    """The last place of a number as written: 1/100 for ``0.62``, 1 for ``4965``, 1000 for ``12e3``; ``None`` for no such text."""
    try:
        exponent = Decimal(text.replace("_", "")).as_tuple().exponent
    except InvalidOperation:
        return None
    return Fraction(10) ** exponent if isinstance(exponent, int) else None


def many(count: int, noun: str) -> str:
    """``1 tensor``, ``3 tensors``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

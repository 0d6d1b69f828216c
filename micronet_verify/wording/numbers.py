"""Exact numbers as text. Nothing is a float: a sentence says the number, or the number rounded half up, never about the number."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

PLACES = 12
MB = 10**6
GB = 10**9


def exact(number: Fraction) -> str:
    """``numerator/denominator``, always both: the form that is compared and read back."""
    return f"{number.numerator}/{number.denominator}"


def rounded(number: Fraction, places: int) -> str:
    """``number`` with exactly ``places`` decimals, rounded half up (away from zero)."""
    return grouped(number, places).replace(",", "")


def grouped(number: Fraction, places: int) -> str:
    """The same with its thousands separated by commas."""
    units = to_unit(number, Fraction(1, 10**places)) * 10**places
    whole, rest = divmod(abs(units.numerator), 10**places)
    return f"{'-' if units < 0 else ''}{whole:,}" + (f".{rest:0{places}d}" if places else "")


def decimal(number: Fraction, places: int = PLACES) -> str:
    """``number`` as a plain decimal, rounded after ``places`` places, without zeros at its end."""
    text = rounded(number, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact_decimal(number: Fraction) -> str:
    """``number`` as a decimal that is exactly it, or as ``numerator/denominator`` where there is none."""
    rest, places = number.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    return decimal(number, places) if rest == 1 else exact(number)


def figure(number: Fraction) -> str:
    """For reading: grouped by thousands, and with three decimals where it is not whole."""
    return grouped(number, 0 if number.denominator == 1 else 3)


def number(value: Fraction) -> dict[str, str]:
    """For JSON: both the exact form and the decimal."""
    return {"decimal": decimal(value), "exact": exact(value)}


def percent(part: Fraction, whole: Fraction, places: int = 1) -> str:
    """The share of ``part`` in ``whole``, as ``12.3 %``; ``–`` of nothing."""
    return f"{rounded(100 * part / whole, places)} %" if whole else "–"


def amount(number: Fraction) -> str:
    """A quantity in a sentence: whole numbers as they are, others with two decimals, grouped by thousands."""
    return grouped(number, 0 if number.denominator == 1 else 2)


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
    """``1 tensor``, ``1,024 tensors``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size_words(size: int) -> str:
    """A size for a sentence, in decimal units: ``300 MB``, ``1.5 GB``, ``999 bytes``."""
    for unit, name in ((GB, "GB"), (MB, "MB"), (1000, "kB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"

"""Exact numbers as text. Nothing is a float: a report says the number, or the number rounded half up, never about the number."""

from __future__ import annotations

from fractions import Fraction

PLACES = 12


def exact(number: Fraction) -> str:
    """``numerator/denominator``, always both: the form that is compared and read back."""
    return f"{number.numerator}/{number.denominator}"


def rounded(number: Fraction, places: int, grouped: bool = False) -> str:
    """``number`` with exactly ``places`` decimals, rounded half up (away from zero), ``grouped`` by thousands or not."""
    scaled = abs(number) * 10**places
    units = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    whole, rest = divmod(units, 10**places)
    sign = "-" if number < 0 and units else ""
    return f"{sign}{whole:{',' if grouped else ''}}" + (f".{rest:0{places}d}" if places else "")


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
    return rounded(number, 0 if number.denominator == 1 else 3, grouped=True)


def number(value: Fraction) -> dict[str, str]:
    """For JSON: both the exact form and the decimal."""
    return {"decimal": decimal(value), "exact": exact(value)}


def percent(part: Fraction, whole: Fraction, places: int = 1) -> str:
    """The share of ``part`` in ``whole``, as ``12.3 %``; ``–`` of nothing."""
    return f"{rounded(100 * part / whole, places)} %" if whole else "–"

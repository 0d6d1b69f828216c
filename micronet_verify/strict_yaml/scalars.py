"""What an unquoted word of YAML means, and the words that two readers understand differently."""

from __future__ import annotations

import re
from decimal import Decimal

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,39})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,39})\.[0-9]{1,40}")

_TRUTH = "some readers take for true or false"
_NUMBER = "some readers take for a number"
_SURPRISES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reading, advice)
    for pattern, reading, advice in (
        (r"y|yes|on|n|no|off", _TRUTH, 'write "{0}" for the text, or true or false'),
        (r"true|false", _TRUTH, 'write "{0}" for the text, or true or false in lower case'),
        (r"~|null|", "means nothing", "leave the key out, or quote the text"),
        (r"[-+]?0[0-9]+", "some readers take for an octal number", 'write "{0}" for the text, or the number without a leading zero'),
        (r"[-+]?0(x[0-9a-f_]+|o[0-7_]+|b[01_]+)", _NUMBER, 'write "{0}" for the text, or the number in decimal digits'),
        (r"[-+]?[0-9][0-9_.]*_[0-9_.]*", _NUMBER, 'write "{0}" for the text, or the number without "_"'),
        (r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?", "some readers take for a number in base 60", 'write "{0}"'),
        (r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([t ].*)?", "some readers take for a date", 'write "{0}"'),
        (r"[-+]?(\.[0-9]+|[0-9]+\.?[0-9]*)e[-+]?[0-9]+", _NUMBER, 'write "{0}" for the text, or the number in plain digits'),
        (
            r"\+([0-9]+\.?[0-9]*|\.[0-9]+)|-?\.[0-9]+|-?[0-9]+\.|[-+]?00*[0-9]+\.[0-9]*",
            _NUMBER,
            'write "{0}" for the text, or a number like 0.5',
        ),
        (r"[-+]?\.inf|\.nan", "is not a finite number", 'write "{0}" for the text, or a finite number'),
        (r"-?[0-9]+(\.[0-9]*)?", "has too many digits", "write at most 40 digits before and after the point, or quote the text"),
        (r"<<|=", "has a special meaning in YAML", 'write "{0}"'),
    )
)


class Surprise(Exception):
    """A bare word that readers understand differently: what is said of it, and advice."""

    def __init__(self, reading: str, advice: str) -> None:
        super().__init__(reading)
        self.reading = reading
        self.advice = advice


def plain(text: str) -> bool | int | Decimal | str:
    """The one meaning of an unquoted word. Raises ``Surprise`` where there is more than one."""
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    for pattern, reading, advice in _SURPRISES:
        if pattern.fullmatch(text):
            raise Surprise(reading, advice.format(text))
    return text


def shown(text: str, limit: int = 60) -> str:
    """``text`` as a message may quote it: on one line, escaped, and cut after ``limit`` characters."""
    return repr(text if len(text) <= limit else f"{text[:limit]}…")

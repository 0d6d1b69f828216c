"""Types that files share: exact numbers, one-line text, names. Each refuses with its own sentence and has its JSON Schema."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from micronet_verify.strict_yaml.sentences import described, wrong

_EXACT = r"-?(0|[1-9][0-9]{0,39})(\.[0-9]{1,40})?"


@dataclass(frozen=True, slots=True)
class Matching:
    """Text that matches ``pattern`` as a whole; ``should`` says it in words."""

    pattern: str
    should: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "pattern": f"^{self.pattern}$"}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise wrong(described(text), self.should)
        return text


def exact(value: Any) -> Fraction:
    """A number of a file, exactly: a whole number, a decimal, or either of them in quotes."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, str) and re.fullmatch(_EXACT, value):
        return Fraction(value)
    raise wrong(described(value), "be a plain number such as 0.45 or 36500000")


def _positive(value: Any) -> Fraction:
    number = exact(value)
    if number <= 0:
        raise wrong(described(value), "be more than 0")
    return number


def _not_negative(value: Any) -> Fraction:
    number = exact(value)
    if number < 0:
        raise wrong(described(value), "be at least 0")
    return number


_TEXT = {"type": "string", "pattern": f"^{_EXACT[2:]}$"}
Positive = Annotated[Fraction, PlainValidator(_positive), WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, _TEXT]})]
"""An exact number above 0."""
NotNegative = Annotated[Fraction, PlainValidator(_not_negative), WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, _TEXT]})]
"""An exact number, 0 or above."""
Line = Annotated[str, Matching(r"[^\s]([^\n]{0,198}[^\s])?", "be one line of 1 to 200 characters, with no space at its ends")]
"""Text for people: a title, a name."""
Name = Annotated[str, Matching(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", "be lower-case letters, digits and . _ - between them, at most 64")]
"""A name that programs use: of a track, an edition, a preprocessing."""

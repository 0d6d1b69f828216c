"""Pydantic's faults as sentences ``got … but should …``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from pydantic_core import PydanticCustomError

from micronet_verify.errors import Problem
from micronet_verify.strict_yaml.scalars import shown

_TYPES = {
    "string_type": "be text",
    "int_type": "be a whole number",
    "bool_type": "be true or false",
    "list_type": "be a list",
    "dict_type": "be a mapping of keys and values",
    "model_type": "be a mapping of keys and values",
}
_BOUNDS = {
    "greater_than": "be more than {gt}",
    "greater_than_equal": "be at least {ge}",
    "less_than": "be less than {lt}",
    "less_than_equal": "be at most {le}",
    "string_too_short": "have at least {min_length} characters",
    "string_too_long": "have at most {max_length} characters",
    "too_short": "have at least {min_length} items",
    "too_long": "have at most {max_length} items",
}


def wrong(got: str, should: str, advice: str = "") -> PydanticCustomError:
    """What a validator of ours raises: the sentence, whose place is added when it is reported."""
    return PydanticCustomError("problem", "got {got} but should {should}", {"got": got, "should": should, "advice": advice})


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Advice: the nearest of the ``known`` names, or nothing."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {near[0]!r}?" if near else ""


def sentence(fault: Any, key: str, known: tuple[str, ...], description: str, text: str | None, where: str) -> Problem:
    """``fault`` is one of ``ValidationError.errors()``; ``known`` are the keys its mapping may have, ``text`` the scalar as written."""
    kind, context, value = fault["type"], fault.get("ctx", {}), fault["input"]
    name = f"{key}: " if key else ""
    if kind == "problem":
        return Problem(f"{name}{context['got']}", context["should"], where, context["advice"])
    if kind == "missing":
        return Problem(f"no {key!r}", f"have one: {description}" if description else "have one", where)
    if kind == "extra_forbidden":
        return Problem(f"the unknown key {shown(key)}", f"be one of {', '.join(known)}", where, did_you_mean(key, known))
    if kind == "literal_error":
        expected = context["expected"].replace("'", "")
        choices = expected.replace(" or ", ", ").split(", ")
        should = f"be one of {', '.join(choices)}" if len(choices) > 1 else f"be {expected}"
        advice = did_you_mean(value, choices) if isinstance(value, str) else ""
        return Problem(f"{name}{described(value, text)}", should, where, advice)
    if kind in _TYPES:
        return Problem(f"{name}{described(value, text)}", _TYPES[kind], where, _type_advice(kind, value, text))
    if kind in _BOUNDS:
        return Problem(f"{name}{described(value, text)}", _BOUNDS[kind].format(**context).replace(" 1 items", " 1 item"), where)
    return Problem(f"{name}{described(value, text)}", f"be accepted: {fault['msg']}", where)


def described(value: Any, text: str | None = None) -> str:
    """A value of a file in words; ``text`` is how it was written."""
    if isinstance(value, str):
        return shown(value) if value else "empty text"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return f"the number {text or format(value, 'f' if isinstance(value, Decimal) else 'd')}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return "nothing"


def _type_advice(kind: str, value: Any, text: str | None) -> str:
    if kind == "string_type" and isinstance(value, bool | int | Decimal):
        return f'write "{text or described(value)}" for the text'
    if kind in ("int_type", "bool_type") and isinstance(value, str):
        return "without quotes" if value.isascii() and (value.isdigit() or value in ("true", "false")) else ""
    return ""

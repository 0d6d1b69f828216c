"""From a located file to a pydantic model, every fault of the file in one error, each with its line.

Pydantic stands only here, at the edge: rooms turn the model into their frozen dataclasses at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from micronet_verify.errors import MicronetError, Problem
from micronet_verify.strict_yaml.located import Located, Place
from micronet_verify.strict_yaml.sentences import sentence

MOST_PROBLEMS = 100


class StrictModel(BaseModel):
    """Base of every model of a file: no unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def cross_check(cls, data: Mapping[str, Any]) -> Iterable[tuple[Place, Problem]]:
        """Rules between keys, on the raw data, so that they are reported together with faults of single keys.

        Only the model of the whole file is asked. Values may have any type; a problem's ``where`` is filled in.
        """
        del data
        return ()


Model = TypeVar("Model", bound=StrictModel)


def parse(model: type[Model], located: Located, error: type[MicronetError]) -> Model:
    """The file as a ``model``. Raises ``error`` with every problem of the file, in order of line."""
    parsed, problems = check(model, located)
    if parsed is None or problems:
        raise error(problems)
    return parsed


def check(model: type[Model], located: Located) -> tuple[Model | None, list[Problem]]:
    """The file as a ``model`` if it is one, and every problem that was found, in order of line."""
    problems = [problem for _, problem in located.problems]
    parsed: Model | None = None
    if located.data is not None or not problems:
        spoiled = {place for place, _ in located.problems if place is not None}
        try:
            parsed = model.model_validate(located.data)
        except ValidationError as failure:
            for fault in failure.errors(include_url=False):
                place: Place = tuple(fault["loc"])
                if not any(place[:end] in spoiled for end in range(len(place) + 1)):
                    problems.append(_problem(model, located, place, fault))
        if isinstance(located.data, dict):
            for place, problem in model.cross_check(located.data):
                problems.append(Problem(problem.got, problem.should, located.where(place), problem.advice))
    problems = by_line(problems)
    if len(problems) > MOST_PROBLEMS:
        rest = Problem(f"{len(problems) - MOST_PROBLEMS:,} more problems", "be corrected, too", located.name)
        problems = [*problems[:MOST_PROBLEMS], rest]
    return parsed, problems


def json_schema(model: type[StrictModel], title: str) -> str:
    """The model's JSON Schema as text, for editors. Same model, same bytes."""
    schema: Any = _plainer(model.model_json_schema(by_alias=True))
    draft = {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return json.dumps(draft, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _plainer(schema: Any) -> Any:
    """The schema without what only Python means: nulls (a key is left out instead) and titles made from attribute names."""
    if isinstance(schema, list):
        return [_plainer(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _plainer(item) for key, item in schema.items() if not (key == "title" and isinstance(item, str)) and item is not None}
    choices = kept.get("anyOf", ())
    return {**kept.pop("anyOf")[0], **kept} if len(choices) == 1 else kept


def _problem(model: type[StrictModel], located: Located, place: Place, fault: Any) -> Problem:
    owner, key = _model_at(model, place[:-1]), next((step for step in reversed(place) if isinstance(step, str)), "")
    known = _keys(owner) if owner else {}
    description = known.get(key, "")
    text = located.texts.get(place) if isinstance(fault["input"], str | int | Decimal) else None
    return sentence(fault, key, tuple(known), description, text, located.where(place))


def _keys(model: type[BaseModel]) -> dict[str, str]:
    """Keys as the file spells them, with their descriptions."""
    return {field.alias or name: field.description or "" for name, field in model.model_fields.items()}


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for step in place:
        if isinstance(step, str) and current is not None:
            fields = {field.alias or name: field for name, field in current.model_fields.items()}
            current = _model_in(fields[step].annotation) if step in fields else None
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)


def by_line(problems: Iterable[Problem]) -> list[Problem]:
    """Problems of one file in order of line; those of no line first."""

    def line(problem: Problem) -> int:
        text = problem.where.rpartition(":")[2]
        return int(text) if text.isascii() and text.isdigit() else 0

    return sorted(problems, key=line)

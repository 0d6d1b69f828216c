"""Which subgraph each IF took: read from its condition after a call (rule O13)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from micronet_verify.plugin import SIDES, GraphBuilder, branch_names
from micronet_verify_tflite.model import Model, Operator
from micronet_verify_tflite.translate import translate


@dataclass(frozen=True, slots=True)
class Record:
    """The branch called ``name`` (as in the counted graph): its condition is ``tensor`` of ``subgraph``.

    ``inside``: the branch around it, and the number of the subgraph that must have been taken for it to be reached.
    """

    name: str
    subgraph: int
    tensor: int
    inside: tuple[str, int] | None = None


def branch_records(model: Model) -> tuple[Record, ...]:
    """The branches that the data decides, outer ones first."""
    if "IF" not in model.operators:
        return ()
    return tuple(_records(model, 0, "", branch_names(lambda: translate(model, GraphBuilder(None))), None))


def _records(model: Model, number: int, prefix: str, names: frozenset[str], around: tuple[str, int] | None) -> Iterator[Record]:
    for index, operator in enumerate(model.subgraph(number).operators):
        if operator.kind != "IF":
            continue
        name = f"{prefix}{index}"
        if name in names:
            yield Record(name, number, operator.inputs[0], around)
        for place, side_name in enumerate(SIDES):
            inner = (name, place) if name in names else around
            if any(other.startswith(f"{name}/{side_name}/") for other in names):
                yield from _records(model, _bodies(operator)[place], f"{name}/{side_name}/", names, inner)


def _bodies(operator: Operator) -> tuple[int, int]:
    return int(operator.options["then_subgraph_index"]), int(operator.options["else_subgraph_index"])


def side(condition: NDArray[Any]) -> int:
    """0 where the condition held, else 1."""
    return 0 if bool(condition.reshape(-1)[0]) else 1

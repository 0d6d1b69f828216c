"""Makes a graph hand out the predicate of every If that the data decides: more results of calls, the same computation (rule O13)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify_tensorflow.program import CALLS

_IFS = frozenset({"If", "StatelessIf"})


@dataclass(frozen=True, slots=True)
class Record:
    """The branch called ``name`` (as in the counted graph): its predicate is the tensor ``ref``."""

    name: str
    ref: str


def record_branches(graph: Any, names: frozenset[str]) -> tuple[Record, ...]:
    """Give ``graph`` a tensor for the predicate of each branch in ``names``; functions that hand one out are copied first."""
    if not names:
        return ()
    functions = {function.signature.name: function for function in graph.library.function}
    found = list(_recorded(graph, graph.node, functions, "", names, in_main=True))
    return tuple(Record(name, ref) for name, ref, _ in found)


def _recorded(
    graph: Any, nodes: Any, functions: dict[str, Any], prefix: str, names: frozenset[str], in_main: bool
) -> Iterator[tuple[str, str, int]]:
    """(name, tensor, type) of every predicate inside these nodes."""
    for node in nodes:
        name = f"{prefix}{node.name}"
        if node.op in _IFS and name in names:
            yield name, node.input[0], node.attr["Tcond"].type
        elif node.op in CALLS and any(other.startswith(f"{name}/") for other in names):
            body = graph.library.function.add()
            body.CopyFrom(functions[node.attr["f"].func.name])
            body.signature.name = f"recorded_{len(graph.library.function)}_{body.signature.name}"
            inner = list(_recorded(graph, body.node_def, functions, f"{name}/", names, in_main=False))
            first = len(node.attr["Tout"].list.type)
            node.attr["f"].func.name = body.signature.name
            for index, (inside, ref, kind) in enumerate(inner):
                argument = body.signature.output_arg.add()
                argument.name, argument.type = f"predicate_{index}", kind
                body.ret[argument.name] = ref
                node.attr["Tout"].list.type.append(kind)
                yield inside, f"{node.name}:{first + index}" if in_main else f"{node.name}:output:{first + index}", kind


def taken(records: tuple[Record, ...], rows: list[list[NDArray[Any]]]) -> dict[str, tuple[int, ...]]:
    """Branch → body of each example (0 where the predicate held), from what was fetched for each, row by row."""
    return {record.name: tuple(0 if np.any(row[index]) else 1 for row in rows) for index, record in enumerate(records)}

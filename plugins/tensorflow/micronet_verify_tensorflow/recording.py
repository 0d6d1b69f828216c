"""Makes a graph tell which body of each If it took: one more result per branch, the same computation (rule O13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from micronet_verify.plugin import NOT_REACHED, SIDES
from micronet_verify_tensorflow.formats import number_of
from micronet_verify_tensorflow.program import CALLS, IFS

_INT32 = number_of("int32")


@dataclass(frozen=True, slots=True)
class Record:
    """The branch called ``name`` (as in the counted graph): the tensor ``ref`` is 0 or 1, or −1 where it was not reached."""

    name: str
    ref: str


def record_branches(graph: Any, names: frozenset[str]) -> tuple[Record, ...]:
    """Give ``graph`` a tensor for each branch in ``names``; functions that hand one out are copied first."""
    return tuple(_Recorder(graph, names).records(graph.node, "", in_main=True)) if names else ()


class _Recorder:
    def __init__(self, graph: Any, names: frozenset[str]) -> None:
        self._library, self._names = graph.library.function, names
        self._around = {name[:at] for name in names for at, letter in enumerate(name) if letter == "/"}
        self._functions = {function.signature.name: function for function in graph.library.function}

    def records(self, nodes: Sequence[Any], prefix: str, in_main: bool = False) -> list[Record]:
        """The records inside these nodes, whose branches' names begin with ``prefix``."""
        found: list[Record] = []
        for node in nodes:
            name = f"{prefix}{node.name}"
            if node.op not in CALLS | IFS or (name not in self._names and name not in self._around):
                continue
            bodies = {"": "f"} if node.op in CALLS else {f"/{side}": f"{side}_branch" for side in SIDES}
            handed = self._handed(node, name, bodies)
            first = len(node.attr["Tout"].list.type) - len(handed)
            output = node.name if in_main else f"{node.name}:output"
            found += [Record(inner, f"{output}:{first + at}") for at, inner in enumerate(handed)]
        return found

    def _handed(self, node: Any, name: str, bodies: Mapping[str, str]) -> list[str]:
        """Names of the branches whose records a node hands out from now on, behind its results."""
        copies = [self._copied(node, attribute) for attribute in bodies.values()]
        inside = [self.records(copy.node_def, f"{name}{side}/") for copy, side in zip(copies, bodies, strict=True)]
        own = [name] if name in self._names and node.op in IFS else []
        for number, copy in enumerate(copies):
            refs = [_constant(copy, at) for at in ([number] if own else [])]
            for at, records in enumerate(inside):
                refs += [record.ref if at == number else _constant(copy, NOT_REACHED) for record in records]
            for ref in refs:
                result = copy.signature.output_arg.add(name=f"taken_{len(copy.signature.output_arg)}", type=_INT32)
                copy.ret[result.name] = ref
        handed = own + [record.name for records in inside for record in records]
        node.attr["Tout"].list.type.extend([_INT32] * len(handed))
        node.attr.pop("output_shapes", None)
        return handed

    def _copied(self, node: Any, attribute: str) -> Any:
        """A copy of a function that a node calls, which the node calls from now on."""
        called = node.attr[attribute].func
        copy = self._library.add()
        copy.CopyFrom(self._functions[called.name])
        copy.signature.name = called.name = f"recorded_{len(self._library)}_{called.name}"
        return copy


def _constant(function: Any, number: int) -> str:
    """A new constant of a function."""
    node = function.node_def.add(name=f"taken_{len(function.node_def)}", op="Const")
    node.attr["dtype"].type = node.attr["value"].tensor.dtype = _INT32
    node.attr["value"].tensor.int_val.append(number)
    node.attr["value"].tensor.tensor_shape.SetInParent()
    return f"{node.name}:output:0"

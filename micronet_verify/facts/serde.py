"""Graphs as JSON: the only form in which a graph crosses the sandbox wall. Same graph, same bytes."""

from __future__ import annotations

import json
from typing import Any

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Attribute, Graph, Node, Value
from micronet_verify.facts.tensors import TensorRef

SCHEMA = 1
MOST_NOTES = 10
LONGEST_NOTE = 300


def dump_graph(graph: Graph) -> str:
    """The graph as JSON text, keys sorted."""
    return json.dumps({"schema": SCHEMA, "graph": _graph(graph)}, sort_keys=True, separators=(",", ":"), allow_nan=True)


def load_graph(text: str) -> Graph:
    """The inverse of ``dump_graph``. Raises ``SubmissionFault`` for anything that is not such a text."""
    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']}")
        return _read_graph(data["graph"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SubmissionFault(Problem(f"a graph that cannot be read ({error})", f"be graph JSON of schema {SCHEMA}")) from None


def _graph(graph: Graph) -> dict[str, Any]:
    data: dict[str, Any] = {
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "values": [_value(value) for value in graph.values.values()],
        "nodes": [_node(node) for node in graph.nodes],
    }
    if graph.notes:
        data["notes"] = graph.notes
    return data


def _value(value: Value) -> dict[str, Any]:
    data: dict[str, Any] = {"id": value.id, "shape": value.shape, "format": value.format.name, "label": value.label}
    if value.constant is not None:
        ref = value.constant
        data["constant"] = {"store": ref.store, "path": ref.path, "offset": ref.offset, "strides": ref.strides}
    return data


def _node(node: Node) -> dict[str, Any]:
    data: dict[str, Any] = {
        "kind": node.kind,
        "inputs": node.inputs,
        "outputs": node.outputs,
        "attributes": dict(node.attributes),
        "source": node.source,
        "scope": node.scope,
    }
    if node.bodies:
        data["bodies"] = [_graph(body) for body in node.bodies]
    return data


def _read_graph(data: dict[str, Any]) -> Graph:
    values = [_read_value(item) for item in data["values"]]
    if len({value.id for value in values}) != len(values):
        raise ValueError("two values with the same id")
    return Graph(
        tuple(map(str, data["inputs"])),
        tuple(map(str, data["outputs"])),
        {value.id: value for value in values},
        tuple(_read_node(item) for item in data["nodes"]),
        tuple(_read_note(item) for item in data.get("notes", ())[:MOST_NOTES]),
    )


def _read_note(text: Any) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:LONGEST_NOTE])


def _read_value(data: dict[str, Any]) -> Value:
    ref = data.get("constant")
    constant = None
    if ref is not None:
        if ref["store"] not in ("artifact", "sidecar"):
            raise ValueError(f"store {ref['store']!r}")
        strides = None if ref["strides"] is None else tuple(map(int, ref["strides"]))
        constant = TensorRef(ref["store"], str(ref["path"]), int(ref["offset"]), strides)
    return Value(str(data["id"]), tuple(map(int, data["shape"])), numeric_format(data["format"]), constant, str(data["label"]))


def _read_node(data: dict[str, Any]) -> Node:
    return Node(
        str(data["kind"]),
        tuple(map(str, data["inputs"])),
        tuple(map(str, data["outputs"])),
        {str(name): _attribute(value) for name, value in data["attributes"].items()},
        str(data["source"]),
        str(data["scope"]),
        tuple(_read_graph(body) for body in data.get("bodies", ())),
    )


def _attribute(value: Any) -> Attribute:
    if isinstance(value, list):
        if not all(isinstance(item, int | float) for item in value):
            raise TypeError("a list of other things than numbers")
        return tuple(value)
    if isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"an attribute of type {type(value).__name__}")

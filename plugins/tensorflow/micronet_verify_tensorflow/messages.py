"""TensorFlow's protobuf messages, read without TensorFlow: only the fields that describe what a model computes.

Field numbers are those of TensorFlow's ``.proto`` files. A field that may come once and comes twice is refused: readers of
protobuf do not agree on what it would mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from micronet_verify.plugin import BYTES, VARINT, Buffer, Field, Problem, SubmissionFault, fields, varint

WANTED = "a TensorFlow model"
Span = tuple[int, int]
Attributes = Mapping[str, Span]


@dataclass(frozen=True, slots=True)
class NodeDef:
    """``inputs`` and, without their ``^``, ``controls`` as written. ``attributes``: where in the file each value lies.

    ``span`` is where the node itself lies.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    controls: tuple[str, ...]
    attributes: Attributes
    span: Span = (0, 0)


@dataclass(frozen=True, slots=True)
class Body:
    """A graph or a function. ``arguments``: names and types; ``results``: names, and ``returned`` the refs they stand for."""

    name: str
    nodes: Mapping[str, NodeDef]
    arguments: tuple[tuple[str, int], ...] = ()
    results: tuple[str, ...] = ()
    returned: Mapping[str, str] = dataclasses.field(default_factory=dict)
    span: Span = (0, 0)


@dataclass(frozen=True, slots=True)
class Signature:
    """Names of tensors of the main graph, by the name under which a caller knows them."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    method: str = ""


def bad(got: str, should: str = f"be {WANTED}", where: str = "", advice: str = "") -> SubmissionFault:
    return SubmissionFault(Problem(got, should, where, advice))


class Reader:
    """Messages of one file. Every method takes the range of a message's bytes and raises ``SubmissionFault`` for what is none.

    ``filed``: the bytes are the artifact's own, so that a constant may be left where it lies.
    """

    def __init__(self, data: Buffer, name: str, filed: bool = False) -> None:
        self.data, self.name, self.filed = data, name, filed

    def fields(self, span: Span, place: str) -> Iterator[Field]:
        return fields(self.data, *span, place, wanted=WANTED)

    def single(self, span: Span, place: str, wanted: Mapping[int, int]) -> dict[int, Field]:
        """The fields ``wanted`` (number → wire type), each at most once."""
        found: dict[int, Field] = {}
        for field in self.fields(span, place):
            if field.number in wanted:
                if field.number in found:
                    raise bad(f"a second field {field.number} in {place}", "have one", self.name)
                if field.wire != wanted[field.number]:
                    raise bad(f"field {field.number} of the wrong type in {place}", where=self.name)
                found[field.number] = field
        return found

    def message(self, field: Field, place: str) -> Span:
        """Where the message in a field lies."""
        if field.wire != BYTES:
            raise bad(f"field {field.number} of the wrong type in {place}", where=self.name)
        return field.start, field.end

    def number(self, field: Field) -> int:
        """A varint as a signed 64-bit number."""
        value, _ = varint(self.data, field.start, field.end, "a number", WANTED)
        value &= (1 << 64) - 1
        return value - (1 << 64) if value >> 63 else value

    def text(self, field: Field, place: str) -> str:
        if field.wire != BYTES:
            raise bad(f"a text of the wrong type in {place}", where=self.name)
        try:
            return bytes(self.data[field.start : field.end]).decode("utf-8")
        except UnicodeDecodeError:
            raise bad(f"text that is not UTF-8 in {place}", "be text", self.name) from None

    def mapping(self, field: Field, place: str, read: Callable[[Field], Any], into: dict[str, Any]) -> None:
        """One entry of a protobuf map; a key given twice is refused."""
        entry = self.single(self.message(field, place), place, {1: BYTES, 2: BYTES})
        key = self.text(entry[1], place) if 1 in entry else ""
        if key in into:
            raise bad(f"{key!r} twice in {place}", "be given once", self.name)
        into[key] = read(entry[2]) if 2 in entry else read(Field(2, BYTES, field.end, field.end, field.end))

    def node(self, span: Span) -> NodeDef:
        name = op = None
        inputs: list[str] = []
        controls: list[str] = []
        attributes: dict[str, Span] = {}
        for field in self.fields(span, "a node"):
            if field.number == 1 and name is None:
                name = self.text(field, "a node")
            elif field.number == 2 and op is None:
                op = self.text(field, "a node")
            elif field.number in (1, 2):
                raise bad(f"a second field {field.number} in a node", "have one", self.name)
            elif field.number == 3:
                text = self.text(field, "a node")
                if text.startswith("^"):
                    controls.append(text[1:])
                else:
                    inputs.append(text)
            elif field.number == 5:
                self.mapping(field, f"node {name!r}", _span, attributes)
        return NodeDef(name or "", op or "", tuple(inputs), tuple(controls), attributes, span)

    def function(self, span: Span) -> Body:
        nodes: dict[str, NodeDef] = {}
        returned: dict[str, str] = {}
        signature: tuple[str, tuple[tuple[str, int], ...], tuple[str, ...]] | None = None
        for field in self.fields(span, "a function"):
            inner = self.message(field, "a function") if field.number in (1, 3) else (0, 0)
            if field.number == 1:
                if signature is not None:
                    raise bad("a second signature of a function", "have one", self.name)
                signature = self._signature(inner)
            elif field.number == 3:
                self._add(nodes, self.node(inner))
            elif field.number == 4:
                self.mapping(field, "a function", lambda value: self.text(value, "a function"), returned)
        name, arguments, results = signature or ("", (), ())
        if not name:
            raise bad("a function without a name", "have one", self.name)
        return Body(name, nodes, arguments, results, returned, span)

    def _signature(self, span: Span) -> tuple[str, tuple[tuple[str, int], ...], tuple[str, ...]]:
        name, arguments, results = "", [], []
        for field in self.fields(span, "a function's signature"):
            if field.number == 1:
                name = self.text(field, "a function's signature")
            elif field.number in (2, 3):
                argument = self.single(self.message(field, "a function"), "a function's argument", {1: BYTES, 3: VARINT})
                text = self.text(argument[1], "a function's argument") if 1 in argument else ""
                if field.number == 2:
                    arguments.append((text, self.number(argument[3]) if 3 in argument else 0))
                else:
                    results.append(text)
        return name, tuple(arguments), tuple(results)

    def graph(self, span: Span) -> tuple[Body, dict[str, Body]]:
        """A ``GraphDef``: its nodes, and its library of functions by name."""
        nodes: dict[str, NodeDef] = {}
        functions: dict[str, Body] = {}
        for field in self.fields(span, "the graph"):
            inner = self.message(field, "the graph") if field.number in (1, 2) else (0, 0)
            if field.number == 1:
                self._add(nodes, self.node(inner))
            elif field.number == 2:
                for entry in self.fields(inner, "the function library"):
                    if entry.number == 1:
                        function = self.function(self.message(entry, "the function library"))
                        if function.name in functions:
                            raise bad(f"a second function {function.name!r}", "be defined once", self.name)
                        functions[function.name] = function
        return Body("", nodes), functions

    def _add(self, nodes: dict[str, NodeDef], node: NodeDef) -> None:
        if node.name in nodes:
            raise bad(f"a second node {node.name!r}", "have a name of its own", self.name)
        nodes[node.name] = node

    def signature(self, span: Span) -> Signature:
        inputs: dict[str, str] = {}
        outputs: dict[str, str] = {}
        method = ""
        for field in self.fields(span, "a signature"):
            if field.number in (1, 2):
                self.mapping(field, "a signature", self._tensor_name, inputs if field.number == 1 else outputs)
            elif field.number == 3:
                method = self.text(field, "a signature")
        return Signature(inputs, outputs, method)

    def _tensor_name(self, field: Field) -> str:
        found = self.single((field.start, field.end), "a signature", {1: BYTES})
        return self.text(found[1], "a signature") if 1 in found else ""


def _span(field: Field) -> Span:
    return field.start, field.end

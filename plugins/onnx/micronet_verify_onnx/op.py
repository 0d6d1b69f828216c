"""One ONNX node as the rules of the op table see it: operands, attributes by type, the builder, and ways to refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto

from micronet_verify.facts.graph import Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.op import Emitting
from micronet_verify_onnx.checks import plain
from micronet_verify_onnx.operands import Operand
from micronet_verify_onnx.scope import ABSENT, Scope
from micronet_verify_onnx.tensors import Stored

if TYPE_CHECKING:
    from micronet_verify_onnx.translate import Translator

Result = Value | Operand


class Rule(Protocol):
    """What the op table holds: emits the node's work and returns its results in order (one, or several)."""

    def __call__(self, op: Op) -> Result | Sequence[Result | None]: ...


class Op(Emitting):
    """``kind`` is the operator's name, ``domain`` "" for ONNX's own, ``version`` the domain's opset here, ``where`` the place in words."""

    def __init__(self, translator: Translator, scope: Scope, node: onnx.NodeProto, version: int, source: str, place: str) -> None:
        self.translator, self.scope, self.node, self.version = translator, scope, node, version
        self.domain, self._place = plain(node.domain), (source, place)
        self.kind: str = node.op_type
        self.builder: GraphBuilder = scope.builder
        self.here()
        self.where = self.builder.where
        found = [scope.find(name) if name else None for name in node.input]
        self.operands: list[Operand | None] = [None if operand is ABSENT else operand for operand in found]
        self._attributes: dict[str, AttributeProto] = {}
        for attribute in node.attribute:
            given = scope.attributes.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
            if given is not None:
                self._attributes[attribute.name] = given

    # Operands

    def has(self, index: int) -> bool:
        return index < len(self.operands) and self.operands[index] is not None

    def required(self, index: int) -> Operand:
        if not self.has(index):
            self.refuse(f"no operand {index + 1}", "have one")
        operand = self.operands[index]
        assert operand is not None
        return operand

    def x(self, index: int = 0) -> Value:
        """The value of a required operand."""
        return self.required(index).value

    def maybe(self, index: int) -> Value | None:
        """The value of an optional operand."""
        return self.required(index).value if self.has(index) else None

    def known(self, index: int, what: str) -> NDArray[Any]:
        """The numbers of an operand that describes the work; refused where the data decides them."""
        found = self.required(index).known
        if found is None:
            self.refuse(f"{what} that the data decides", "be constant", "fixed shapes are counted: export with constant shapes")
        return found

    def known_ints(self, index: int, default: Sequence[int] | None = None, what: str = "a shape") -> tuple[int, ...]:
        """Whole numbers of an operand, ``default`` where it is absent."""
        if not self.has(index) and default is not None:
            return tuple(default)
        return tuple(int(number) for number in self.known(index, what).reshape(-1))

    def is_static(self) -> bool:
        """Whether no input of the model can change an operand of this node."""
        return all(operand.static for operand in self.operands if operand is not None)

    def is_read(self, index: int) -> bool:
        """Whether result ``index`` has a name and somebody reads it."""
        return index < len(self.node.output) and bool(self.scope.readers(self.node.output[index]))

    # Attributes

    def integer(self, name: str, default: int | None = None) -> int:
        found = self._attribute(name, AttributeProto.INT, default is not None)
        return default if found is None else int(found.i)  # type: ignore[return-value]

    def number(self, name: str, default: float | None = None) -> float:
        found = self._attribute(name, AttributeProto.FLOAT, default is not None)
        # The float32 of the file, as the shortest decimal that gives it back: 0.1, not 0.10000000149011612.
        return default if found is None else float(str(np.float32(found.f)))  # type: ignore[return-value]

    def text(self, name: str, default: str | None = None) -> str:
        found = self._attribute(name, AttributeProto.STRING, default is not None)
        return default if found is None else found.s.decode("utf-8", "replace")  # type: ignore[return-value]

    def texts(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        found = self._attribute(name, AttributeProto.STRINGS, True)
        return default if found is None else tuple(item.decode("utf-8", "replace") for item in found.strings)

    def integers(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        found = self._attribute(name, AttributeProto.INTS, default is not None)
        return default if found is None else tuple(int(item) for item in found.ints)  # type: ignore[return-value]

    def numbers(self, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        found = self._attribute(name, AttributeProto.FLOATS, True)
        if found is None:
            return default
        return tuple(float(item) for item in self.scope.reader.floats(found, self.where).load())

    def tensor(self, name: str) -> Stored | None:
        found = self._attribute(name, AttributeProto.TENSOR, True)
        return None if found is None else self.scope.reader.read(found.t, self.where)

    def attribute(self, name: str) -> AttributeProto | None:
        return self._attributes.get(name)

    def graph(self, name: str) -> onnx.GraphProto:
        found = self._attribute(name, AttributeProto.GRAPH, False)
        assert found is not None
        return found.g

    def _attribute(self, name: str, kind: int, optional: bool) -> AttributeProto | None:
        found = self._attributes.get(name)
        if found is None:
            if not optional:
                self.refuse(f"no attribute {name!r}", "have one")
            return None
        if found.type != kind:
            wanted = AttributeProto.AttributeType.Name(kind).lower()
            self.refuse(f"an attribute {name!r} of another type", f"be of type {wanted}")
        return found

    # Building

    def here(self) -> None:
        """Sets the builder's place back to this node, after the nodes of a subgraph."""
        self.builder.at(*self._place)

"""One ONNX node as the rules of the op table see it: operands, attributes by type, the builder, and ways to refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import AttributeProto

from micronet_verify.plugin import Results, Step, Stored, Walk
from micronet_verify.plugin import RuleResult as Answer
from micronet_verify.plugin import op as core
from micronet_verify_onnx.checks import plain
from micronet_verify_onnx.schema import check_node
from micronet_verify_onnx.scope import Scope

Rule = Callable[["Op"], Answer]
"""What the op table holds: emits the node's work and returns its results in order (one, or several)."""


class Op(core.Op):
    """``domain`` is "" for ONNX's own operators, ``version`` the domain's opset here."""

    scope: Scope
    node: onnx.NodeProto

    def __init__(self, walk: Walk, scope: Scope, step: Step, items: Results) -> None:
        super().__init__(walk, scope, step, items)
        self.domain = plain(self.node.domain)
        self.version = scope.opsets.get(self.domain, 0)
        self._attributes = scope.given(self.node)
        self.here()
        self.where = self.builder.where

    # Answers to the walk

    def check(self) -> None:
        if not self.domain and (self.domain, self.kind, self.node.overload) not in self.scope.model.functions:
            check_node(self.node, self._attributes, self.version, self.where)

    def may_fold(self) -> bool:
        return not self.domain

    def label(self, index: int) -> str:
        return str(self.node.output[0])

    # Operands

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
            self.refuse(f"an attribute {name!r} of the wrong type", f"be of type {wanted}")
        return found

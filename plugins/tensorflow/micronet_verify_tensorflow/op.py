"""One TensorFlow node as the rules of the op table see it: its attributes by type, lists of tensors, and the bias behind it."""

from __future__ import annotations

from collections.abc import Callable

from micronet_verify.plugin import NumericFormat, Operand, RuleResult, Value
from micronet_verify.plugin import op as core
from micronet_verify_tensorflow.attributes import AttributeReader, PartialShape
from micronet_verify_tensorflow.formats import data_type
from micronet_verify_tensorflow.messages import NodeDef, Span
from micronet_verify_tensorflow.operands import TensorList
from micronet_verify_tensorflow.scope import Scope

Rule = Callable[["Op"], RuleResult]
"""What the op table holds: emits the node's work and returns its results in order (one, or several)."""


class Op(core.Op):
    """``kind`` is the operator's name, ``where`` the node's place in words. Methods raise ``SubmissionFault``."""

    scope: Scope
    node: NodeDef

    # Operands

    def tensor_list(self, index: int) -> TensorList:
        item = self.item(index)
        if not isinstance(item, TensorList):
            self.refuse("something else than a list of tensors", "be a list")
        return item

    def bias_behind(self, channels: int, kind: str) -> Value | None:
        """The bias [channels] that the only reader of this node adds, a BiasAdd; that node is then done."""
        readers = self.scope.program.readers[self.scope.body.name].get(self.node.name, ())
        node = readers[0] if len(readers) == 1 else None
        if node is None or node.op != "BiasAdd" or len(node.inputs) != 2 or self.scope.node(node.inputs[0]) is not self.node:
            return None
        span = node.attributes.get("data_format")
        named = self._read.text(span, self.where) if span is not None else "NHWC"
        self.walk.run(self.scope.steps(node.inputs[1:]), self.scope)
        bias = self.scope.find(node.inputs[1])
        self.here()
        fits = isinstance(bias, Operand) and bias.static and bias.shape == (channels,) and named.startswith("NC") == kind.startswith("NC")
        if not fits or not isinstance(bias, Operand):
            return None
        self.scope.done[node.name] = self.node.name
        return bias.value

    # Attributes

    @property
    def _read(self) -> AttributeReader:
        return self.scope.program.attributes

    def integer(self, name: str, default: int | None = None) -> int:
        span = self._span(name, default is not None)
        return default if span is None else self._read.integer(span, self.where)  # type: ignore[return-value]

    def flag(self, name: str, default: bool = False) -> bool:
        span = self._span(name, True)
        return default if span is None else self._read.boolean(span, self.where)

    def number(self, name: str, default: float | None = None) -> float:
        span = self._span(name, default is not None)
        return default if span is None else self._read.number(span, self.where)  # type: ignore[return-value]

    def text(self, name: str, default: str | None = None) -> str:
        span = self._span(name, default is not None)
        return default if span is None else self._read.text(span, self.where)  # type: ignore[return-value]

    def integers(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        span = self._span(name, True)
        return default if span is None else self._read.integers(span, self.where)

    def format(self, name: str) -> NumericFormat:
        """The format of a type attribute."""
        return data_type(self.kind_of(name), self.where)

    def kind_of(self, name: str) -> int:
        span = self._span(name, False)
        assert span is not None
        return self._read.kind(span, self.where)

    def partial_shape(self, name: str) -> PartialShape:
        span = self._span(name, True)
        return None if span is None else self._read.shape(span, self.where)

    def function(self, name: str) -> str:
        span = self._span(name, False)
        assert span is not None
        return self._read.function(span, self.where)

    def _span(self, name: str, optional: bool) -> Span | None:
        found = self.node.attributes.get(name)
        if found is None and not optional:
            self.refuse(f"no attribute {name!r}", "have one")
        return found

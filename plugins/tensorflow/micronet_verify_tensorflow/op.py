"""One TensorFlow node as the rules of the op table see it: operands, attributes by type, the builder, and ways to refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.op import Emitting
from micronet_verify_tensorflow.attributes import PartialShape
from micronet_verify_tensorflow.formats import data_type
from micronet_verify_tensorflow.messages import NodeDef, Span
from micronet_verify_tensorflow.operands import Handle, Item, Operand, TensorList

if TYPE_CHECKING:
    from micronet_verify_tensorflow.scope import Scope
    from micronet_verify_tensorflow.translate import Translator

Result = Value | Item


class Rule(Protocol):
    """What the op table holds: emits the node's work and returns its results in order (one, or several)."""

    def __call__(self, op: Op) -> Result | Sequence[Result | None]: ...


class Op(Emitting):
    """``kind`` is the operator's name, ``where`` the node's place in words."""

    def __init__(self, translator: Translator, scope: Scope, node: NodeDef, items: Sequence[Item], place: tuple[str, str]) -> None:
        self.translator, self.scope, self.node, self.items, self._place = translator, scope, node, list(items), place
        self.kind = node.op
        self.builder: GraphBuilder = scope.builder
        self.here()
        self.where = self.builder.where
        self._read = translator.program.attributes

    # Operands

    def has(self, index: int) -> bool:
        return index < len(self.items)

    def item(self, index: int) -> Item:
        if not self.has(index):
            self.refuse(f"no operand {index + 1}", "have one")
        return self.items[index]

    def operand(self, index: int) -> Operand:
        """A required operand that is a tensor."""
        item = self.item(index)
        if not isinstance(item, Operand):
            self.refuse(f"{'the handle of a variable' if isinstance(item, Handle) else 'a list of tensors'} as operand", "be a tensor")
        return item

    def tensor_list(self, index: int) -> TensorList:
        item = self.item(index)
        if not isinstance(item, TensorList):
            self.refuse("something else than a list of tensors", "be a list")
        return item

    def operands(self, start: int = 0, end: int | None = None) -> list[Operand]:
        return [self.operand(index) for index in range(start, len(self.items) if end is None else end)]

    def x(self, index: int = 0) -> Value:
        """The value of a required operand."""
        return self.operand(index).value

    def weight(self, index: int, perm: tuple[int, ...]) -> Value:
        """The value of an operand with its axes in another order."""
        found = self.operand(index)
        if len(found.shape) != len(perm):
            self.refuse(f"a weight of shape {found.shape}", f"have {len(perm)} axes")
        return found.laid(perm) if found.laid is not None else self.builder.transpose(found.value, perm)

    def known(self, index: int, what: str) -> NDArray[Any]:
        """The numbers of an operand that describes the work; refused where the data decides them."""
        found = self.operand(index).known
        if found is None:
            self.refuse(f"{what} that the data decides", "be constant", "fixed shapes are counted: export with constant shapes")
        return found

    def known_ints(self, index: int, what: str = "a shape") -> tuple[int, ...]:
        return tuple(int(number) for number in self.known(index, what).reshape(-1))

    def known_int(self, index: int, what: str) -> int:
        numbers = self.known_ints(index, what)
        if len(numbers) != 1:
            self.refuse(f"{what} of {len(numbers)} numbers", "be one number")
        return numbers[0]

    def is_static(self) -> bool:
        """Whether no input of the model can change an operand of this node."""
        return all(item.static for item in self.items if isinstance(item, Operand)) and not any(
            isinstance(item, TensorList) for item in self.items
        )

    def bias_behind(self, channels: int, kind: str) -> Value | None:
        """The bias [channels] that the only reader of this node adds, a BiasAdd; that node is then done."""
        readers = self.translator.program.readers[self.scope.body.name].get(self.node.name, ())
        node = readers[0] if len(readers) == 1 else None
        if node is None or node.op != "BiasAdd" or len(node.inputs) != 2 or self.scope.node(node.inputs[0]) is not self.node:
            return None
        span = node.attributes.get("data_format")
        named = self._read.text(span, self.where) if span is not None else "NHWC"
        bias = self.translator.find(node.inputs[1], self.scope)
        self.here()
        fits = isinstance(bias, Operand) and bias.static and bias.shape == (channels,) and named.startswith("NC") == kind.startswith("NC")
        if not fits or not isinstance(bias, Operand):
            return None
        self.scope.absorbed.add(node.name)
        return bias.value

    # Attributes

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

    # Building

    def here(self) -> None:
        """Sets the builder's place back to this node, after the nodes of a function."""
        self.builder.at(*self._place)

    def axes(self, index: int, rank: int) -> tuple[int, ...]:
        """Distinct axes given by an operand, in order."""
        return tuple(sorted({self.axis(axis, rank) for axis in self.known_ints(index, "axes")}))


def same(a: np.ndarray[Any, Any] | None, number: float) -> bool:
    """Whether every number of a known operand is this one."""
    return a is not None and a.size > 0 and bool((a == number).all())

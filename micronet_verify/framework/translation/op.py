"""One operator of a file as the rules of an op table see it: its operands, the builder, and ways to refuse.

A plugin's ``Op`` is a subclass that reads attributes from ``node``, and may answer what the walk asks: ``check`` (does the node
follow its specification?), ``may_fold`` (may it be shape arithmetic?), ``label`` and ``result`` (what a rule's value becomes),
``finish`` (has the rule read all that it must?), and ``plain`` (what leaves the graph or a body for an operand). Where operands have
names and not places, it is a subclass of ``Visit``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Attribute, Shape, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.operand import Array, Item, Operand, Order, Result, Results, computed, tensor
from micronet_verify.framework.translation.scope import Scope
from micronet_verify.framework.translation.step import Step
from micronet_verify.framework.translation.walk import Walk

Answer = Result | Sequence[Result | None]
"""What a rule of an op table gives back: one result, or several in order."""
FIXED = "fixed shapes are counted: export with constant shapes"


class Emitting:
    """A node of a file while it is translated: ``builder`` takes what it becomes, ``where`` is its place in words."""

    builder: GraphBuilder
    where: str

    def emit(self, kind: str, *inputs: Value | None, fmt: NumericFormat | None = None, **attributes: Attribute | None) -> Value:
        return self.builder.emit(kind, *inputs, fmt=fmt, **attributes)

    def elementwise(self, function: str, *inputs: Value, fmt: NumericFormat | None = None, **parameters: float | None) -> Value:
        return self.builder.elementwise(function, *inputs, fmt=fmt, **parameters)

    def scalar(self, number: float, like: Value) -> Value:
        """A literal of the operator's formula, in the format of an operand."""
        return self.builder.scalar(number, like.format)

    def expand(self, x: Value, shape: Shape) -> Value:
        return x if x.shape == shape else self.emit("move", x, op="expand", shape=shape)

    def slice(self, x: Value, axis: int, start: int, end: int, step: int = 1) -> Value:
        if (start, end, step) == (0, x.shape[axis], 1):
            return x
        return self.emit("move", x, op="slice", axes=(axis,), starts=(start,), ends=(end,), steps=(step,))

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from either end, as one counted from the front. A tensor of no axes has 0 and −1."""
        rank = max(rank, 1)
        if not -rank <= axis < rank:
            self.refuse(f"axis {axis} of a tensor of {rank} axes", f"lie between {-rank} and {rank - 1}")
        return axis % rank

    def refuse(self, got: str, should: str, advice: str = "") -> NoReturn:
        """Raises ``SubmissionFault`` with the node's place."""
        raise SubmissionFault(Problem(got, should, self.where, advice))


class Visit(Emitting):
    """The walk's visit to one operator. ``kind`` is the operator's name, ``where`` its place in words; ``items`` are its operands,
    ``None`` for one that is left out."""

    def __init__(self, walk: Walk, scope: Scope, step: Step, items: Results) -> None:
        self.walk, self.scope, self.step, self.items = walk, scope, step, items
        self.node: Any = step.node
        self.kind, self.builder = step.name, scope.builder
        self.where = self.builder.where

    def is_static(self) -> bool:
        """Whether no input of the model can change an operand of this node."""
        return all(item.static for item in self.items if item is not None)

    # Answers to the walk

    def check(self) -> None:
        """Compare the node with the operator's specification."""

    def may_fold(self) -> bool:
        """Whether the node may be shape arithmetic, if its operands are known."""
        return True

    def label(self, index: int) -> str:
        """What a constant is called that result ``index`` becomes."""
        return str(self.step.results[min(index, len(self.step.results) - 1)])

    def result(self, value: Value, index: int, known: Array | None) -> Operand:
        """A rule's value as an operand."""
        return computed(self.builder, value, self.is_static(), known)

    def finish(self) -> None:
        """Look once more at the node when its rule has answered."""

    def plain(self, item: Item, builder: GraphBuilder) -> Value:
        """The numbers of an operand that leaves a body, whose ``builder`` makes what is still to be made."""
        return tensor(item, self.where).value

    # Place

    def here(self) -> None:
        """Set the builder's place back to this node, after those of a body."""
        self.builder.at(self.step.source or self.step.name, self.step.place)

    def branch_name(self) -> str | None:
        """The name under which the predictor records what this branch does."""
        return None if self.scope.branches is None else f"{self.scope.branches}{self.step.label}"


class Op(Visit):
    """A visit to an operator whose operands stand in order. Methods raise ``SubmissionFault``."""

    # Operands

    def has(self, index: int) -> bool:
        return index < len(self.items) and self.items[index] is not None

    def item(self, index: int) -> Item:
        """A required operand of whatever sort."""
        item = self.items[index] if index < len(self.items) else None
        if item is None:
            self.refuse(f"no operand {index + 1}", "have one")
        return item

    def operand(self, index: int) -> Operand:
        """A required operand that is a tensor."""
        return tensor(self.item(index), self.where)

    def operands(self, start: int = 0, end: int | None = None) -> list[Operand]:
        return [self.operand(index) for index in range(start, len(self.items) if end is None else end)]

    def x(self, index: int = 0) -> Value:
        """The value of a required operand, as it is."""
        return self.operand(index).value

    def real(self, index: int = 0, order: Order | None = None) -> Value:
        """The numbers that an operand stands for, its axes in this order."""
        return self.operand(index).arranged(order)

    def maybe(self, index: int) -> Value | None:
        """The numbers of an optional operand."""
        return self.real(index) if self.has(index) else None

    def weight(self, index: int, order: Order) -> Value:
        """An operand that must have as many axes as ``order``, brought into it."""
        shape = self.operand(index).shape
        if len(shape) != len(order):
            self.refuse(f"a weight of shape {shape}", f"have {len(order)} axes")
        return self.real(index, order)

    def known(self, index: int, what: str) -> Array:
        """The numbers of an operand that describes the work; refused where the data decides them."""
        found = self.operand(index).known
        if found is None:
            self.refuse(f"{what} that the data decides", "be constant", FIXED)
        return found

    def known_ints(self, index: int, what: str = "a shape", default: Sequence[int] | None = None) -> tuple[int, ...]:
        """Whole numbers of an operand, ``default`` where it is absent."""
        if default is not None and not self.has(index):
            return tuple(default)
        return tuple(int(number) for number in self.known(index, what).reshape(-1))

    def known_int(self, index: int, what: str) -> int:
        numbers = self.known_ints(index, what)
        if len(numbers) != 1:
            self.refuse(f"{what} of {len(numbers)} numbers", "be one number")
        return numbers[0]

    def axes(self, index: int, rank: int) -> tuple[int, ...]:
        """Distinct axes given by an operand, in order."""
        return tuple(sorted({self.axis(axis, rank) for axis in self.known_ints(index, "axes")}))

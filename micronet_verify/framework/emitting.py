"""What the rules of every op table need of the node that they translate: to emit nodes, and to refuse."""

from __future__ import annotations

from typing import NoReturn

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Attribute, Shape, Value
from micronet_verify.framework.builder import GraphBuilder


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

    def slice(self, x: Value, axis: int, start: int, end: int) -> Value:
        if (start, end) == (0, x.shape[axis]):
            return x
        return self.emit("move", x, op="slice", axes=(axis,), starts=(start,), ends=(end,), steps=(1,))

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from either end, as one counted from the front."""
        if not -rank <= axis < max(rank, 1):
            self.refuse(f"axis {axis} of a tensor of {rank} axes", f"lie between {-rank} and {rank - 1}")
        return axis % max(rank, 1)

    def refuse(self, got: str, should: str, advice: str = "") -> NoReturn:
        """Raises ``SubmissionFault`` with the node's place."""
        raise SubmissionFault(Problem(got, should, self.where, advice))

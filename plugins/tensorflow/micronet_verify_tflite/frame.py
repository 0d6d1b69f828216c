"""One run through a subgraph: what each of its tensors stands for, and its operators as steps."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from micronet_verify.plugin import (
    SHAPE_TYPES,
    GraphBuilder,
    Item,
    Line,
    Operand,
    Order,
    Problem,
    Refusal,
    Results,
    Scope,
    Shape,
    Step,
    SubmissionFault,
    Unknown,
    Value,
    Walk,
    stored,
)
from micronet_verify_tflite.model import Model, Operator, Subgraph, Tensor
from micronet_verify_tflite.operands import Variable, scaling_of
from micronet_verify_tflite.places import place
from micronet_verify_tflite.stored import format_of
from micronet_verify_tflite.stored import stored as read

Table = Mapping[str, Line[Any] | Refusal]
_FLEX = "convert with the TFLITE_BUILTINS operators alone"


class Frame(Scope):
    """Names are numbers of tensors. ``table`` has the operators' lines."""

    def __init__(
        self, walk: Walk, model: Model, table: Table, number: int, builder: GraphBuilder, path: str = "", branches: str | None = None
    ) -> None:
        super().__init__(builder, path=path, branches=branches)
        self._walk, self.model, self._table = walk, model, table
        self.subgraph: Subgraph = model.subgraph(number)

    def steps(self) -> Iterator[Step]:
        """The operators, in order."""
        for number, operator in enumerate(self.subgraph.operators):
            name, standing = operator.custom or operator.kind, place(self.subgraph, operator, number, self.path)
            yield Step(name, standing, self._line(operator, name), _refs(operator.inputs), _refs(operator.outputs), operator, str(number))

    def _line(self, operator: Operator, name: str) -> Line[Any] | Refusal | Unknown:
        if operator.kind != "CUSTOM":
            return self._table.get(name, Unknown(f"the operator {name}"))
        return Unknown(f"the custom operator {name}", _FLEX if name.startswith("Flex") else "use builtin operators")

    def call(
        self, number: int, builder: GraphBuilder, arguments: Sequence[Item | None], where: str, branches: str | None = None
    ) -> Results:
        """The results of a subgraph that the operator at ``where`` calls; its nodes go to ``builder``."""
        frame = Frame(self._walk, self.model, self._table, number, builder, where, branches)
        inputs, outputs = frame.subgraph.inputs, frame.subgraph.outputs
        if len(inputs) != len(arguments):
            raise SubmissionFault(Problem(f"a subgraph with {len(inputs)} inputs", f"have {len(arguments)}", where))
        for index, argument in zip(inputs, arguments, strict=True):
            frame.define(index, argument)
        return self._walk.call(f"subgraph {number}", number, frame, frame.steps(), outputs, where)

    def missing(self, ref: Hashable) -> Item | None:
        """A constant or variable of the file, one and the same wherever a loop comes by again."""
        tensor = self.tensor(ref)
        if not tensor.constant and not tensor.variable:
            # The converter writes an operand that is left out as a tensor of no elements.
            return None if 0 in tensor.shape else super().missing(ref)
        if tensor.variable:
            self.items[ref] = self._variable(tensor)
        else:
            self.items[ref] = self._walk.constant((self.subgraph.number, ref), lambda: self._constant(tensor))
        return self.items[ref]

    def define(self, ref: Hashable, item: Item | None) -> None:
        """Compare the shape with the one that the file declares."""
        tensor = self.tensor(ref)
        if tensor.constant:
            raise SubmissionFault(Problem(f"a second value called {tensor.name!r}", "be defined once", self.builder.where))
        super().define(ref, item)
        if isinstance(item, Operand) and self.builder.batch == 1 and not _agrees(tensor, item.shape):
            got = f"a tensor {tensor.name!r} that is declared as {tensor.declared}"
            raise SubmissionFault(Problem(got, f"be {item.shape}, as computed", self.builder.where))

    def named(self, ref: Hashable) -> str:
        return repr(self.tensor(ref).name)

    def tensor(self, ref: Hashable) -> Tensor:
        assert isinstance(ref, int)
        return self.subgraph.tensors[ref]

    def _constant(self, tensor: Tensor) -> Operand:
        found = read(self.model, tensor)
        scaling = scaling_of(tensor, self._walk.builder, self._walk.file, found.shape)
        plain = scaling is None and (found.format.name in SHAPE_TYPES or found.format.name == "float32")
        return stored(self._walk.builder, found, tensor.name, small=plain, scaling=scaling)

    def _variable(self, tensor: Tensor) -> Variable:
        if tensor.constant:
            raise SubmissionFault(Problem("a variable with values of its own", "start from zeros", f"tensor {tensor.name!r}"))
        builder, fmt, shape = self._walk.builder, format_of(tensor), tensor.shape

        def zeros(order: Order | None) -> Value:
            sizes = shape if order is None else tuple(shape[axis] for axis in order)
            return builder.emit("move", builder.scalar(0, fmt), op="expand", shape=sizes)

        return Variable(Operand(shape, fmt, zeros, scaling=scaling_of(tensor, builder, self._walk.file, shape)))


def _refs(indices: Sequence[int]) -> tuple[int | None, ...]:
    return tuple(index if index >= 0 else None for index in indices)


def _agrees(tensor: Tensor, shape: Shape) -> bool:
    """Whether the declared shape is the computed one, as far as anything is declared."""
    declared = tensor.declared
    if not declared:
        return True
    return len(declared) == len(shape) and all(size in (-1, found) for size, found in zip(declared, shape, strict=True))

"""Walks a TFLite model operator by operator and emits the neutral graph; faults are collected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import FLOAT32
from micronet_verify.facts.graph import Graph, Shape, Value
from micronet_verify.facts.shapes import ShapeError
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.op_lines import Line, Refusal
from micronet_verify_tflite.fold import fold, is_shape
from micronet_verify_tflite.model import Model, Operator, Subgraph, Tensor
from micronet_verify_tflite.op import Op, Result, Rule
from micronet_verify_tflite.op_table import TABLE
from micronet_verify_tflite.operands import Operand, computed, constant, folded, scaling_of
from micronet_verify_tflite.places import place
from micronet_verify_tflite.stored import format_of, stored

# Loops and subgraphs that call each other can make a small file as long as one likes.
MOST_NODES = 100_000
DEEPEST = 20
_ADVICE = "see the plugin's README for the list"
_FLEX = "convert with the TFLITE_BUILTINS operators alone"


class Frame:
    """One run through a subgraph: what each of its tensors stands for. ``None``: the operator that makes it was at fault.

    ``path`` are the calls around it, for places; ``branches`` what the names of branches begin with here, ``None`` where a
    node may run more than once and no record can tell the runs apart.
    """

    def __init__(
        self, translator: Translator, subgraph: Subgraph, builder: GraphBuilder, path: str = "", branches: str | None = None
    ) -> None:
        self.translator, self.subgraph, self.builder, self.path, self.branches = translator, subgraph, builder, path, branches
        self.tensors: dict[int, Operand | None] = {}

    def find(self, index: int) -> Operand | None:
        """What a tensor stands for. Raises ``SubmissionFault`` if nothing computes it before."""
        if index not in self.tensors:
            tensor = self.subgraph.tensors[index]
            if not tensor.constant and not tensor.variable:
                if _is_empty(tensor):
                    return None
                raise SubmissionFault(
                    Problem(f"an operand {tensor.name!r} that nothing computes before", "be computed before", self.builder.where)
                )
            self.tensors[index] = self.translator.constant(self.subgraph, index)
        return self.tensors[index]

    def define(self, index: int, operand: Operand | None) -> None:
        """Give a tensor its one meaning, and compare its shape with the one that the file declares."""
        tensor = self.subgraph.tensors[index]
        if index in self.tensors or tensor.constant:
            raise SubmissionFault(Problem(f"a second value for the tensor {tensor.name!r}", "be computed once", self.builder.where))
        self.tensors[index] = operand
        if operand is not None and self.builder.batch == 1 and not _agrees(tensor, operand.shape):
            raise SubmissionFault(
                Problem(
                    f"a tensor {tensor.name!r} that is declared as {tensor.declared}",
                    f"be {operand.shape}, as computed",
                    self.builder.where,
                )
            )


def _is_empty(tensor: Tensor) -> bool:
    """A tensor of no elements, as the converter writes an operand that is left out."""
    return 0 in tensor.shape


class Translator:
    """Translates one model. ``problems`` collects every fault; nodes behind a fault are passed over in silence."""

    def __init__(self, model: Model, builder: GraphBuilder) -> None:
        self.model, self.constants, self.file = model, builder, model.name
        self._constants: dict[tuple[int, int], Operand] = {}
        self.problems: list[Problem] = []
        self.active: list[int] = []
        self.translated = 0

    def graph(self) -> Graph:
        """The whole model. Raises ``SubmissionFault`` with all problems together."""
        main = self.model.subgraph(0)
        if len(self.model.signatures) > 1:
            names = ", ".join(repr(key) for key, _ in self.model.signatures)
            first = next((repr(key) for key, number in self.model.signatures if number == 0), "the first subgraph")
            self.constants.note(f"the file has {len(self.model.signatures)} signatures ({names}); what is counted and runs is {first}")
        frame = Frame(self, main, self.constants, branches="")
        self._inputs(frame)
        self.active.append(0)
        self.operators(frame)
        outputs = self._outputs(frame)
        if self.problems:
            raise SubmissionFault(dict.fromkeys(self.problems))
        return self.constants.finish(outputs)

    def run(
        self, number: int, builder: GraphBuilder, arguments: Sequence[Operand | None], where: str, branches: str | None
    ) -> list[Operand | None]:
        """The results of a subgraph that is called with ``arguments``; its nodes go to ``builder``."""
        if number in self.active or len(self.active) >= DEEPEST:
            raise SubmissionFault(Problem(f"a subgraph {number} that calls itself", "end", where))
        subgraph = self.model.subgraph(number)
        if len(subgraph.inputs) != len(arguments):
            raise SubmissionFault(Problem(f"a subgraph with {len(subgraph.inputs)} inputs", f"have {len(arguments)}", where))
        frame = Frame(self, subgraph, builder, where, branches)
        for index, argument in zip(subgraph.inputs, arguments, strict=True):
            frame.define(index, argument)
        self.active.append(number)
        try:
            self.operators(frame)
        finally:
            self.active.pop()
        return [frame.find(index) for index in subgraph.outputs]

    def operators(self, frame: Frame) -> None:
        for number, operator in enumerate(frame.subgraph.operators):
            self._operator(frame, operator, number)

    @contextmanager
    def collecting(self, frame: Frame, outputs: Sequence[int], where: str) -> Iterator[None]:
        """Keeps a fault for the end and marks ``outputs``, which it should have defined, as faulty."""
        try:
            yield
            return
        except SubmissionFault as fault:
            if self.translated > MOST_NODES:
                raise
            self.problems.extend(fault.problems)
        except ShapeError as error:
            self.problems.append(error.at(where))
        except (ValueError, TypeError, IndexError, ArithmeticError, MemoryError) as error:
            detail = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.problems.append(Problem(f"operands that do not fit ({detail})", "follow the operator's specification", where))
        for index in outputs:
            if index >= 0:
                frame.tensors[index] = None

    def constant(self, subgraph: Subgraph, index: int) -> Operand:
        """A constant or variable of the file, one and the same wherever a loop comes by again."""
        key = (subgraph.number, index)
        if key not in self._constants:
            self._constants[key] = self._constant(subgraph.tensors[index])
        return self._constants[key]

    def load(self, tensor: Tensor) -> NDArray[Any]:
        """The values, or codes, of a constant."""
        return stored(self.model, tensor).load()

    def _constant(self, tensor: Tensor) -> Operand:
        if tensor.constant:
            if tensor.variable:
                where = f"tensor {tensor.name!r}"
                raise SubmissionFault(Problem("a variable with values of its own", "start from zeros", where))
            found = stored(self.model, tensor)
            return constant(self.constants, found, tensor.name, scaling_of(tensor, self.constants, self.file, found.shape))
        fmt, shape = format_of(tensor), tensor.shape

        def zeros(perm: tuple[int, ...]) -> Value:
            zero = self.constants.scalar(0, fmt)
            return self.constants.emit("move", zero, op="expand", shape=tuple(shape[axis] for axis in perm))

        scaling = scaling_of(tensor, self.constants, self.file, shape)
        return Operand(shape, fmt, zeros, scaling=scaling, variable=True)

    def _inputs(self, frame: Frame) -> None:
        for index in frame.subgraph.inputs:
            tensor = frame.subgraph.tensors[index] if index >= 0 else None
            if tensor is None:
                self.problems.append(Problem("an input that is left out", "be a tensor", self.file))
                continue
            where = f"input {tensor.name!r}"
            self.constants.at("input", tensor.name)
            with self.collecting(frame, (index,), where):
                frame.define(index, self._input(tensor, where))
        if not frame.subgraph.inputs:
            self.problems.append(Problem("a model without inputs", "have one", self.file))

    def _input(self, tensor: Tensor, where: str) -> Operand:
        """A quantized input takes floats and quantizes them, which is what the predictor does."""
        shape, fmt = input_shape(tensor, where, self.constants.batch), format_of(tensor)
        scaling = scaling_of(tensor, self.constants, self.file, shape)
        value = self.constants.input(shape, fmt if scaling is None else FLOAT32, tensor.name)
        if scaling is not None:
            value = self.constants.emit("quantize", value, scaling.scale(), *scaling.zero(), fmt=fmt, axis=scaling.axis, rounding="away")
        return computed(self.constants, value, scaling=scaling)

    def _outputs(self, frame: Frame) -> list[Value]:
        found: list[Value] = []
        for index in frame.subgraph.outputs:
            self.constants.at("output", frame.subgraph.tensors[index].name if index >= 0 else "")
            with self.collecting(frame, (), f"output {index}"):
                operand = frame.find(index) if index >= 0 else None
                if operand is not None and not self.problems:
                    scaling = operand.scaling
                    value = operand.value
                    if scaling is not None:
                        value = self.constants.emit("dequantize", value, scaling.scale(), *scaling.zero(), axis=scaling.axis)
                    found.append(value)
        if not frame.subgraph.outputs:
            self.problems.append(Problem("a model without outputs", "have one", self.file))
        return found

    def _operator(self, frame: Frame, operator: Operator, number: int) -> None:
        self.translated += 1
        if self.translated > MOST_NODES:
            raise SubmissionFault(
                [*self.problems, Problem(f"more than {MOST_NODES:,} operators once loops are written out", "be fewer", self.file)]
            )
        builder, outputs = frame.builder, operator.outputs
        builder.at(operator.custom or operator.kind, place(frame.subgraph, operator, number, frame.path))
        where = builder.where
        with self.collecting(frame, outputs, where):
            line = _line(operator, where)
            for index in operator.inputs:
                if index >= 0:
                    frame.find(index)
            if any(frame.tensors.get(index, frame) is None for index in operator.inputs):
                # What it needs was refused, and that is reported already.
                results: Sequence[Operand | None] = [None] * len(outputs)
            else:
                results = _results(Op(self, frame, operator, number), line)
            if len(results) < len(outputs):
                raise SubmissionFault(Problem(f"{len(outputs)} results of {operator.kind}", f"have {len(results)}", where))
            for index, result in zip(outputs, results, strict=False):
                if index >= 0:
                    frame.define(index, result)


def _line(operator: Operator, where: str) -> Line[Rule]:
    name = operator.custom or operator.kind
    if operator.kind == "CUSTOM":
        advice = _FLEX if name.startswith("Flex") else "use builtin operators"
        raise SubmissionFault(Problem(f"the custom operator {name}", "be an operator that this counter can price", where, advice))
    line = TABLE.get(name)
    if line is None:
        raise SubmissionFault(Problem(f"the operator {name}", "be an operator that this counter can price", where, _ADVICE))
    if isinstance(line, Refusal):
        raise SubmissionFault(Problem(f"{name}: {line.reason}", "be an operator that this counter can price", where, line.advice))
    return line


def _results(op: Op, line: Line[Rule]) -> list[Operand | None]:
    """Shape arithmetic is folded; everything else is emitted, and small results of constants keep their numbers."""
    known = fold(op)
    if known is not None and all(is_shape(array) for array in known):
        return [folded(op.builder, array, op.out(index).name) for index, array in enumerate(known)]
    answer: Result | Sequence[Result | None] = line.rule(op)
    results = [answer] if isinstance(answer, Value | Operand) else list(answer)
    made: list[Operand | None] = []
    for index, result in enumerate(results[: len(op.operator.outputs)]):
        operand = op.quantized(result, index) if isinstance(result, Value) else result
        if known is not None and operand is not None and index < len(known) and operand.scaling is None:
            operand = computed(op.builder, operand.value, True, np.asarray(known[index]))
        made.append(operand)
    return made


def input_shape(tensor: Tensor, where: str, batch: int = 1) -> Shape:
    """The shape of an input; the first axis, where it is free, is the batch. Raises ``SubmissionFault``."""
    declared = tensor.declared or ()
    if not declared:
        raise SubmissionFault(Problem("an input without a batch axis", "have a shape whose first axis is the batch", where))
    problems = []
    if declared[0] not in (-1, 1):
        advice = "convert with batch size 1, or None for a free one"
        problems.append(Problem(f"a fixed batch of {declared[0]}", "be 1 or free (dynamic)", where, advice))
    for axis, size in enumerate(declared[1:], 1):
        if size < 1:
            got = f"a free axis {axis}" if size == -1 else f"size {size} on axis {axis}"
            should = "have a fixed size" if size == -1 else "be at least 1"
            problems.append(Problem(got, should, where, "convert with fixed sizes; only the batch may be free" if size == -1 else ""))
    if problems:
        raise SubmissionFault(problems)
    return (batch if declared[0] == -1 else 1, *declared[1:])


def _agrees(tensor: Tensor, shape: Shape) -> bool:
    """Whether the declared shape is the computed one, as far as anything is declared."""
    declared = tensor.declared
    if not declared:
        return True
    return len(declared) == len(shape) and all(size in (-1, found) for size, found in zip(declared, shape, strict=True))

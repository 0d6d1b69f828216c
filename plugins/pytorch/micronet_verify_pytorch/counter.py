"""Translates a ``.pt2`` archive into the neutral graph, step by step, as data. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

from micronet_verify.plugin import (
    Array,
    Folds,
    Graph,
    GraphBuilder,
    Item,
    NoTensor,
    Operand,
    Problem,
    SubmissionFault,
    TranslateRequest,
    Value,
    Walk,
    branch_names,
    computed,
)
from micronet_verify_pytorch.archive import Constant
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.inputs import bind_batch
from micronet_verify_pytorch.names import FUNCTIONAL, Names, Number
from micronet_verify_pytorch.numbers import numbers_of, read
from micronet_verify_pytorch.op_table import lookup
from micronet_verify_pytorch.program import Body, Program, Ref, read_program
from micronet_verify_pytorch.unwritten import check_written, follow

TRAINING = "in training mode"


class View(Call):
    """A call that also follows memory to which nothing was written, and numbers that constants make."""

    def result(self, value: Value, index: int, known: Array | None) -> Operand:
        if index == 0:
            follow(self, value)
        return super().result(value, index, numbers_of(self, value))

    def plain(self, item: Item, builder: GraphBuilder) -> Value:
        value = super().plain(item, builder)
        check_written(self.scope, value)
        return value


class PyTorchCounter:
    """The ``Counter`` of ``.pt2`` archives."""

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        return translate(read_program(request.artifact), builder)


def names_of_branches(program: Program) -> Collection[str]:
    """Names of the branches that the data decides."""
    carried = any(isinstance(argument, Body) for step in program.graph.steps for argument in step.positional)
    return branch_names(lambda: translate(program, GraphBuilder(None))) if carried else ()


def translate(program: Program, builder: GraphBuilder) -> Graph:
    """The whole program. Raises ``SubmissionFault`` with all problems together."""
    walk = Walk(program.path.name, builder, View, Folds({}, {}))
    names = Names(walk, program.graph, builder, lookup, bind_batch(program, builder.batch, builder.chunk))
    for name in program.graph.inputs:
        walk.input(names, name, name, partial(_input, walk, program, names, name))
    walk.main("main", names, names.steps())
    found = walk.faults.problems
    if any(TRAINING in problem.got for problem in found):
        # Batch norms in training mode change their statistics in place; out of training mode they do not.
        found[:] = [problem for problem in found if problem.advice != FUNCTIONAL]
    tensors = [output.name for output in program.graph.outputs if isinstance(output, Ref)]
    outputs = [walk.output(names, name, name, partial(_output, names)) for name in tensors]
    return walk.graph(len(program.inputs), outputs)


def _input(walk: Walk, program: Program, names: Names, name: str) -> Item:
    """What an input of the graph stands for: a tensor of the archive, a number, or what the user gives."""
    builder = walk.builder
    if name in program.literals:
        return Number(program.literals[name])
    if name in program.constants:
        return walk.constant(name, partial(_constant, program.path, program.constants[name], builder))
    fmt, where = program.graph.metas[name].format, f"input {name!r}"
    if fmt is None:
        raise SubmissionFault(Problem("an input of complex numbers", "be of real ones", where))
    return computed(builder, builder.input(names.declared(name, where), fmt, name))


def _constant(path: Path, constant: Constant, builder: GraphBuilder) -> Operand:
    """It has its place in the graph whether something reads it or not."""
    value = builder.constant_at(path.name, constant.offset, constant.shape, constant.format, constant.fqn, constant.strides)
    operand = computed(builder, value, True, read(path, constant))
    assert operand.value is value  # it is made, so that a loop that looks for its numbers finds them
    return operand


def _output(names: Names, item: Item) -> Value:
    if isinstance(item, NoTensor):
        raise SubmissionFault(Problem(f"an output that is {item.got}", item.should, names.builder.where))
    check_written(names, item.value)
    return item.value

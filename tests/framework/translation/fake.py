"""A tiny framework of dictionaries: what a plugin hands to the walk, with no file and no framework behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from micronet_verify.facts.graph import Graph, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation import elementwise
from micronet_verify.framework.translation.bodies import branch
from micronet_verify.framework.translation.folding import Folds
from micronet_verify.framework.translation.loop_node import Loop, Turn
from micronet_verify.framework.translation.loops import loop
from micronet_verify.framework.translation.op import Op
from micronet_verify.framework.translation.operand import NoTensor, Operand, Result, Results, computed, folded
from micronet_verify.framework.translation.scope import Scope
from micronet_verify.framework.translation.shape_arithmetic import named
from micronet_verify.framework.translation.step import Step
from micronet_verify.framework.translation.table import Line, Refusal, Unknown, moves, priced
from micronet_verify.framework.translation.walk import Walk

SHAPE = (1, 4)


@dataclass(frozen=True)
class Node:
    """An operator; ``bodies`` are names of functions."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    bodies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Function:
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]


def line(text: str) -> Node:
    """``y = relu x``, ``y = if[then,else] p x``, ``y, i = while[test,body] x i``."""
    left, _, right = text.partition(" = ")
    kind, *inputs = right.split()
    name, _, bodies = kind.rstrip("]").partition("[")
    return Node(name, tuple(inputs), tuple(left.split(", ")), tuple(bodies.split(",")) if bodies else ())


def function(inputs: str, outputs: str, *nodes: str) -> Function:
    return Function(tuple(inputs.split()), tuple(outputs.split()), tuple(map(line, nodes)))


class Handle(NoTensor):
    got = "the handle of a variable"


class Frame(Scope):
    """Names that are numbers are constants: ``3`` an int64, ``3.0`` a float32, ``true`` a truth value."""

    def __init__(self, walk: Walk, model: Mapping[str, Function], name: str, builder: GraphBuilder, branches: str | None) -> None:
        super().__init__(builder, branches=branches)
        self.walk, self.model, self.function = walk, model, model[name]

    def steps(self) -> Iterator[Step]:
        for number, node in enumerate(self.function.nodes):
            found = TABLE.get(node.kind, Unknown(f"the operator {node.kind}"))
            yield Step(node.kind, f"n{number}", found, node.inputs, node.outputs, node, str(number))

    def missing(self, ref: Any) -> Any:
        try:
            number = np.array(ref == "true") if ref in ("true", "false") else np.array(int(ref), np.int64)
        except ValueError:
            try:
                number = np.array(float(ref), np.float32)
            except ValueError:
                return super().missing(ref)
        return self.walk.constant(ref, lambda: folded(self.walk.builder, number, ref))

    def call(self, name: str, builder: GraphBuilder, arguments: Results, where: str, branches: str | None = None) -> Results:
        inner = Frame(self.walk, self.model, name, builder, branches)
        for formal, actual in zip(inner.function.inputs, arguments, strict=True):
            inner.define(formal, actual)
        return self.walk.call(f"function {name!r}", name, inner, inner.steps(), inner.function.outputs, where)


class View(Op):
    scope: Frame
    node: Node


def _call(op: View) -> Results:
    found = op.scope.call(op.node.bodies[0], op.builder, op.items, op.where)
    op.here()
    return found


def _if(op: View) -> Sequence[Result | None]:
    return branch(
        op, op.operand(0), lambda side, builder, names: op.scope.call(op.node.bodies[side], builder, op.items[1:], op.where, names)
    )


def _while(op: View) -> Results:
    test, body = op.node.bodies

    def turn(builder: GraphBuilder, number: Operand, state: Results, slices: list[Operand]) -> Turn | None:
        after = op.scope.call(body, builder, state, op.where)
        return None if None in after else Turn(op.scope.call(test, builder, after, op.where)[0], after, [])

    return loop(op, Loop(turn, op.items, op.scope.call(test, op.builder, op.items, op.where)[0]))


def _shape(op: View) -> Value:
    return op.builder.constant(np.array(op.operand(0).shape))


TABLE: Mapping[str, Line[Any] | Refusal] = {
    "add": priced(elementwise.binary("add")),
    "and": priced(elementwise.predicate("and")),
    "call": moves(_call, "inlined"),
    "greater": priced(elementwise.predicate("greater")),
    "handle": moves(lambda op: Handle(), "a variable"),
    "if": moves(_if, "both bodies"),
    "less": priced(elementwise.predicate("less")),
    "most": priced(lambda op: op.emit("reduce", op.x(), op="max", axes=(0, 1), keepdims=False)),
    "mul": priced(elementwise.binary("mul")),
    "not_equal": priced(elementwise.predicate("not_equal")),
    "random": Refusal("random numbers", "store them"),
    "relu": priced(elementwise.unary("relu")),
    "same": moves(lambda op: op.operand(0), "the operand"),
    "shape": moves(_shape, "folded"),
    "strange": priced(lambda op: op.walk.nothing),
    "tanh": priced(elementwise.unary("tanh")),
    "while": moves(_while, "turns"),
}
FOLDS = Folds(
    named("add=add and=and less=less mul=mul not_equal=not_equal greater=greater"), {"shape": lambda op: np.array(op.operand(0).shape)}
)


def translated(model: Mapping[str, Function], walk: Walk | None = None) -> Graph:
    """The graph of ``main``, whose inputs are [1, 4] floats. Raises ``SubmissionFault``."""
    walk = walk or Walk("fake", GraphBuilder(None), View, FOLDS)
    frame = Frame(walk, model, "main", walk.builder, "")
    for name in frame.function.inputs:
        walk.input(frame, name, name, lambda name=name: computed(walk.builder, walk.builder.input(SHAPE, label=name)))
    walk.main("main", frame, frame.steps())
    return walk.graph(
        len(frame.function.inputs), [walk.output(frame, name, name, lambda item: item.value) for name in frame.function.outputs]
    )

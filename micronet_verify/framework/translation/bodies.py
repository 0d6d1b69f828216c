"""Branches: a constant choice picks its body, a choice of the data is a ``branch`` that the predictor records (rule O13)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from micronet_verify.errors import SubmissionFault
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.nested import branch_ids
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.op import Visit
from micronet_verify.framework.translation.operand import Item, Operand, Result, Results

SIDES = ("then", "else")
NOT_REACHED = -1
"""What the predictor records for an example that did not come by a branch."""

Run = Callable[[int, GraphBuilder, str | None], Results]
"""Translates body 0 (where the predicate holds) or 1 into a builder; the text begins the names of branches inside it."""


def branch(op: Visit, predicate: Operand, run: Run, value: Value | None = None) -> Sequence[Result | None]:
    """If: the body that a constant predicate picks, else both. ``value``: the predicate's, where it is not the operand's own."""
    name = op.branch_name()

    def side(number: int, builder: GraphBuilder) -> Results:
        results = run(number, builder, inside(name, number))
        op.here()
        return results

    if predicate.known is not None:
        return side(0 if predicate.known.reshape(-1)[0] else 1, op.builder)
    predicate_value = predicate.value if value is None else value
    if op.walk.turns and _of_the_turn(op, predicate_value):
        op.refuse("a branch that the number of the turn decides", "be the same in every turn")
    graphs, faults = [], len(op.walk.faults.problems)
    for number in range(len(SIDES)):
        builder = op.builder.body()
        results = side(number, builder)
        if None in results or len(op.walk.faults.problems) > faults:
            return [None] * max(len(results), len(op.step.results))
        graphs.append(finished(op, builder, results))
    returned = [[graph.values[key] for key in graph.outputs] for graph in graphs]
    if len({tuple((each.shape, each.format) for each in values) for values in returned}) > 1:
        op.refuse(f"branches that return {_said(returned[0])} and {_said(returned[1])}", "return the same shapes and types")
    if name in op.walk.branches:
        op.refuse(f"a second branch called {name!r}", "have a name of its own")
    op.walk.branches |= {name} if name is not None else set()
    attributes = {} if name is None else {"id": name}
    return op.builder.emit_bodies("branch", (predicate_value,), graphs, **attributes)


def _of_the_turn(op: Visit, predicate: Value) -> bool:
    """Whether nothing but constants and the number of a turn decides a predicate."""
    known, pending, found = op.walk.known_constants(), [predicate.id], False
    while pending:
        name = pending.pop()
        node = op.builder.maker_of(name)
        found |= name in op.walk.turns
        if node is not None:
            pending += [operand for operand in node.inputs if operand]
        elif name not in op.walk.turns and name not in op.builder.decoded and name not in known:
            return False
    return found


def inside(name: str | None, side: int) -> str | None:
    """What the names of branches begin with inside a body of the branch ``name``."""
    return None if name is None else f"{name}/{SIDES[side]}/"


def finished(op: Visit, builder: GraphBuilder, results: Sequence[Item | None]) -> Graph:
    """A body as a graph. A value from outside passes through a node of its own."""
    values = [op.plain(item, builder) for item in results if item is not None]
    return builder.finish([value if builder.owns(value) else builder.emit("move", value, op="identity") for value in values])


def branch_names(translate: Callable[[], Graph]) -> frozenset[str]:
    """Names of the branches that the data decides. A model that the counter refuses has none here: its count fails anyway."""
    try:
        return frozenset(branch_ids(translate()))
    except SubmissionFault:
        return frozenset()


def _said(values: Sequence[Value]) -> str:
    return ", ".join(f"{value.format}{value.shape}" for value in values) or "nothing"

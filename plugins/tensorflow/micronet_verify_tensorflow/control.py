"""Calls, If and While: calls are inlined, a constant choice picks its branch, a loop of known length is written out."""

from __future__ import annotations

from collections.abc import Sequence

from micronet_verify.facts.graph import Graph
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_tensorflow.op import Op
from micronet_verify_tensorflow.operands import Item, Operand

_ADVICE = "give the loop a constant number of turns: a fixed sequence length, and no mask that stops it"


def call(op: Op) -> Sequence[Item | None]:
    """PartitionedCall and StatefulPartitionedCall."""
    return op.translator.call(op, op.function("f"), op.items)


def while_(op: Op) -> Sequence[Item | None]:
    """While, turned as long as shape arithmetic says that its condition holds."""
    condition, body = op.function("cond"), op.function("body")
    state: list[Item] = list(op.items)
    count = len(op.translator.program.functions[body].nodes) if body in op.translator.program.functions else 0
    turns = 0
    while _holds(op, condition, state):
        found = op.translator.call(op, body, state, branches=False)
        if len(found) != len(state):
            op.refuse(f"a body of {len(found)} results", f"have {len(state)}")
        present = [item for item in found if item is not None]
        if len(present) != len(found):
            return [None] * len(state)
        state, turns = present, turns + 1
        if turns * max(count, 1) > MOST_TURNED:
            op.refuse(f"a loop of more than {turns:,} turns of {count} nodes", f"come to at most {MOST_TURNED:,} nodes", _ADVICE)
    return state


MOST_TURNED = 60_000


def _holds(op: Op, condition: str, state: Sequence[Item]) -> bool:
    found = op.translator.call(op, condition, state, branches=False)
    item = found[0] if found else None
    if not isinstance(item, Operand) or item.known is None:
        op.refuse("a loop whose number of turns the data decides", "turn a constant number of times", _ADVICE)
    return bool(item.known.reshape(-1)[0])


def if_(op: Op) -> Sequence[Item | None]:
    """If: the branch that a constant predicate picks, else both, and the predictor records which one was taken."""
    predicate, operands = op.operand(0), op.items[1:]
    names = op.function("then_branch"), op.function("else_branch")
    if predicate.known is not None:
        return op.translator.call(op, names[0 if predicate.known.reshape(-1)[0] else 1], operands, branches=False)
    graphs: list[Graph] = []
    for name in names:
        builder = op.builder.body()
        graph = _finished(op, builder, op.translator.call(op, name, operands, builder, branches=False))
        if graph is None:
            return [None] * len(op.translator.program.functions[name].results)
        graphs.append(graph)
    shapes = [[graph.values[output].shape for output in graph.outputs] for graph in graphs]
    if shapes[0] != shapes[1]:
        op.refuse(f"branches that return {shapes[0]} and {shapes[1]}", "return the same shapes")
    value = predicate.value if not predicate.shape else op.builder.reshape(predicate.value, ())
    attributes = {"id": f"{op.scope.path}{op.node.name}"} if op.scope.branches else {}
    made = op.builder.emit_bodies("branch", (value,), graphs, **attributes)
    return [Operand(value.shape, value.format, value=value) for value in made]


def _finished(op: Op, builder: GraphBuilder, results: Sequence[Item | None]) -> Graph | None:
    """The branch as a graph; ``None`` if a node of it was refused. A value from outside passes through a node of its own."""
    values = []
    for item in results:
        if item is None:
            return None
        if not isinstance(item, Operand):
            op.refuse("a branch that returns no tensor", "return tensors")
        values.append(item.value)
    own = builder.finish([]).values
    return builder.finish([value if value.id in own else builder.emit("move", value, op="identity") for value in values])

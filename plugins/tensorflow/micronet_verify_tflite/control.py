"""IF and WHILE: a constant choice picks its subgraph, a loop whose turns constants decide is written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from micronet_verify.facts.graph import Graph, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_tflite.operands import Operand

if TYPE_CHECKING:
    from micronet_verify_tflite.op import Op

SIDES = ("then", "else")
UNROLLED = 20_000
_ADVICE = "loop over constant counters, or convert recurrent layers to UNIDIRECTIONAL_SEQUENCE_LSTM"

Results = list[Operand | None]


def if_(op: Op) -> Sequence[Operand | Value | None]:
    """IF: the subgraph that a constant condition picks, else both as a ``branch``. Codes pass as numbers."""
    numbers = op.integer("then_subgraph_index"), op.integer("else_subgraph_index")
    condition, arguments = op.required(0), op.operands[1:]
    name = None if op.frame.branches is None else f"{op.frame.branches}{op.number}"
    if condition.known is not None:
        chosen = 0 if condition.known.reshape(-1)[0] else 1
        results = op.translator.run(numbers[chosen], op.builder, arguments, op.where, None if name is None else f"{name}/{SIDES[chosen]}/")
        return _back(op, results)
    graphs: list[Graph] = []
    for side, number in zip(SIDES, numbers, strict=True):
        builder = op.builder.body()
        results = op.translator.run(number, builder, arguments, op.where, None if name is None else f"{name}/{side}/")
        graph = _finished(op, builder, results)
        if graph is None:
            return [None] * len(op.operator.outputs)
        graphs.append(graph)
    _here(op)
    shapes = [[(graph.values[key].shape, graph.values[key].format) for key in graph.outputs] for graph in graphs]
    if shapes[0] != shapes[1]:
        op.refuse(f"branches that return {_said(shapes[0])} and {_said(shapes[1])}", "return the same shapes and types")
    return op.builder.emit_bodies("branch", (condition.value,), graphs, **({} if name is None else {"id": name}))


def while_(op: Op) -> Sequence[Operand | Value | None]:
    """WHILE: turns for as long as a condition holds that constants decide."""
    test, body = op.integer("cond_subgraph_index"), op.integer("body_subgraph_index")
    state: Results = list(op.operands)
    start, turns = op.translator.translated, 0
    while True:
        condition = op.translator.run(test, op.builder, state, op.where, None)
        if len(condition) != 1:
            op.refuse(f"a condition of {len(condition)} results", "have one")
        if condition[0] is None:
            return [None] * len(op.operator.outputs)
        if condition[0].known is None:
            op.refuse("a loop whose turns the data decides", "turn a constant number of times", _ADVICE)
        if not condition[0].known.reshape(-1)[0]:
            return _back(op, state)
        turns += 1
        if max(turns, op.translator.translated - start) > UNROLLED:
            op.refuse(f"a loop of more than {UNROLLED:,} operators once it is written out", "be shorter", _ADVICE)
        before = [None if operand is None else operand.shape for operand in state]
        state = op.translator.run(body, op.builder, state, op.where, None)
        if None in state:
            return [None] * len(op.operator.outputs)
        after = [None if operand is None else operand.shape for operand in state]
        if before != after:
            op.refuse(f"carried values of shape {before} that become {after}", "keep their shapes")


def _back(op: Op, results: Results) -> Results:
    _here(op)
    return results


def _here(op: Op) -> None:
    """Sets the builder's place back to this operator, after those of a subgraph."""
    op.builder.at(op.kind, op.where.partition(" in ")[2])


def _finished(op: Op, builder: GraphBuilder, results: Results) -> Graph | None:
    """A body as a graph; ``None`` if an operator of it was refused. A value from outside passes through a node of its own."""
    if None in results:
        return None
    values = []
    for operand in results:
        assert operand is not None
        value = operand.value
        if operand.scaling is not None:
            value = builder.emit("dequantize", value, operand.scaling.scale(), *operand.scaling.zero(), axis=operand.scaling.axis)
        values.append(value)
    own = builder.finish([]).values
    return builder.finish([value if value.id in own else builder.emit("move", value, op="identity") for value in values])


def _said(found: Sequence[tuple[object, object]]) -> str:
    return ", ".join(f"{kind}{shape}" for shape, kind in found) or "nothing"

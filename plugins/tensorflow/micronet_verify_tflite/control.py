"""IF and WHILE: a constant choice picks its subgraph, a loop whose turns constants decide is written out or counted as one."""

from __future__ import annotations

from collections.abc import Sequence

from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.bodies import branch
from micronet_verify.framework.translation.loops import Loop, Turn, loop
from micronet_verify.framework.translation.operand import Item, Operand, Result, Results
from micronet_verify_tflite.op import Op


def if_(op: Op) -> Sequence[Result | None]:
    """IF: condition, operands of both subgraphs."""
    numbers = op.integer("then_subgraph_index"), op.integer("else_subgraph_index")
    return branch(op, op.operand(0), lambda side, builder, names: op.scope.call(numbers[side], builder, op.items[1:], op.where, names))


def while_(op: Op) -> Sequence[Result | None]:
    """WHILE: turns for as long as its condition holds."""
    test, body = op.integer("cond_subgraph_index"), op.integer("body_subgraph_index")

    def holds(builder: GraphBuilder, state: Results) -> Item | None:
        found = op.scope.call(test, builder, state, op.where)
        if len(found) != 1:
            op.refuse(f"a condition of {len(found)} results", "have one")
        return found[0]

    def turn(builder: GraphBuilder, number: Operand, state: Results, slices: list[Operand]) -> Turn | None:
        after = op.scope.call(body, builder, state, op.where)
        going = None if None in after else holds(builder, after)
        return None if going is None else Turn(going, after, [])

    first = holds(op.builder, op.items)
    return [None] * len(op.items) if first is None else loop(op, Loop(turn, op.items, first))

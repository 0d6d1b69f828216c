"""IF and WHILE: a constant choice picks its subgraph, a loop whose turns constants decide is written out or counted as one."""

from __future__ import annotations

from collections.abc import Sequence

from micronet_verify.plugin import Result, branch, while_loop
from micronet_verify_tflite.op import Op


def if_(op: Op) -> Sequence[Result | None]:
    """IF: condition, operands of both subgraphs."""
    numbers = op.integer("then_subgraph_index"), op.integer("else_subgraph_index")
    return branch(op, op.operand(0), lambda side, builder, names: op.scope.call(numbers[side], builder, op.items[1:], op.where, names))


def while_(op: Op) -> Sequence[Result | None]:
    """WHILE: turns for as long as its condition holds."""
    test, body = op.integer("cond_subgraph_index"), op.integer("body_subgraph_index")

    return while_loop(
        op,
        lambda builder, state: op.scope.call(test, builder, state, op.where),
        lambda builder, state: op.scope.call(body, builder, state, op.where),
    )

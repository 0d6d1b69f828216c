"""Calls, If and While: calls are inlined, a constant choice picks its branch, a loop whose turns constants decide is counted."""

from __future__ import annotations

from collections.abc import Sequence

from micronet_verify.plugin import GraphBuilder, Item, Operand, Result, Results, branch, while_loop
from micronet_verify_tensorflow.op import Op


def call(op: Op) -> Results:
    """PartitionedCall and StatefulPartitionedCall."""
    name = op.branch_name()
    found = op.scope.call(op.function("f"), op.builder, op.items, op.where, None if name is None else f"{name}/")
    op.here()
    return found


def if_(op: Op) -> Sequence[Result | None]:
    """If: predicate, operands of both branches."""
    names = op.function("then_branch"), op.function("else_branch")
    _truth(op, op.operand(0))
    return branch(op, op.operand(0), lambda side, builder, branches: op.scope.call(names[side], builder, op.items[1:], op.where, branches))


def while_(op: Op) -> Results:
    """While: turns for as long as its condition holds."""
    test, body = op.function("cond"), op.function("body")

    def holds(builder: GraphBuilder, state: Results) -> Results:
        found = op.scope.call(test, builder, state, op.where)
        for item in found:
            _truth(op, item)
        return found

    return while_loop(op, holds, lambda builder, state: op.scope.call(body, builder, state, op.where))


def _truth(op: Op, item: Item | None) -> None:
    """TensorFlow takes any tensor with axes for true, whatever is in it."""
    if isinstance(item, Operand) and item.shape:
        op.refuse(f"a condition of shape {item.shape}", "be one truth value")

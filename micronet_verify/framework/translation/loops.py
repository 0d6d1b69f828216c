"""Loops: written out turn by turn, or one ``loop`` node where that would be long and the turns are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.limits import MOST_UNROLLED, UNROLLED
from micronet_verify.framework.translation.loop_node import CONSTANT, Loop, Scanned, Turn, attempted
from micronet_verify.framework.translation.op import Visit
from micronet_verify.framework.translation.operand import Item, NoTensor, Operand, Results, computed, folded


def loop(op: Visit, found: Loop) -> Results:
    """The last state, then what was collected."""
    poisoned: Results = [None] * (len(found.state) + len(found.collected))
    if found.alike and found.limit is not None and found.limit * found.steps > UNROLLED:
        made, _ = attempted(op, found, [])
        if made is not None:
            return made
    start, state, turns, reason = op.walk.faults.translated, found.state, 0, ""
    kept: list[Results] = [[] for _ in found.collected]
    history, tried = [state], found.alike
    going = _decided(op, found.going)
    while going and (found.limit is None or turns < found.limit):
        length = max(op.walk.faults.translated - start, turns)
        if length > UNROLLED and not tried and len(history) > 2:
            tried = True
            made, reason = attempted(op, found, history)
            if made is not None:
                return made
        if length > MOST_UNROLLED:
            made, _ = attempted(op, found, history, both=True)
            if made is not None:
                return made
            op.refuse(f"a loop of more than {MOST_UNROLLED:,} operators once it is written out", "be shorter", reason or CONSTANT)
        number = folded(op.builder, np.array(turns, np.int64), "iteration")
        faults = len(op.walk.faults.problems)
        turn = found.turn(op.builder, number, state, [_element(op, each, turns) for each in found.scanned])
        op.here()
        if turn is None or len(op.walk.faults.problems) > faults:
            return poisoned
        going, state, turns = _decided(op, turn.going), turn.state, turns + 1
        if len(history) <= 2:
            history.append(state)
        for parts, result in zip(kept, turn.collected, strict=True):
            parts.append(result)
    if kept and not turns:
        op.refuse("a loop of no turns", "turn at least once")
    return [*state, *(_stacked(op, parts, each) for parts, each in zip(kept, found.collected, strict=True))]


Body = Callable[[GraphBuilder, Results], Results]
"""Translates a body of a loop, of the state, into a builder."""


def while_loop(op: Visit, test: Body, body: Body, given: Results | None = None) -> Results:
    """A loop for as long as a body of its own says so, over the operator's operands where no other state is ``given``."""
    begin = op.items if given is None else given

    def holds(builder: GraphBuilder, state: Results) -> Item | None:
        found = test(builder, state)
        if len(found) != 1:
            op.refuse(f"a condition of {len(found)} results", "have one")
        return found[0]

    def turn(builder: GraphBuilder, number: Operand, state: Results, slices: list[Operand]) -> Turn | None:
        after = body(builder, state)
        if len(after) != len(state):
            op.refuse(f"a body of {len(after)} results", f"have {len(state)}")
        going = None if None in after else holds(builder, after)
        return None if going is None else Turn(going, after, [])

    first = holds(op.builder, begin)
    return [None] * len(begin) if first is None else loop(op, Loop(turn, begin, first))


def _decided(op: Visit, going: Item | None) -> bool:
    if going is None:
        return True
    if isinstance(going, NoTensor) or going.known is None:
        op.refuse("a loop whose turns the data decides", "turn a constant number of times", CONSTANT)
    return bool(going.known.reshape(-1)[0])


def _element(op: Visit, each: Scanned, turn: int) -> Operand:
    x, axis = each.operand, each.axis
    assert x is not None
    index = x.shape[axis] - 1 - turn if each.backward else turn
    known = None if x.known is None else np.take(x.known, index, axis)
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return computed(op.builder, op.builder.reshape(op.slice(x.value, axis, index, index + 1), shape), x.static, known)


def _stacked(op: Visit, parts: Results, each: Scanned) -> Operand | None:
    given = [part for part in (parts[::-1] if each.backward else parts) if isinstance(part, Operand)]
    if len(given) != len(parts):
        return None
    return stacked(op, given, each.axis)


def stacked(op: Visit, parts: Sequence[Operand], axis: int) -> Operand:
    """Parts of one shape along a new axis; numbers of shape arithmetic stay numbers."""
    numbers = [part.known for part in parts if part.known is not None]
    axis = op.axis(axis, len(parts[0].shape) + 1)
    if len(numbers) == len(parts) and parts[0].format.is_integer:
        return folded(op.builder, np.stack(numbers, axis), op.label(len(op.step.results) - 1))
    rows = [op.builder.reshape(part.value, (*part.shape[:axis], 1, *part.shape[axis:])) for part in parts]
    value = rows[0] if len(rows) == 1 else op.builder.emit("move", *rows, op="concat", axis=axis)
    return computed(op.builder, value, all(part.static for part in parts))

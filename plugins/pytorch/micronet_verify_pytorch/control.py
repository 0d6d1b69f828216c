"""Operators that carry bodies: branches and loops as the core decides; a switch of gradients is no operator at all."""

from __future__ import annotations

from micronet_verify.plugin import GraphBuilder, Item, Loop, Operand, Results, RuleResult, Scanned, Turn, branch, loop, while_loop
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.names import Number
from micronet_verify_pytorch.program import ProgramGraph

# Settings in front of the operands of ``wrap_with_autocast``.
AUTOCAST = 4


def cond(call: Call) -> RuleResult:
    """``cond(predicate, body, body, operands)``: the first body where the predicate holds."""
    bodies, (predicate, operands) = call.bodies(2), call.given(2)
    if isinstance(predicate, Number):
        call.refuse("a cond on sizes", "be on data", "sizes are known at export: use a plain if")
    if not isinstance(predicate, Operand) or not isinstance(operands, list):
        call.refuse("a cond that is not (predicate, two bodies, operands)", "be one")
    return branch(call, predicate, lambda side, builder, names: call.scope.call(bodies[side], builder, operands, names))


def while_(call: Call) -> RuleResult:
    """``while_loop(condition, body, state, operands)``: turns for as long as the condition holds."""
    (test, body), (state, others) = call.bodies(2), call.lists(2)
    scope = call.scope
    return while_loop(
        call,
        lambda builder, now: scope.call(test, builder, [*now, *others]),
        lambda builder, now: scope.call(body, builder, [*now, *others]),
        state,
    )


def scan(call: Call) -> RuleResult:
    """``scan(body, state, sequences, operands)``: a turn for each slice of the sequences, whose results are collected."""
    (body,), (state, sequences, others) = call.bodies(1), call.lists(3)
    return _scanned(call, body, state, sequences, others)


def map_(call: Call) -> RuleResult:
    """``map_impl(body, sequences, operands)``: a scan without a state."""
    (body,), (sequences, others) = call.bodies(1), call.lists(2)
    return _scanned(call, body, [], sequences, others)


def _scanned(call: Call, body: ProgramGraph, state: Results, sequences: Results, others: Results) -> Results:
    over = [each for each in sequences if isinstance(each, Operand) and each.shape]
    lengths = {each.shape[0] for each in over}
    if len(over) != len(sequences) or len(lengths) != 1 or len(body.outputs) < len(state):
        call.refuse("a scan over something else than sequences of one length", "be over them")

    def turn(builder: GraphBuilder, number: Operand, now: Results, slices: list[Operand]) -> Turn | None:
        found = call.scope.call(body, builder, [*now, *slices, *others])
        return None if None in found else Turn(None, found[: len(now)], found[len(now) :])

    scanned, collected = tuple(map(Scanned, over)), (Scanned(),) * (len(body.outputs) - len(state))
    steps = max(1, len(body.steps))
    return loop(call, Loop(turn, state, None, lengths.pop(), steps, True, scanned, collected, numbered=False))


def inlined(call: Call) -> RuleResult:
    """``wrap_with_set_grad_enabled(enabled, body, *operands)``: the body, here."""
    return _here(call, call.given()[1:])


def without_autocast(call: Call) -> RuleResult:
    """``wrap_with_autocast(device, dtype, enabled, cache, body, *operands)``: the body, where nothing is cast on the way."""
    given = call.given()
    enabled = given[2] if len(given) >= AUTOCAST else None
    if not isinstance(enabled, Number) or enabled.number is not False:
        advice = "hand in exported_program.run_decompositions({}), in which every cast is written out"
        call.refuse("arithmetic under autocast", "be written out", advice)
    return _here(call, given[AUTOCAST:])


def _here(call: Call, operands: list[Item | Results | None]) -> Results:
    (body,), name = call.bodies(1), call.branch_name()
    items = [operand for operand in operands if not isinstance(operand, list)]
    found = call.scope.call(body, call.builder, items, None if name is None else f"{name}/")
    call.here()
    return found

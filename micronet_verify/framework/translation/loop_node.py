"""A loop as one ``loop`` node: its turns must be alike. State that stays is read from outside, counters are the turn's number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.bodies import finished
from micronet_verify.framework.translation.op import Visit
from micronet_verify.framework.translation.operand import Item, Operand, Results, computed, folded
from micronet_verify.framework.translation.turns import Reader, counters_of, is_same, steady_of

CONSTANT = "give it a constant number of turns: a counter that constants bound, and no condition on the data"


class Endless(SubmissionFault):
    """A loop that turns for ever, however it is read."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn gives. ``going``: whether another follows, ``None`` where nothing asks."""

    going: Item | None
    state: Results
    collected: Results


@dataclass(frozen=True, slots=True)
class Scanned:
    """A sequence of which every turn gets a slice, or the place of one that every turn adds a slice to (``operand`` is ``None``)."""

    operand: Operand | None = None
    axis: int = 0
    backward: bool = False


@dataclass(frozen=True)
class Loop:
    """A loop of a file. ``turn(builder, number, state, slices)`` translates one turn; ``None`` where an operator was refused.

    ``going``: whether there is a first turn (``None``: there is). ``limit``: the most turns, if any. ``steps``: operators of a turn.
    ``alike``: no turn stops the loop, so it can be one node from the start.
    """

    turn: Callable[[GraphBuilder, Operand, Results, list[Operand]], Turn | None]
    state: Results
    going: Item | None = None
    limit: int | None = None
    steps: int = 1
    alike: bool = False
    scanned: tuple[Scanned, ...] = ()
    collected: tuple[Scanned, ...] = ()
    numbered: bool = True


def attempted(op: Visit, found: Loop, history: Sequence[Results], both: bool = False) -> tuple[Results | None, str]:
    """The loop as one node, or why it cannot be one. ``both``: of a branch that the number of the turn decides both bodies are charged."""
    faults = op.walk.faults
    before = len(faults.problems)
    try:
        made = _one_node(op, found, history, both)
    except Endless:
        raise
    except SubmissionFault as fault:
        made, faults.problems[before:] = None, fault.problems
    op.here()
    reasons, faults.problems[before:] = faults.problems[before:], []
    return made, f"it cannot be one node because of {reasons[0].got}" if reasons else ""


def _one_node(op: Visit, found: Loop, history: Sequence[Results], both: bool) -> Results | None:
    """A ``loop`` node. State that stays is read from outside, and counters are made from the number of the turn."""
    steady, counters = steady_of(history), counters_of(history)
    builder = op.builder.body()
    numbered = found.numbered or bool(counters)
    number = _inside(builder, builder.input((), INT64, "iteration")) if numbered else folded(op.builder, np.array(0), "iteration")
    state: Results = []
    carried: list[Operand] = []
    for place, item in enumerate(found.state):
        if place in steady:
            state.append(item)
        elif place in counters:
            state.append(_inside(builder, counters[place].value(builder, number.value)))
        elif isinstance(item, Operand) and item.scaling is None:
            carried.append(item)
            state.append(_inside(builder, builder.input(item.shape, item.format)))
        else:
            what = "quantized values" if isinstance(item, Operand) else "nothing" if item is None else item.got
            op.refuse(f"a loop that carries {what}", "carry numbers")
    sequences = [_first(op, each) for each in found.scanned]
    slices = [_inside(builder, builder.input(x.shape[1:], x.format)) for x in sequences]
    if numbered and not both:
        op.walk.turns.add(number.value.id)
    faults = len(op.walk.faults.problems)
    turn = found.turn(builder, number, state, slices)
    op.walk.turns.discard(number.value.id)
    if turn is None or len(op.walk.faults.problems) > faults:
        return None
    reader = Reader(builder, number.value, op.walk.known_constants())
    for place, item in enumerate(turn.state):
        if place in steady and not is_same(state[place], item):
            op.refuse("a value that stays in the first turns and changes later", "stay")
        if place in counters and not reader.follows(counters[place], item):
            op.refuse("a counter that does not grow by a constant", "grow by one")
    if found.limit is None and isinstance(turn.going, Operand) and turn.going.known is not None and turn.going.known.all():
        raise Endless(Problem("a loop whose condition always holds", "end", op.where, CONSTANT))
    trips = reader.trips(turn.going, found.limit)
    if trips is None or not all(counter.fits(trips) for counter in counters.values()):
        op.refuse("a condition that is not a comparison of a counter with constants", "be one")
    kept = [item for place, item in enumerate(turn.state) if place not in steady and place not in counters]
    for operand, item in zip(carried, kept, strict=True):
        if isinstance(item, Operand) and item.shape != operand.shape:
            op.refuse(f"a carried value whose shape changes from {operand.shape}", "keep its shape")
    if any(each.axis for each in found.collected):
        op.refuse("a long loop that collects on another axis than the first", "collect on axis 0")
    op.here()
    outputs = iter(
        op.builder.loop(
            finished(op, builder, [*kept, *turn.collected]),
            [operand.value for operand in carried],
            sequences,
            trips=trips,
            turn=numbered,
            backward=[at for at, each in enumerate(found.scanned) if each.backward],
            collected_backward=[at for at, each in enumerate(found.collected) if each.backward],
        )
    )
    last: Results = []
    for place, item in enumerate(found.state):
        if place in counters:
            last.append(folded(op.builder, counters[place].after(trips), "counter"))
        else:
            last.append(item if place in steady else computed(op.builder, next(outputs)))
    return [*last, *(computed(op.builder, value) for value in outputs)]


def _inside(builder: GraphBuilder, value: Value) -> Operand:
    """A value of a loop's body: nothing is known of it, because it is another in each turn."""
    return computed(builder, value)


def _first(op: Visit, each: Scanned) -> Value:
    """A sequence with its axis in front."""
    assert each.operand is not None
    rest = [at for at in range(len(each.operand.shape)) if at != each.axis]
    return op.builder.transpose(each.operand.value, (each.axis, *rest))

"""If, Loop and Scan: a constant choice picks its body, a constant number of turns is written out or counted as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx

from micronet_verify.facts.formats import INT64, NumericFormat
from micronet_verify.facts.graph import Graph, Shape, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_onnx.operands import Operand, computed, folded

if TYPE_CHECKING:
    from micronet_verify_onnx.op import Op

# Loops that would make more nodes than this stay one ``loop`` node, whose body is counted ``trips`` times.
UNROLLED_NODES = 4000
_DATA_DECIDES = "the data decides how often it turns"
_ADVICE = "give it a constant trip count and a condition that stays true"

SIDES = ("then", "else")
Results = list[Operand | None]


def if_(op: Op) -> Sequence[Operand | Value | None]:
    """If: the body that a constant predicate picks, else both as a ``branch``."""
    bodies = op.graph("then_branch"), op.graph("else_branch")
    predicate = op.required(0).known
    if predicate is not None:
        chosen = 0 if predicate.reshape(-1)[0] else 1
        name = op.scope.branch_name(op.node)
        return _inline(op, bodies[chosen], op.builder, (), None if name is None else f"{name}/{SIDES[chosen]}/")
    graphs, name = [], op.scope.branch_name(op.node)
    for side, body in zip(SIDES, bodies, strict=True):
        builder = op.builder.body()
        graph = _finished(builder, _inline(op, body, builder, (), None if name is None else f"{name}/{side}/"))
        if graph is None:
            return [None] * len(op.node.output)
        graphs.append(graph)
    shapes = [[graph.values[name].shape for name in graph.outputs] for graph in graphs]
    if shapes[0] != shapes[1]:
        op.refuse(f"branches that return {shapes[0]} and {shapes[1]}", "return the same shapes")
    return op.builder.emit_bodies("branch", (op.x(0),), graphs, **({} if name is None else {"id": name}))


def loop(op: Op) -> Sequence[Operand | Value | None]:
    """Loop with a constant number of turns, or a condition that shape arithmetic decides."""
    body = op.graph("body")
    limit = int(op.known(0, "a trip count").reshape(-1)[0]) if op.has(0) else None
    going = bool(op.known(1, "a condition").reshape(-1)[0]) if op.has(1) else True
    state: Results = list(op.operands[2:])
    scans = len(body.output) - 1 - len(state)
    if len(body.input) != 2 + len(state) or scans < 0:
        op.refuse(f"a body of {len(body.input)} inputs and {len(body.output)} outputs", f"fit {len(state)} carried values")
    turns = 0
    collected: list[Results] = [[] for _ in range(scans)]
    if going and limit is not None and limit * len(body.node) > UNROLLED_NODES and _never_stops(body):
        return _one_node(op, body, limit, state)
    while going and (limit is None or turns < limit):
        if turns * len(body.node) > UNROLLED_NODES:
            op.refuse(f"a Loop of more than {turns:,} turns", "have a trip count", _ADVICE)
        number = folded(op.builder, np.array(turns, np.int64), "iteration")
        always = folded(op.builder, np.array(True), "condition")
        results = _inline(op, body, op.builder, (number, always, *state))
        if None in results:
            return [None] * len(op.node.output)
        condition = results[0]
        if condition is None or condition.known is None:
            op.refuse(f"a Loop: {_DATA_DECIDES}", "turn a constant number of times", _ADVICE)
        going, turns = bool(condition.known.reshape(-1)[0]), turns + 1
        state = results[1 : 1 + len(state)]
        for kept, result in zip(collected, results[1 + len(state) :], strict=True):
            kept.append(result)
    if scans and not turns:
        op.refuse("a Loop of no turns", "turn at least once")
    return [*state, *(_stacked(op, kept, 0) for kept in collected)]


def scan(op: Op) -> Sequence[Operand | Value | None]:
    """Scan over the slices of its inputs (opset 9 and later)."""
    if op.version < 9:
        op.refuse("a Scan of opset 8", "be of opset 9 or later")
    body, count = op.graph("body"), op.integer("num_scan_inputs")
    if not 1 <= count <= len(op.operands) or len(body.input) != len(op.operands):
        op.refuse(f"{count} scan inputs of {len(op.operands)} operands", f"fit a body of {len(body.input)} inputs")
    states = len(op.operands) - count
    sequences = [op.required(states + index) for index in range(count)]
    axes = [op.axis(axis, len(x.shape)) for axis, x in zip(op.integers("scan_input_axes", (0,) * count), sequences, strict=True)]
    backward = op.integers("scan_input_directions", (0,) * count)
    turns = sequences[0].shape[axes[0]]
    scans = len(body.output) - states
    out_axes, out_backward = op.integers("scan_output_axes", (0,) * scans), op.integers("scan_output_directions", (0,) * scans)
    if turns < 1 or any(x.shape[axis] != turns for x, axis in zip(sequences, axes, strict=True)) or scans < 0:
        op.refuse("scan inputs of no or different lengths", "have one length of at least 1")
    state: Results = list(op.operands[:states])
    one_node = turns * len(body.node) > UNROLLED_NODES

    def at(turn: int) -> list[Operand]:
        places = [turns - 1 - turn if back else turn for back in backward]
        return [_element(op, x, axis, index) for x, axis, index in zip(sequences, axes, places, strict=True)]

    if one_node:
        if any(out_axes):
            op.refuse("a long Scan with scan_output_axes", "collect its outputs on axis 0")
        return _one_node(op, body, turns, state, sequences, axes, backward, out_backward)
    collected: list[Results] = [[] for _ in range(scans)]
    for turn in range(turns):
        results = _inline(op, body, op.builder, (*state, *at(turn)))
        if None in results:
            return [None] * len(op.node.output)
        state = results[:states]
        for kept, result in zip(collected, results[states:], strict=True):
            kept.append(result)
    stacked = [_stacked(op, kept[::-1] if back else kept, axis) for kept, axis, back in zip(collected, out_axes, out_backward, strict=True)]
    return [*state, *stacked]


def _inline(
    op: Op, graph: onnx.GraphProto, builder: GraphBuilder, arguments: Sequence[Operand | None], branches: str | None = None
) -> Results:
    """A body's outputs, its nodes emitted into ``builder``; ``branches`` begins the names of branches inside it."""
    if len(graph.input) != len(arguments):
        op.refuse(f"a body with {len(graph.input)} inputs", f"have {len(arguments)}")
    inner = op.scope.inside(builder, graph, branches)
    for info, argument in zip(graph.input, arguments, strict=True):
        inner.define(info.name, argument, op.where)
    op.translator.run(graph, inner)
    op.here()
    missing = [output.name for output in graph.output if not inner.has(output.name)]
    if missing:
        op.refuse(f"body outputs {missing} that no node computes", "be computed")
    return [inner.find(output.name) for output in graph.output]


def _finished(builder: GraphBuilder, results: Results) -> Graph | None:
    """The body as a graph; ``None`` if a node of it was refused. A value from outside passes through a node of its own."""
    if None in results:
        return None
    values = [operand.value for operand in results if operand is not None]
    own = builder.finish([]).values
    return builder.finish([value if value.id in own else builder.emit("move", value, op="identity") for value in values])


def _one_node(
    op: Op,
    body: onnx.GraphProto,
    turns: int,
    state: Results,
    sequences: Sequence[Operand] | None = None,
    axes: Sequence[int] = (),
    backward: Sequence[int] = (),
    collected_backward: Sequence[int] = (),
) -> Sequence[Operand | Value | None]:
    """A ``loop`` node: of a Scan over ``sequences``, or of a Loop, whose body reads the number of the turn and a condition."""
    builder = op.builder.body()
    carried = [operand for operand in state if operand is not None]
    arguments: list[Operand | None] = []
    if sequences is None:
        arguments = [_inside(builder, (), INT64, "iteration"), folded(op.builder, np.array(True), "condition")]
    arguments += [_inside(builder, x.shape, x.format) for x in carried]
    scanned = [_first(op, x, axis) for x, axis in zip(sequences or (), axes, strict=True)]
    arguments += [_inside(builder, x.shape[1:], x.format) for x in scanned]
    results = _inline(op, body, builder, arguments)
    if None in results:
        return [None] * len(op.node.output)
    if sequences is None:
        condition = results.pop(0)
        if condition is None or condition.known is None or not condition.known.all():
            op.refuse(f"a Loop: {_DATA_DECIDES}", "turn a constant number of times", _ADVICE)
    graph = _finished(builder, results)
    assert graph is not None
    for name, operand in zip(graph.outputs, carried, strict=False):
        if graph.values[name].shape != operand.shape:
            op.refuse(f"a carried value whose shape changes from {operand.shape}", "keep its shape")
    return op.builder.loop(
        graph,
        [operand.value for operand in carried],
        scanned,
        trips=turns,
        turn=sequences is None,
        backward=[at for at, back in enumerate(backward) if back],
        collected_backward=[at for at, back in enumerate(collected_backward) if back],
    )


def _inside(builder: GraphBuilder, shape: Shape, fmt: NumericFormat, label: str = "") -> Operand:
    """An input of a loop's body: nothing is known of it, because it is another in each turn."""
    return computed(builder.input(shape, fmt, label), static=False)


def _first(op: Op, x: Operand, axis: int) -> Value:
    """``x`` with ``axis`` in front."""
    rest = [at for at in range(len(x.shape)) if at != axis]
    return op.builder.transpose(x.value, (axis, *rest))


def _never_stops(body: onnx.GraphProto) -> bool:
    """Whether a Loop's body hands its condition on as it came, or a constant."""
    producers = {name: node for node in body.node for name in node.output}
    name = body.output[0].name
    while name in producers and producers[name].op_type == "Identity":
        name = producers[name].input[0]
    return name not in producers or producers[name].op_type == "Constant"


def _element(op: Op, x: Operand, axis: int, index: int) -> Operand:
    known = None if x.known is None else np.take(x.known, index, axis)
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return computed(op.builder.reshape(op.slice(x.value, axis, index, index + 1), shape), x.static, known)


def _stacked(op: Op, parts: Results, axis: int) -> Operand:
    given = [part for part in parts if part is not None]
    numbers = [part.known for part in given if part.known is not None]
    if len(numbers) == len(given) and given[0].format.is_integer:
        return folded(op.builder, np.stack(numbers, axis), op.node.output[-1])
    rank = len(given[0].shape) + 1
    axis = op.axis(axis, rank)
    rows = [op.builder.reshape(part.value, (*part.shape[:axis], 1, *part.shape[axis:])) for part in given]
    value = rows[0] if len(rows) == 1 else op.builder.emit("move", *rows, op="concat", axis=axis)
    return computed(value, all(part.static for part in given))

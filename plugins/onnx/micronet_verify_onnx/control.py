"""If, Loop and Scan: a constant choice picks its body, a constant number of turns is written out or counted as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from micronet_verify.plugin import GraphBuilder, Loop, Operand, Result, Results, Scanned, Turn, bodies, folded, loops
from micronet_verify_onnx.op import Op


def if_(op: Op) -> Sequence[Result | None]:
    """If: the body that a constant predicate picks, else both as a ``branch``."""
    graphs = op.graph("then_branch"), op.graph("else_branch")
    return bodies.branch(op, op.operand(0), lambda side, builder, names: op.scope.run(graphs[side], builder, (), op.where, names))


def loop(op: Op) -> Results:
    """Loop: a trip count?, a condition?, carried values. Its body gives the next condition, the carried values, and what is collected."""
    body = op.graph("body")
    state = op.items[2:]
    scans = len(body.output) - 1 - len(state)
    if len(body.input) != 2 + len(state) or scans < 0:
        op.refuse(f"a body of {len(body.input)} inputs and {len(body.output)} outputs", f"fit {len(state)} carried values")
    limit = op.known_int(0, "a trip count") if op.has(0) else None

    def turn(builder: GraphBuilder, number: Operand, state: Results, slices: list[Operand]) -> Turn | None:
        always = folded(op.builder, np.array(True), "condition")
        results = op.scope.run(body, builder, (number, always, *state), op.where)
        return None if None in results else Turn(results[0], results[1 : 1 + len(state)], results[1 + len(state) :])

    going, alike = op.operand(1) if op.has(1) else None, _never_stops(body)
    return loops.loop(op, Loop(turn, state, going, limit, len(body.node), alike, collected=(Scanned(),) * scans))


def scan(op: Op) -> Results:
    """Scan over the slices of its inputs (opset 9 and later)."""
    if op.version < 9:
        op.refuse("a Scan of opset 8", "be of opset 9 or later")
    body, count = op.graph("body"), op.integer("num_scan_inputs")
    if not 1 <= count <= len(op.items) or len(body.input) != len(op.items):
        op.refuse(f"{count} scan inputs of {len(op.items)} operands", f"fit a body of {len(body.input)} inputs")
    states = len(op.items) - count
    scans = len(body.output) - states
    sequences = op.operands(states)
    axes = [op.axis(axis, len(x.shape)) for axis, x in zip(op.integers("scan_input_axes", (0,) * count), sequences, strict=True)]
    turns = sequences[0].shape[axes[0]]
    if turns < 1 or any(x.shape[axis] != turns for x, axis in zip(sequences, axes, strict=True)) or scans < 0:
        op.refuse("scan inputs of no or different lengths", "have one length of at least 1")

    def turn(builder: GraphBuilder, number: Operand, state: Results, slices: list[Operand]) -> Turn | None:
        results = op.scope.run(body, builder, (*state, *slices), op.where)
        return None if None in results else Turn(None, results[:states], results[states:])

    backward = op.integers("scan_input_directions", (0,) * count)
    scanned = tuple(Scanned(x, axis, bool(back)) for x, axis, back in zip(sequences, axes, backward, strict=True))
    out_axes, out_backward = op.integers("scan_output_axes", (0,) * scans), op.integers("scan_output_directions", (0,) * scans)
    collected = tuple(Scanned(None, axis, bool(back)) for axis, back in zip(out_axes, out_backward, strict=True))
    found = Loop(turn, op.items[:states], None, turns, len(body.node), True, scanned, collected, numbered=False)
    return loops.loop(op, found)


def _never_stops(body: onnx.GraphProto) -> bool:
    """Whether a Loop's body hands its condition on as it came, or a constant."""
    producers = {name: node for node in body.node for name in node.output}
    name = body.output[0].name
    while name in producers and producers[name].op_type == "Identity":
        name = producers[name].input[0]
    return name not in producers or producers[name].op_type == "Constant"

"""Recurrent layers and cells as products and element-wise arithmetic, step by step over the whole sequence.

A layer projects the whole input at once, W_ih·x + b_ih for all gates; each step adds W_hh·h + b_hh and applies the gates. A
cell is a layer of one step, so that an unrolled loop of cells and the layer have one price.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from micronet_verify.facts.graph import Value
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.ops_shape import joined, selected, sliced

MOST_STEPS = 65_536


@dataclass(frozen=True, slots=True)
class Weights:
    """Of one layer in one direction: [gates·hidden, inputs], [gates·hidden, hidden], biases, and LSTM's projection."""

    input: Value
    hidden: Value
    input_bias: Value | None = None
    hidden_bias: Value | None = None
    projection: Value | None = None


State = tuple[Value, ...]
Cell = Callable[[Call, Value, State, Weights], State]


def lstm_step(call: Call, projected: Value, state: State, weights: Weights) -> State:
    """i, f, g, o = gates; c' = σ(f)·c + σ(i)·tanh(g); h' = σ(o)·tanh(c'), projected where there is a projection."""
    h, c = state
    gates = call.elementwise("add", projected, call.builder.linear(h, weights.hidden, weights.hidden_bias))
    i, f, g, o = _gates(call, gates, 4)
    sigmoid = {name: call.builder.elementwise("sigmoid", gate) for name, gate in (("i", i), ("f", f), ("o", o))}
    kept = call.elementwise("mul", sigmoid["f"], c)
    c = call.elementwise("add", kept, call.elementwise("mul", sigmoid["i"], call.builder.elementwise("tanh", g)))
    h = call.elementwise("mul", sigmoid["o"], call.builder.elementwise("tanh", c))
    return (h if weights.projection is None else call.builder.linear(h, weights.projection)), c


def gru_step(call: Call, projected: Value, state: State, weights: Weights) -> State:
    """r, z = σ(gates); n = tanh(n_x + r·n_h); h' = (1 − z)·n + z·h."""
    (h,) = state
    rx, zx, nx = _gates(call, projected, 3)
    rh, zh, nh = _gates(call, call.builder.linear(h, weights.hidden, weights.hidden_bias), 3)
    r = call.builder.elementwise("sigmoid", call.elementwise("add", rx, rh))
    z = call.builder.elementwise("sigmoid", call.elementwise("add", zx, zh))
    n = call.builder.elementwise("tanh", call.elementwise("add", nx, call.elementwise("mul", r, nh)))
    new = call.elementwise("mul", call.elementwise("sub", 1.0, z), n)
    return (call.elementwise("add", new, call.elementwise("mul", z, h)),)


def rnn_step(function: str) -> Cell:
    """h' = function(W_ih·x + b_ih + W_hh·h + b_hh)."""

    def step(call: Call, projected: Value, state: State, weights: Weights) -> State:
        both = call.elementwise("add", projected, call.builder.linear(state[0], weights.hidden, weights.hidden_bias))
        return (call.builder.elementwise(function, both),)

    return step


def _gates(call: Call, x: Value, count: int) -> tuple[Value, ...]:
    axis = len(x.shape) - 1
    return call.builder.emit_many("move", (x,), (x.format,) * count, op="split", axis=axis, sizes=(x.shape[axis] // count,) * count)


def cell(step: Cell) -> Callable[[Call], Value]:
    """rnn and gru cells: one state in, one out."""

    def translate(call: Call) -> Value:
        return _cell(call, step, (call.tensor("hx"),))[0]

    return translate


def lstm_cell(call: Call) -> State:
    return _cell(call, lstm_step, call.tensors("hx"))


def _cell(call: Call, step: Cell, state: State) -> State:
    weights = Weights(call.tensor("w_ih"), call.tensor("w_hh"), call.optional("b_ih"), call.optional("b_hh"))
    return step(call, call.builder.linear(call.tensor("input"), weights.input, weights.input_bias), state, weights)


def layer(step: Cell, states: int = 1) -> Callable[[Call], tuple[Value, ...]]:
    """lstm, gru, rnn_tanh, rnn_relu over padded sequences: the outputs of all steps, then the last states."""

    def translate(call: Call) -> tuple[Value, ...]:
        x = call.tensor("input")
        initial = call.tensors("hx") if states > 1 else (call.tensor("hx"),)
        if call.flag("train") and call.number("dropout") > 0:
            call.refuse("a recurrent layer with dropout in training mode", "be exported after model.eval()")
        call.ignore("dropout")
        layers, directions = call.integer("num_layers"), 2 if call.flag("bidirectional") else 1
        weights = _weights(call, layers * directions)
        if call.flag("batch_first"):
            x = call.builder.transpose(x, (1, 0, 2))
        if not 0 < x.shape[0] * layers <= MOST_STEPS:
            call.refuse(f"a sequence of {x.shape[0]:,} steps", f"have between 1 and {MOST_STEPS:,}")
        last: list[State] = []
        for number in range(layers):
            sides = []
            for direction in range(directions):
                place = number * directions + direction
                begin = tuple(selected(call, state, 0, place) for state in initial)
                side, final = _run(call, step, x, begin, weights[place], backwards=direction == 1)
                sides.append(side)
                last.append(final)
            x = joined(call, sides, 2)
        if call.flag("batch_first"):
            x = call.builder.transpose(x, (1, 0, 2))
        return x, *(_stacked(call, [state[k] for state in last]) for k in range(states))

    return translate


def _weights(call: Call, count: int) -> list[Weights]:
    """The flat list of parameters, layer by layer and direction by direction."""
    params, biases = call.tensors("params"), call.flag("has_biases")
    each = len(params) // count if count else 0
    if each not in ((4, 5) if biases else (2, 3)) or each * count != len(params):
        call.refuse(f"{len(params)} weights for {count} layers and directions", "be 2 to 5 each")
    groups = []
    for k in range(count):
        part = params[k * each : (k + 1) * each]
        biased = (part[2], part[3]) if biases else (None, None)
        groups.append(Weights(part[0], part[1], biased[0], biased[1], part[-1] if each % 2 else None))
    return groups


def _run(call: Call, step: Cell, x: Value, state: State, weights: Weights, backwards: bool) -> tuple[Value, State]:
    """One layer in one direction over x [T, B, inputs]: all outputs [T, B, hidden] and the last state."""
    projected = call.builder.linear(x, weights.input, weights.input_bias)
    steps = range(x.shape[0])
    outputs: dict[int, Value] = {}
    for t in reversed(steps) if backwards else steps:
        part = sliced(call, projected, 0, t, t + 1)
        state = step(call, call.builder.reshape(part, projected.shape[1:]), state, weights)
        outputs[t] = state[0]
    return _stacked(call, [outputs[t] for t in steps]), state


def _stacked(call: Call, parts: list[Value]) -> Value:
    return joined(call, [call.builder.reshape(part, (1, *part.shape)) for part in parts], 0)

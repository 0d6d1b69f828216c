"""Recurrent layers and cells, through the core's one lowering. A cell is a layer of one step, so both have one price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from micronet_verify.plugin import GraphBuilder, Value, recurrent
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.ops_shape import joined, selected


@dataclass(frozen=True, slots=True)
class Weights:
    """Of one layer in one direction: [gates·hidden, inputs], [gates·hidden, hidden], biases, and LSTM's projection.

    ``reverse``: from the last step to the first.
    """

    input: Value
    hidden: Value
    input_bias: Value | None = None
    hidden_bias: Value | None = None
    projection: Value | None = None
    reverse: bool = False


State = tuple[Value, ...]
# builder, x [T, N, I], weights, states [N, S] -> (y [T, N, S], last states)
Layer = Callable[[GraphBuilder, Value, Weights, State], tuple[Value, ...]]


def lstm(builder: GraphBuilder, x: Value, w: Weights, state: State) -> tuple[Value, ...]:
    return recurrent.lstm(builder, x, w.input, w.hidden, w.input_bias, w.hidden_bias, *state, projection=w.projection, reverse=w.reverse)


def gru(builder: GraphBuilder, x: Value, w: Weights, state: State) -> tuple[Value, ...]:
    return recurrent.gru(builder, x, w.input, w.hidden, w.input_bias, w.hidden_bias, *state, reverse=w.reverse)


def rnn(function: str) -> Layer:
    def run(builder: GraphBuilder, x: Value, w: Weights, state: State) -> tuple[Value, ...]:
        def activate(value: Value) -> Value:
            return builder.elementwise(function, value)

        return recurrent.rnn(builder, x, w.input, w.hidden, w.input_bias, w.hidden_bias, *state, function=activate, reverse=w.reverse)

    return run


def cell(run: Layer) -> Callable[[Call], Value]:
    """rnn and gru cells: one state in, one out."""
    return lambda call: _cell(call, run, (call.tensor("hx"),))[0]


def lstm_cell(call: Call) -> State:
    return _cell(call, lstm, call.tensors("hx"))


def _cell(call: Call, run: Layer, state: State) -> State:
    x = call.tensor("input")
    weights = Weights(call.tensor("w_ih"), call.tensor("w_hh"), call.optional("b_ih"), call.optional("b_hh"))
    return run(call.builder, call.builder.reshape(x, (1, *x.shape)), weights, state)[1:]


def layer(run: Layer, states: int = 1) -> Callable[[Call], tuple[Value, ...]]:
    """lstm, gru, rnn_tanh, rnn_relu over padded sequences: the outputs of all steps, then the last states."""

    def translate(call: Call) -> tuple[Value, ...]:
        x = call.tensor("input")
        initial = call.tensors("hx") if states > 1 else (call.tensor("hx"),)
        if call.flag("train") and call.number("dropout") > 0:
            call.refuse("a recurrent layer with dropout in training mode", "be exported after model.eval()")
        call.ignore("dropout")
        layers, directions = call.integer("num_layers"), 2 if call.flag("bidirectional") else 1
        weights = _weights(call, layers, directions)
        if call.flag("batch_first"):
            x = call.builder.transpose(x, (1, 0, 2))
        last: list[tuple[Value, ...]] = []
        for number in range(layers):
            sides = []
            for place in range(number * directions, (number + 1) * directions):
                begin = tuple(selected(call, state, 0, place) for state in initial)
                side, *final = run(call.builder, x, weights[place], begin)
                sides.append(side)
                last.append(tuple(final))
            x = joined(call, sides, 2)
        if call.flag("batch_first"):
            x = call.builder.transpose(x, (1, 0, 2))
        return x, *(_stacked(call, [final[k] for final in last]) for k in range(states))

    return translate


def _weights(call: Call, layers: int, directions: int) -> list[Weights]:
    """The flat list of parameters, layer by layer and direction by direction."""
    count = layers * directions
    params, biases = call.tensors("params"), call.flag("has_biases")
    each = len(params) // count if count else 0
    if each not in ((4, 5) if biases else (2, 3)) or each * count != len(params):
        call.refuse(f"{len(params)} weights for {count} layers and directions", "be 2 to 5 each")
    groups = []
    for k in range(count):
        part = params[k * each : (k + 1) * each]
        biased = (part[2], part[3]) if biases else (None, None)
        projection, reverse = part[-1] if each % 2 else None, k % directions == 1
        groups.append(Weights(part[0], part[1], biased[0], biased[1], projection, reverse))
    return groups


def _stacked(call: Call, parts: list[Value]) -> Value:
    return joined(call, [call.builder.reshape(part, (1, *part.shape)) for part in parts], 0)

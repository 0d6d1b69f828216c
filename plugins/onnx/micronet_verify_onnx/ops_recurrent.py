"""LSTM, GRU and RNN layers: both directions, lowered by ``framework/translation/recurrent`` like every plugin's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from micronet_verify.plugin import Function, Value, recurrent
from micronet_verify_onnx.op import Op

# ONNX activation names with their default parameters; names ignore case.
_FUNCTIONS: dict[str, tuple[str, dict[str, float]]] = {
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "relu": ("relu", {}),
    "softsign": ("softsign", {}),
    "softplus": ("softplus", {}),
    "elu": ("elu", {"alpha": 1.0}),
    "leakyrelu": ("leaky_relu", {"alpha": 0.01}),
    "hardsigmoid": ("hard_sigmoid", {"alpha": 0.2, "beta": 0.5}),
}


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer's operands in time-major layout: x [T, N, I], states [directions, N, H]; absent ones ``None``."""

    x: Value
    weight: Value
    recurrence: Value
    bias: Value | None
    states: tuple[Value | None, ...]
    directions: int
    hidden: int
    batch_first: bool
    reverse: bool

    def reversed(self, index: int) -> bool:
        """Whether this direction goes from the last step to the first."""
        return self.reverse or index == 1


def lstm(op: Op) -> Sequence[Value | None]:
    layer = _layer(op, states=2)
    if op.integer("input_forget", 0):
        op.refuse("an LSTM with input_forget", "have separate input and forget gates")
    peepholes, results = op.maybe(7), []
    for index in range(layer.directions):
        functions = _functions(op, index, ("Sigmoid", "Tanh", "Tanh"))
        peep = None if peepholes is None else _parts(op, _direction(op, peepholes, index), 3)
        results.append(
            recurrent.lstm(
                op.builder,
                layer.x,
                *_weights(op, layer, index),
                *(_state(op, layer, state, index) for state in layer.states),
                gates="iofg",
                peepholes=None if peep is None else (peep[0], peep[1], peep[2]),
                functions=(functions[0], functions[1], functions[2]),
                reverse=layer.reversed(index),
            )
        )
    return _results(op, layer, results)


def gru(op: Op) -> Sequence[Value | None]:
    layer, results = _layer(op, states=1), []
    for index in range(layer.directions):
        functions = _functions(op, index, ("Sigmoid", "Tanh"))
        results.append(
            recurrent.gru(
                op.builder,
                layer.x,
                *_weights(op, layer, index),
                _state(op, layer, layer.states[0], index),
                gates="zrn",
                reset_after=bool(op.integer("linear_before_reset", 0)),
                functions=(functions[0], functions[1]),
                reverse=layer.reversed(index),
            )
        )
    return _results(op, layer, results)


def rnn(op: Op) -> Sequence[Value | None]:
    layer, results = _layer(op, states=1), []
    for index in range(layer.directions):
        (function,) = _functions(op, index, ("Tanh",))
        weights = _weights(op, layer, index)
        state, reverse = _state(op, layer, layer.states[0], index), layer.reversed(index)
        results.append(recurrent.rnn(op.builder, layer.x, *weights, state, function=function, reverse=reverse))
    return _results(op, layer, results)


def _layer(op: Op, states: int) -> _Layer:
    x, batch_first = op.x(0), bool(op.integer("layout", 0))
    if len(x.shape) != 3 or len(op.x(1).shape) != 3 or len(op.x(2).shape) != 3:
        op.refuse(f"operands of shape {x.shape}, {op.x(1).shape} and {op.x(2).shape}", "have three axes each")
    given = tuple(op.maybe(5 + index) for index in range(states))
    if batch_first:
        x = op.builder.transpose(x, (1, 0, 2))
        given = tuple(None if state is None else op.builder.transpose(state, (1, 0, 2)) for state in given)
    if op.has(4):
        lengths = op.known_ints(4, what="sequence lengths")
        if any(length != x.shape[0] for length in lengths):
            op.refuse(f"sequence lengths {lengths} of {x.shape[0]} steps", "be whole sequences")
    direction = op.text("direction", "forward")
    directions = 2 if direction == "bidirectional" else 1
    weight, hidden = op.x(1), op.x(2).shape[2]
    if weight.shape[0] != directions or weight.shape[1] % hidden or op.integer("hidden_size", hidden) != hidden:
        op.refuse(f"weights of shape {weight.shape} and {op.x(2).shape}", f"fit {directions} direction(s) and the hidden size")
    return _Layer(x, weight, op.x(2), op.maybe(3), given, directions, hidden, batch_first, direction == "reverse")


def _weights(op: Op, layer: _Layer, index: int) -> tuple[Value, Value, Value | None, Value | None]:
    """One direction's input and recurrent weights and their biases."""
    weight, recurrence = _direction(op, layer.weight, index), _direction(op, layer.recurrence, index)
    if layer.bias is None:
        return weight, recurrence, None, None
    b_ih, b_hh = _parts(op, _direction(op, layer.bias, index), 2)
    return weight, recurrence, b_ih, b_hh


def _direction(op: Op, x: Value, index: int) -> Value:
    return op.builder.reshape(op.slice(x, 0, index, index + 1), x.shape[1:])


def _state(op: Op, layer: _Layer, state: Value | None, index: int) -> Value | None:
    return None if state is None else _direction(op, state, index)


def _parts(op: Op, x: Value, count: int) -> tuple[Value, ...]:
    size = x.shape[0] // count
    return tuple(op.slice(x, 0, part * size, (part + 1) * size) for part in range(count))


def _functions(op: Op, direction: int, default: tuple[str, ...]) -> tuple[Function, ...]:
    """The activations of one direction. Parameters are lists, from which each activation that has one takes the next."""
    count = len(default)
    names = op.texts("activations", ()) or default * (direction + 1)
    alphas, betas = (iter(op.numbers(name, ())) for name in ("activation_alpha", "activation_beta"))
    made: list[Function] = []
    for name in names[: (direction + 1) * count]:
        if name.lower() not in _FUNCTIONS:
            op.refuse(f"the activation {name!r}", f"be one of {', '.join(sorted(_FUNCTIONS))}")
        function, defaults = _FUNCTIONS[name.lower()]
        given = {"alpha": alphas, "beta": betas}
        parameters = {key: next(given[key], number) for key, number in defaults.items()}
        # The third one of an LSTM acts on its cell, which onnxruntime does not clip.
        made.append(_function(op, function, parameters, clipped=len(made) % count < 2))
    made = made[direction * count :]
    if len(made) != count:
        op.refuse(f"{len(made)} activations", f"be {count} for each direction")
    return tuple(made)


def _function(op: Op, function: str, parameters: dict[str, float], clipped: bool) -> Function:
    """An activation, behind the clip of what goes into it."""
    clip = op.number("clip", 0.0)
    if clip <= 0 or not clipped:
        return lambda x: op.elementwise(function, x, fmt=None, **parameters)
    return lambda x: op.elementwise(function, op.elementwise("clip", x, low=-clip, high=clip), fmt=None, **parameters)


def _results(op: Op, layer: _Layer, results: Sequence[tuple[Value, ...]]) -> Sequence[Value | None]:
    """Y [T, directions, N, H] and the last states [directions, N, H]; batch first: Y [N, T, directions, H], states [N, directions, H]."""
    steps, batch, hidden = results[0][0].shape
    made: list[Value | None] = []
    for place in range(len(results[0])):
        if not op.is_read(place):
            made.append(None)
            continue
        axis = 1 if place == 0 else 0
        shape = (steps, 1, batch, hidden) if place == 0 else (1, batch, hidden)
        rows = [op.builder.reshape(result[place], shape) for result in results]
        joined = rows[0] if len(rows) == 1 else op.emit("move", *rows, op="concat", axis=axis)
        made.append(op.builder.transpose(joined, (2, 0, 1, 3) if place == 0 else (1, 0, 2)) if layer.batch_first else joined)
    return made

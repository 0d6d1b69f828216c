"""LSTM, GRU and RNN layers lowered to matmul and elementwise nodes: one lowering for every plugin.

A layer of T steps is step 0 and a ``loop`` over the others, which costs T − 1 times its body. Step 0 stands apart because its
state is the given one, often a constant. The products with the inputs of all steps are one product before both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from micronet_verify.facts.graph import Value
from micronet_verify.framework.builder import GraphBuilder

Function = Callable[[Value], Value]
Step = Callable[[Value, Sequence[Value]], tuple[Value, ...]]
Product = Callable[[Value, Value, Value | None], Value]
"""x [..., in], weight [out, in] and bias [out]? to [..., out], where it is not plainly a linear layer."""


def lstm(
    builder: GraphBuilder,
    x: Value,
    w_ih: Value | tuple[Value, ...],
    w_hh: Value | tuple[Value, ...],
    b_ih: Value | tuple[Value, ...] | None = None,
    b_hh: Value | tuple[Value, ...] | None = None,
    h0: Value | None = None,
    c0: Value | None = None,
    *,
    gates: str = "ifgo",
    projection: Value | None = None,
    peepholes: tuple[Value, Value, Value] | None = None,
    functions: tuple[Function, Function, Function] | None = None,
    product: Product | None = None,
    kept: tuple[Function, Function] | None = None,
    reverse: bool = False,
) -> tuple[Value, Value, Value]:
    """One direction of an LSTM layer: (y [T, N, S], last h [N, S], last c [N, H]).

    x [T, N, I], w_ih [4H, I], w_hh [4H, S], biases [4H], h0 [N, S], c0 [N, H] (absent: zeros); S = H, or P with
    ``projection`` [P, H]. ``gates`` is the order of the four blocks of rows: input, forget, candidate (g), output in
    PyTorch (``ifgo``), and ``iofg`` in ONNX; weights and biases may also come as one tensor for each gate.
    ``peepholes`` are the weights [H] from the cell to i, o, f. ``functions`` act on the gates, the candidate and the cell
    (sigmoid, tanh, tanh); ``kept`` on h and c before they are kept (quantizers). ``reverse``: from the last step to the first, as in the
    other layers. Formulas: Gers & Schmidhuber (2000), as torch.nn.LSTM.
    """
    hidden = w_ih.shape[0] // 4 if isinstance(w_ih, Value) else w_ih[0].shape[0]
    linear = product or builder.linear
    keep_h, keep_c = kept or (_same, _same)
    on_gate, on_candidate, on_cell = functions or (_sigmoid(builder), _tanh(builder), _tanh(builder))

    def step(gx: Value, state: Sequence[Value]) -> tuple[Value, ...]:
        h, c = state
        total = builder.elementwise("add", gx, _joined(builder, linear, h, w_hh, b_hh))
        raw = {gate: _columns(builder, total, gates.index(gate) * hidden, hidden) for gate in gates}

        def peep(gate: str, cell: Value) -> Value:
            if peepholes is None:
                return raw[gate]
            weight = peepholes["iof".index(gate)]
            return builder.elementwise("add", raw[gate], builder.elementwise("mul", cell, weight))

        i, f, g = on_gate(peep("i", c)), on_gate(peep("f", c)), on_candidate(raw["g"])
        c = keep_c(builder.elementwise("add", builder.elementwise("mul", f, c), builder.elementwise("mul", i, g)))
        h = builder.elementwise("mul", on_gate(peep("o", c)), on_cell(c))
        return keep_h(h if projection is None else linear(h, projection, None)), c

    if product is None:
        b_ih, b_hh = _together(builder, b_ih, b_hh), None
    size = hidden if projection is None else projection.shape[0]
    y, h, c = _run(
        builder,
        _joined(builder, linear, x, w_ih, b_ih),
        (_state(builder, x, h0, size), _state(builder, x, c0, hidden)),
        step,
        reverse,
    )
    return y, h, c


def gru(
    builder: GraphBuilder,
    x: Value,
    w_ih: Value,
    w_hh: Value,
    b_ih: Value | None = None,
    b_hh: Value | None = None,
    h0: Value | None = None,
    *,
    gates: str = "rzn",
    reset_after: bool = True,
    functions: tuple[Function, Function] | None = None,
    reverse: bool = False,
) -> tuple[Value, Value]:
    """One direction of a GRU layer: (y [T, N, H], last h [N, H]).

    x [T, N, I], w_ih [3H, I], w_hh [3H, H], biases [3H], h0 [N, H]. ``gates`` orders the three blocks (PyTorch ``rzn``,
    ONNX ``zrn``). ``reset_after`` applies the reset gate to the product (torch.nn.GRU, ONNX ``linear_before_reset=1``),
    otherwise to the state before it (Cho et al., 2014). h' = (1 − z)·n + z·h.
    """
    hidden = w_ih.shape[0] // 3
    on_gate, on_candidate = functions or (_sigmoid(builder), _tanh(builder))
    b, rows = builder, {gate: gates.index(gate) * hidden for gate in gates}
    split = (
        {} if reset_after else {gate: (_rows(b, w_hh, rows[gate], hidden), _rows_or_none(b, b_hh, rows[gate], hidden)) for gate in gates}
    )

    def step(gx: Value, state: Sequence[Value]) -> tuple[Value, ...]:
        (h,) = state
        from_x = {gate: _columns(b, gx, rows[gate], hidden) for gate in gates}
        if reset_after:
            product = b.linear(h, w_hh, b_hh)
            from_h = {gate: _columns(b, product, rows[gate], hidden) for gate in gates}
        else:
            from_h = {gate: b.linear(h, *split[gate]) for gate in "rz"}
        r, z = (on_gate(b.elementwise("add", from_x[gate], from_h[gate])) for gate in "rz")
        candidate = b.elementwise("mul", r, from_h["n"]) if reset_after else b.linear(b.elementwise("mul", r, h), *split["n"])
        n = on_candidate(b.elementwise("add", from_x["n"], candidate))
        kept = b.elementwise("sub", b.scalar(1.0, z.format), z)
        return (b.elementwise("add", b.elementwise("mul", kept, n), b.elementwise("mul", z, h)),)

    y, h = _run(b, b.linear(x, w_ih, b_ih), (_state(b, x, h0, hidden),), step, reverse)
    return y, h


def rnn(
    builder: GraphBuilder,
    x: Value,
    w_ih: Value,
    w_hh: Value,
    b_ih: Value | None = None,
    b_hh: Value | None = None,
    h0: Value | None = None,
    *,
    function: Function | None = None,
    product: Product | None = None,
    reverse: bool = False,
) -> tuple[Value, Value]:
    """One direction of an Elman RNN layer, h' = tanh(W x + b + R h + b'): (y [T, N, H], last h [N, H])."""
    on_sum, linear = function or _tanh(builder), product or builder.linear
    if product is None and (joined := _together(builder, b_ih, b_hh)) is not None:
        assert isinstance(joined, Value)
        b_ih, b_hh = joined, None

    def step(gx: Value, state: Sequence[Value]) -> tuple[Value, ...]:
        return (on_sum(builder.elementwise("add", gx, linear(state[0], w_hh, b_hh))),)

    y, h = _run(builder, linear(x, w_ih, b_ih), (_state(builder, x, h0, w_ih.shape[0]),), step, reverse)
    return y, h


def _together(
    builder: GraphBuilder, one: Value | tuple[Value, ...] | None, other: Value | tuple[Value, ...] | None
) -> Value | tuple[Value, ...] | None:
    """Two biases of one sum: one bias, which is added to the products with the inputs of all steps (constants are added beforehand)."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, tuple) and isinstance(other, tuple):
        return tuple(builder.elementwise("add", *pair) for pair in zip(one, other, strict=True))
    assert isinstance(one, Value)
    assert isinstance(other, Value)
    return builder.elementwise("add", one, other)


def _same(x: Value) -> Value:
    return x


def _joined(
    builder: GraphBuilder, linear: Product, x: Value, weight: Value | tuple[Value, ...], bias: Value | tuple[Value, ...] | None
) -> Value:
    """The products with each gate's weights side by side [..., 4H]."""
    if isinstance(weight, Value):
        assert bias is None or isinstance(bias, Value)
        return linear(x, weight, bias)
    biases = bias if isinstance(bias, tuple) else (None,) * len(weight)
    parts = [linear(x, each, shift) for each, shift in zip(weight, biases, strict=True)]
    return builder.emit("move", *parts, op="concat", axis=len(x.shape) - 1)


def _run(builder: GraphBuilder, projected: Value, states: Sequence[Value], step: Step, reverse: bool) -> tuple[Value, ...]:
    """``projected`` [T, N, G], states [N, S]: the first state of every step [T, N, S], then each state's last [N, S].

    ``reverse``: step T − 1 comes first, and the states stay in the order of the steps.
    """
    steps, row = projected.shape[0], (1, *projected.shape[1:])
    begin, start, end = (steps - 1, 0, steps - 1) if reverse else (0, 1, steps)
    first = step(_steps(builder, projected, begin, begin + 1), [builder.reshape(state, (1, *state.shape)) for state in states])
    if steps == 1:
        return first[0], *(_drop_time(builder, state) for state in first)
    with builder.inside():
        before = [builder.input(state.shape, state.format) for state in first]
        now = step(builder.reshape(builder.input(row[1:], projected.format), row), before)
        body = builder.finish([*now, now[0]])
    back = (0,) if reverse else ()
    rest = (_steps(builder, projected, start, end),)
    *last, later = builder.loop(body, first, rest, trips=steps - 1, backward=back, collected_backward=back)
    parts = (first[0], builder.reshape(later, (steps - 1, *later.shape[2:])))
    y = builder.emit("move", *(parts[::-1] if reverse else parts), op="concat", axis=0)
    return y, *(_drop_time(builder, state) for state in last)


def _state(builder: GraphBuilder, x: Value, given: Value | None, size: int) -> Value:
    if given is not None:
        return given
    return builder.emit("move", builder.scalar(0.0, x.format), op="expand", shape=(x.shape[1], size))


def _sigmoid(builder: GraphBuilder) -> Function:
    return lambda x: builder.elementwise("sigmoid", x)


def _tanh(builder: GraphBuilder) -> Function:
    return lambda x: builder.elementwise("tanh", x)


def _slice(builder: GraphBuilder, x: Value, axis: int, start: int, end: int) -> Value:
    if (start, end) == (0, x.shape[axis]):
        return x
    return builder.emit("move", x, op="slice", axes=(axis,), starts=(start,), ends=(end,), steps=(1,))


def _steps(builder: GraphBuilder, x: Value, start: int, end: int) -> Value:
    return _slice(builder, x, 0, start, end)


def _columns(builder: GraphBuilder, x: Value, start: int, size: int) -> Value:
    return _slice(builder, x, len(x.shape) - 1, start, start + size)


def _rows(builder: GraphBuilder, weight: Value, start: int, size: int) -> Value:
    return _slice(builder, weight, 0, start, start + size)


def _rows_or_none(builder: GraphBuilder, bias: Value | None, start: int, size: int) -> Value | None:
    return None if bias is None else _rows(builder, bias, start, size)


def _drop_time(builder: GraphBuilder, x: Value) -> Value:
    return builder.reshape(x, x.shape[1:])

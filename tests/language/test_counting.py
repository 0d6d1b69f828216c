"""What a step costs: one token, its states as wide as they are, initial values stored, tokens in states looked up for nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.analysis.values.carried_states import Carried
from micronet_verify.counting.count import count_graph
from micronet_verify.counting.ledger import Ledger, Regime
from micronet_verify.facts.formats import FLOAT32, INT64, numeric_format
from micronet_verify.facts.graph import Value
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.track.rules import CountingRules
from tests.build import Net, dense

WORDS, WIDTH = 20, 8
INT8 = numeric_format("int8")


def ledger(net: Net, *outputs: Value, carried: Carried | None = None, regime: Regime = "quantized") -> Ledger:
    graph = net.finish(*outputs)
    count = count_graph(graph, ConstantStore(net.folder, net.folder), CountingRules(), carried=carried or Carried())
    return count.ledgers[regime]


def embedded(net: Net) -> tuple[Value, Value]:
    """The token, and its row of a table."""
    token = net.b.input((1,), INT64, "token")
    table = net.constant(dense((WORDS, WIDTH), 1), "embed")
    return token, net.b.emit("lookup", table, token, op="embedding", axis=0)


def test_a_look_up_is_free_and_its_table_stored() -> None:
    net = Net.new()
    _, x = embedded(net)
    h = net.b.input((1, WIDTH), FLOAT32, "h")
    found = ledger(net, x, net.b.elementwise("add", x, h), regime="freebie")
    assert found.operations == WIDTH  # h + x
    assert found.storage == Fraction(WORDS * WIDTH * 16, 32)


def test_initial_states_are_stored() -> None:
    net = Net.new()
    _, x = embedded(net)
    h = net.b.input((1, WIDTH), FLOAT32, "h")
    outputs = x, net.b.elementwise("add", x, h)
    initial = dense((1, WIDTH), 5)
    before, after = ledger(net, *outputs), ledger(net, *outputs, carried=Carried({"h": initial}))
    assert after.storage - before.storage == WIDTH
    (line,) = (line for line in after.lines if line.subject == "initial h")
    assert (line.axis, line.quantity, line.bits) == ("storage", WIDTH, 32)
    assert line.note.startswith("initial state, S2")


@pytest.mark.parametrize("initial", [np.zeros((1, WIDTH), np.float32), None])
def test_states_that_begin_at_zero_are_not(initial: np.ndarray | None) -> None:
    net = Net.new()
    _, x = embedded(net)
    h = net.b.input((1, WIDTH), FLOAT32, "h")
    found = ledger(net, x, net.b.elementwise("add", x, h), carried=Carried({} if initial is None else {"h": initial}))
    assert found.storage == WORDS * WIDTH


def product(net: Net, h: Value, name: str = "w") -> Value:
    """[1, width] times a weight of 4-bit integers on one grid."""
    weight = net.constant((np.random.default_rng(7).integers(-7, 8, (WIDTH, WIDTH)) / 8).astype(np.float32), name)
    return net.b.linear(h, weight)


def quantized(net: Net, x: Value) -> tuple[Value, Value]:
    scale, zero = net.constant(np.float32(0.5), "scale"), net.constant(np.int8(0), "zero", np.int8)
    codes = net.b.emit("quantize", x, scale, zero, axis=-1, fmt=INT8)
    return codes, net.b.emit("dequantize", codes, scale, zero, axis=-1, fmt=FLOAT32)


def multiplies(found: Ledger) -> set[int]:
    return {line.bits for line in found.lines if line.axis == "operations" and line.rule == "O1" and line.operation == "multiply"}


def test_an_int8_state_is_eight_bits_wide() -> None:
    net = Net.new()
    _, x = embedded(net)
    codes = net.b.input((1, WIDTH), INT8, "h")
    scale, zero = net.constant(np.float32(0.5), "scale"), net.constant(np.int8(0), "zero", np.int8)
    h = net.b.emit("dequantize", codes, scale, zero, axis=-1, fmt=FLOAT32)
    after, _ = quantized(net, net.b.elementwise("add", product(net, h), x))
    assert multiplies(ledger(net, x, after)) == {8}


def test_a_float_state_is_as_wide_as_what_was_written_into_it() -> None:
    net = Net.new()
    _, x = embedded(net)
    h = net.b.input((1, WIDTH), FLOAT32, "h")
    _, after = quantized(net, net.b.elementwise("add", product(net, h), x))
    assert multiplies(ledger(net, x, after)) == {8}
    # Not where the first token finds something else there:
    assert multiplies(ledger(net, x, after, carried=Carried({"h": dense((1, WIDTH))}))) == {32}


def test_a_float_state_that_is_not_quantized_keeps_its_width() -> None:
    net = Net.new()
    _, x = embedded(net)
    h = net.b.input((1, WIDTH), FLOAT32, "h")
    assert multiplies(ledger(net, x, net.b.elementwise("add", product(net, h), x))) == {32}


def test_an_earlier_token_is_looked_up_for_nothing() -> None:
    net = Net.new()
    token, x = embedded(net)
    last = net.b.input((1,), INT64, "last")
    table = net.constant(dense((WORDS, WIDTH), 2), "before")
    y = net.b.emit("lookup", table, last, op="embedding", axis=0)
    found = ledger(net, net.b.elementwise("add", x, y), token)
    assert found.operations == WIDTH


def test_a_state_that_is_computed_is_no_token() -> None:
    """The same look-up by a number that the model made selects, and costs what a look-up by a computed index costs."""

    found = {}
    for carries in ("a token", "a choice"):
        net = Net.new()
        token, x = embedded(net)
        last = net.b.input((1,), INT64, "last")
        y = net.b.emit("lookup", net.constant(dense((WORDS, WIDTH), 2), "before"), last, op="embedding", axis=0)
        best = net.b.emit("select", x, op="argmax", axis=1, fmt=INT64)
        lines = ledger(net, net.b.elementwise("add", x, y), token if carries == "a token" else best).lines
        found[carries] = {line.subject: line.amount for line in lines if line.axis == "operations" and line.amount}
    assert [line for line in found["a token"] if "lookup" in line] == []
    assert [found["a choice"][line] for line in found["a choice"] if "lookup" in line] == [WIDTH * 5]  # ⌈log₂ 20⌉ selects each (A8)


def test_B8_a_state_of_codes_whose_scale_every_token_computes_anew_is_no_code_of_one_scale() -> None:
    """The largest number over 127 is another scale for every token: what is kept meets the next token's at 32 bits."""
    net = Net.new()
    x, h = net.input(1, WIDTH), net.b.input((1, WIDTH), label="h")
    most = net.b.emit("reduce", net.b.elementwise("abs", x), op="max", axes=(0, 1), keepdims=False)
    scale = net.b.elementwise("div", most, net.constant(np.float32(127), "127"))
    zero = net.constant(np.zeros((), np.int8), "zero", np.int8)
    after = net.b.emit("dequantize", net.b.emit("quantize", x, scale, zero, fmt=numeric_format("int8"), axis=-1), scale, zero, axis=-1)
    weight = net.constant(np.arange(-8, 8).repeat(WIDTH * WIDTH // 16).reshape(WIDTH, WIDTH) * np.float32(0.1), "weight")
    y = net.b.emit("matmul", h, weight, left="ab", right="bc", out="ac")
    assert 8 not in multiplies(ledger(net, y, after, carried=Carried()))

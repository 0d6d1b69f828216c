"""Ways to compute or to store that look like moves, each with its price; every one was a hole once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from micronet_verify.facts.formats import BOOL, FLOAT32, INT64, numeric_format
from tests.build import Net, dense, operations


def test_weights_cannot_hide_in_how_constants_are_joined() -> None:
    """640 signs, laid out from two scalars by a concatenation: 640 values are stored, however few pieces there are."""
    net = Net.new()
    plus, minus = net.constant(np.full((1,), 0.3), "plus"), net.constant(np.full((1,), -0.3), "minus")
    signs = np.random.default_rng(0).random(640) < 0.5
    joined = net.b.emit("move", *(plus if sign else minus for sign in signs), op="concat", axis=0)
    count = net.count(net.b.linear(net.input(1, 64), net.b.reshape(joined, (10, 64))))
    assert count.ledgers["freebie"].storage == Fraction(640 * 16, 32)
    assert count.ledgers["quantized"].storage == Fraction(640 * 1 + 32, 32)


def test_weights_cannot_hide_in_padding() -> None:
    net = Net.new()
    rows = [net.b.emit("move", net.constant([1.5], "one"), op="pad", padding=(at, 9 - at), value=0.0) for at in (3, 7)]
    weight = net.b.reshape(net.b.emit("move", *rows, op="concat", axis=0), (2, 10))
    ledger = net.ledger(net.b.linear(net.input(1, 10), weight))
    assert ledger.storage == Fraction(2 * 16 + 20, 32)  # two values under a mask of twenty bits


def test_a_tiled_row_is_stored_once() -> None:
    net = Net.new()
    weight = net.b.emit("move", net.constant(dense((1, 8))), op="tile", repeats=(4, 1))
    assert net.ledger(net.b.linear(net.input(1, 8), weight)).storage == Fraction(8 * 16, 32)


def test_64_bit_values_have_no_part_in_the_freebie() -> None:
    """Three small integers fit in one double: at 16 bits that would be a third of what they are worth."""
    net = Net.new()
    x = net.b.input((1, 8), numeric_format("float64"), "x")
    ledger = net.ledger(net.b.linear(x, net.constant(dense((4, 8)).astype(np.float64) / 3, dtype=np.float64)))
    assert ledger.storage == Fraction(4 * 8 * 64, 32)
    assert ledger.operations == Fraction(4 * 8 * 64, 32) + Fraction(4 * 7 * 64, 32)


def test_a_scale_for_each_slice_of_an_activation_is_a_multiply() -> None:
    net = Net.new()
    codes = net.b.emit("quantize", net.input(1, 64), net.constant(np.float32(0.1), "s"), fmt=numeric_format("int8"), axis=-1)
    weights = net.constant(dense((64,)) ** 2 + 0.1, "weights")
    ledger = net.ledger(net.b.emit("dequantize", codes, weights, axis=1), regime="quantized")
    assert operations(ledger, "multiply") == 64


def test_a_table_indexed_by_a_computed_number_selects() -> None:
    net = Net.new()
    table = net.constant(dense((256, 4)), "table")
    index = net.b.emit("move", net.b.elementwise("round", net.input(1)), op="cast", fmt=INT64)
    ledger = net.ledger(net.b.emit("lookup", table, index, op="gather", axis=0))
    assert operations(ledger, "multiply") == 1 + 4 * 8  # the rounding, and four elements out of 2⁸ rows (A8)


def test_an_embedding_of_the_models_input_moves_data() -> None:
    net = Net.new()
    token = net.b.input((1,), INT64, "token")
    ledger = net.ledger(net.b.emit("lookup", net.constant(dense((256, 4)), "table"), token, op="embedding", axis=0))
    assert ledger.operations == 0


def test_a_cast_that_rounds_or_compares_is_work() -> None:
    net = Net.new()
    x = net.b.elementwise("relu", net.input(1, 10))
    for fmt in (INT64, BOOL):
        back = net.b.emit("move", net.b.emit("move", x, op="cast", fmt=fmt), op="cast", fmt=FLOAT32)
        assert operations(net.ledger(back), "multiply") == 10 + 10 + (10 if fmt is INT64 else 0)


def test_a_cast_to_a_narrow_integer_forfeits_the_freebie() -> None:
    net = Net.new()
    x = net.b.emit("move", net.b.elementwise("relu", net.input(1, 10)), op="cast", fmt=numeric_format("uint8"))
    count = net.count(net.b.emit("move", x, op="cast", fmt=FLOAT32))
    assert (list(count.ledgers), count.forfeited) == (["quantized"], "move makes uint8")


def test_indices_do_not_widen_what_is_added_at_them() -> None:
    net = Net.new()
    x, index = net.input(1, 10), net.b.constant(np.arange(4).reshape(1, 4), "at")
    updates = net.b.elementwise("relu", net.b.emit("move", x, op="slice", axes=(1,), starts=(0,), ends=(4,), steps=(1,)))
    ledger = net.ledger(net.b.emit("scatter", x, index, updates, op="add", axis=1), regime="quantized")
    assert [(int(line.quantity), line.bits) for line in ledger.lines if line.operation == "add"] == [(4, 32)]

"""The price of operations, closed: each input that once paid less (A…) or more (B…) than it uses, by its id in the list of cases.

Here are A5, A7, A8, A9, A12, A13, B8, B9, B16 and B18d.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.facts.formats import FLOAT32, INT64, numeric_format
from micronet_verify.facts.graph import Value
from tests.build import Net, dense, operations
from tests.language.test_counting import ledger as step_ledger


def codes_of(net: Net, x: Value, bits: int = 8, scale: float = 0.05, low: float | None = None, high: float | None = None) -> Value:
    return net.b.emit("quantize", x, net.constant(np.float32(scale), "s"), fmt=numeric_format(f"int{bits}"), axis=-1, low=low, high=high)


def numbers_of(net: Net, codes: Value, scale: float = 0.05) -> Value:
    return net.b.emit("dequantize", codes, net.constant(np.float32(scale), "s"), axis=-1)


def quantized(net: Net, x: Value, bits: int = 8, scale: float = 0.05) -> Value:
    return numbers_of(net, codes_of(net, x, bits, scale), scale)


def halves(net: Net, x: Value) -> tuple[Value, ...]:
    return net.b.emit_many("move", (x,), (None, None), op="split", axis=1, sizes=(x.shape[1] // 2,) * 2)


@pytest.mark.parametrize("requantized", [False, True])
def test_A5_adds_among_parts_of_one_result_are_its_accumulation(requantized: bool) -> None:
    """64 products of signs for each of 64 results: 64·64 flips of one bit and 64·63 adds of 32, however the sums are written."""
    net = Net.new()
    x = numbers_of(net, codes_of(net, net.input(1, 64, 64), 2, 0.5, low=0.0, high=1.0), 0.5)
    signs = np.where(np.random.default_rng(0).random((1, 64, 1)) < 0.5, -1, 1)
    y = net.b.elementwise("mul", x, net.constant(signs, "signs"))
    while y.shape[1] > 1:
        y = net.b.elementwise("add", *halves(net, y))
        if requantized:
            y = quantized(net, y, 8, 0.5)  # sums of at most 64 ones: every one of them is a code
    found = net.ledger(y, regime="quantized")
    assert found.operations == Fraction(64 * 64, 32) + 64 * 63


def test_A5_a_quantizer_that_cuts_off_does_narrow() -> None:
    """Sums of two 8-bit codes do not fit in eight bits: quantizing them changes values, and the next product is 8 bits wide."""
    net = Net.new()
    x = net.input(1, 64)
    total = net.b.elementwise("add", quantized(net, x), quantized(net, net.b.elementwise("relu", x)))
    weight = net.constant(np.random.default_rng(5).integers(1, 8, (16, 64)) * np.float32(0.1))
    for bits, width in ((8, 8), (12, 32)):
        found = net.ledger(net.b.linear(quantized(net, total, bits), weight), regime="quantized")
        assert [line.bits for line in found.lines if line.rule == "O1" and line.operation == "multiply"] == [width]


@pytest.mark.parametrize("name", ["int64", "float64", "float32"])
@pytest.mark.parametrize("kind", ["sum", "mean", "cumsum", "pool"])
def test_A7_sums_are_as_wide_as_the_widest_input(kind: str, name: str) -> None:
    net = Net.new()
    fmt = numeric_format(name)
    x = net.b.input((1, 4, 8, 8), fmt, "x")
    if kind == "cumsum":
        y = net.b.emit("cumulative", x, op="cumsum", axis=2)
    elif kind == "pool":
        y = net.b.emit("pool", x, op="average", adaptive=(1, 1))
    else:
        y = net.b.emit("reduce", x, op=kind, axes=(2, 3), keepdims=False)
    count = 4 * 8 * 7 if kind == "cumsum" else 4 * 63
    found = net.ledger(y, regime="quantized")
    assert [(line.quantity, line.bits) for line in found.lines if line.operation == "add"] == [(count, max(32, fmt.bits))]
    assert {line.bits for line in found.lines if line.axis == "operations"} == {max(32, fmt.bits)}


@pytest.mark.parametrize("computed", [True, False])
@pytest.mark.parametrize("rows", [2, 16, 17])
def test_A8_a_row_chosen_by_a_computed_index_is_a_tree_of_selects(rows: int, computed: bool) -> None:
    """⌈log₂ K⌉ selects for each of the three elements, whether the table was computed or is stored."""
    net = Net.new()
    x = net.input(1, rows, 3)
    table = net.b.reshape(net.b.elementwise("relu", x), (rows, 3)) if computed else net.constant(dense((rows, 3)))
    place = net.b.emit("select", net.b.reshape(net.b.emit("move", x, op="slice", axes=(2,), starts=(0,), ends=(1,), steps=(1,)), (1, rows)),
                       op="argmax", axis=1)  # fmt: skip
    found = net.ledger(net.b.emit("lookup", table, place, op="gather", axis=0))
    selects = {2: 1, 16: 4, 17: 5}[rows]
    assert [line.quantity for line in found.lines if line.rule == "O20"] == [3 * selects]


def test_A8_tuples_choose_among_all_places_that_they_name() -> None:
    net = Net.new()
    x = net.input(5, 7, 3)
    some = net.b.emit("move", x, op="slice", axes=(2,), starts=(0,), ends=(2,), steps=(1,))
    index = net.b.emit("select", net.b.transpose(some, (2, 0, 1)), op="argmax", axis=1)
    found = net.ledger(net.b.emit("lookup", x, net.b.transpose(index, (1, 0)), op="nd", axis=0))
    assert [line.quantity for line in found.lines if line.rule == "O20"] == [7 * 3 * 6]  # 35 places


def test_A8_a_token_looks_up_for_nothing() -> None:
    net = Net.new()
    token = net.b.input((1,), INT64, "token")
    assert net.ledger(net.b.emit("lookup", net.constant(dense((256, 4))), token, op="embedding", axis=0)).operations == 0


def test_A12_a_table_of_labels_behind_a_hash_of_five_pixels_pays_its_price() -> None:
    """A12 is priced rightly and still worthless: 5 products, 4 adds, a remainder, a cast, and 10 elements of 6 selects each.

    Of storage: five weights of the hash, 64 rows of one label among ten (masked), and the 64. That it answers by heart is
    for a probe to find, not for a price.
    """
    net = Net.new()
    labels = np.eye(10, dtype=np.float32)[np.random.default_rng(0).integers(0, 10, 64)]
    hashed = net.b.linear(net.input(1, 5), net.constant([[1, 5, 25, 125, 625]]))
    place = net.b.emit("move", net.b.elementwise("mod", hashed, net.b.scalar(64.0)), op="cast", fmt=INT64)
    found = net.ledger(net.b.emit("lookup", net.constant(labels), net.b.reshape(place, (1,)), op="gather", axis=0), regime="freebie")
    quantities = {(line.rule, line.operation): line.quantity for line in found.lines if line.axis == "operations"}
    assert quantities == {
        ("O1", "multiply"): 5,
        ("O1", "add"): 4,
        ("O8", "multiply"): 1,
        ("O4", "multiply"): 1,
        ("O20", "multiply"): 10 * 6,
    }
    stored = sum(line.amount for line in found.lines if line.axis == "storage")
    assert stored * 32 == 5 * 16 + min(64 * 10 * 16, 64 * 16 + 64 * 10) + 16


def test_A9_weights_that_are_scales_of_codes_are_multiplies() -> None:
    """64 two-bit codes by 16 rows of float weights: 64·16 = 32·32 multiplies and 16·63 adds, of 32 bits."""
    net = Net.new()
    codes = codes_of(net, net.input(1, 64), 2)
    parts = net.b.emit_many("move", (codes,), (None,) * 64, op="split", axis=1, sizes=(1,) * 64)
    weights = dense((16, 64)) ** 2 + 0.1
    rows = []
    for row in weights:
        terms = [numbers_of(net, part, float(scale)) for part, scale in zip(parts, row, strict=True)]
        total = terms[0]
        for term in terms[1:]:
            total = net.b.elementwise("add", total, term)
        rows.append(total)
    found = net.ledger(net.b.emit("move", *rows, op="concat", axis=1), regime="quantized")
    assert found.operations == 32 * 32 + 16 * 63 == 2032


def test_A9_the_scale_that_codes_were_made_with_is_free() -> None:
    net = Net.new()
    codes = codes_of(net, net.input(1, 64))
    assert net.ledger(numbers_of(net, codes), regime="quantized").operations == 0
    assert net.ledger(numbers_of(net, codes, 0.06), regime="quantized").operations == 64


def test_A9_codes_that_are_given_have_one_scale_for_nothing() -> None:
    net = Net.new()
    x = net.b.input((1, 64), numeric_format("uint8"), "x")
    first = numbers_of(net, x, 0.05)
    assert net.ledger(first, regime="quantized").operations == 0
    assert net.ledger(first, numbers_of(net, x, 0.06), regime="quantized").operations == 2 * 64


@pytest.mark.parametrize(("other", "bits"), [(0.05, 4), (0.07, 32)])
def test_B18d_codes_of_two_scales_meet_at_32_bits_added_or_joined(other: float, bits: int) -> None:
    net = Net.new()
    x = net.input(1, 32)
    one, two = quantized(net, x, 4), quantized(net, net.b.elementwise("sin", x), 4, other)
    added = net.ledger(net.b.elementwise("add", one, two), regime="quantized")
    assert [(line.quantity, line.bits) for line in added.lines if line.operation == "add"] == [(32, bits)]
    weight = net.constant(np.random.default_rng(5).integers(1, 4, (16, 64)) * np.float32(0.1))
    joined = net.ledger(net.b.linear(net.b.emit("move", one, two, op="concat", axis=1), weight), regime="quantized")
    assert [line.bits for line in joined.lines if line.rule == "O1" and line.operation == "multiply"] == [bits]


@pytest.mark.parametrize(("exclusive", "steps"), [(None, 7), (True, 6)])
@pytest.mark.parametrize("op", ["cumsum", "cumprod"])
def test_A13_an_exclusive_cumulative_sum_is_one_add_less_a_row(exclusive: bool | None, steps: int, op: str) -> None:
    net = Net.new()
    found = net.ledger(net.b.emit("cumulative", net.input(1, 3, 8), op=op, axis=2, exclusive=exclusive))
    assert sum(line.quantity for line in found.lines if line.axis == "operations") == 3 * steps


@pytest.mark.parametrize("zeros", [[0.0], [0.0] * 5, [0.0, 0.5, 0.0, 0.25, 0.5]])
def test_A13_weights_whose_scale_is_zero_are_zeros(zeros: list[float]) -> None:
    """5 rows of 3 codes: a row of scale 0 is neither multiplied, nor added, nor stored as anything but its mask."""
    net = Net.new()
    codes = net.constant(np.arange(1, 16).reshape(5, 3) * 7 % 16 + 1, "w", np.int8)
    weight = net.b.emit("dequantize", codes, net.constant(zeros, "s"), axis=-1 if len(zeros) == 1 else 0)
    found = net.ledger(net.b.linear(net.input(1, 3), weight), regime="quantized")
    rows = sum(scale != 0 for scale in zeros)
    assert (operations(found, "multiply"), operations(found, "add")) == (3 * rows, 2 * rows)


@pytest.mark.parametrize("spelling", ["bias", "add"])
def test_B16_only_outputs_whose_bias_is_not_zero_pay(spelling: str) -> None:
    net = Net.new()
    bias, x = dense((10,)), net.input(1, 8)
    bias[:4] = 0
    weight, constant = net.constant(dense((10, 8))), net.constant(bias, "bias")
    y = net.b.linear(x, weight, constant) if spelling == "bias" else net.b.elementwise("add", net.b.linear(x, weight), constant)
    assert operations(net.ledger(y), "add") == 10 * 7 + 6


def test_B16_a_convolution_pays_for_the_positions_of_channels_with_a_bias() -> None:
    net = Net.new()
    bias = dense((16,))
    bias[3:] = 0
    y = net.conv(net.input(1, 3, 8, 8), net.constant(dense((16, 3, 3, 3))), net.constant(bias, "bias"), pad=1)
    assert operations(net.ledger(y), "add") == 8 * 8 * (16 * 26 + 3)


@pytest.mark.parametrize("shifted", [True, False])
def test_B8_a_state_that_is_shifted_is_as_wide_as_what_is_written_into_it(shifted: bool) -> None:
    """A cache of four keys: the oldest is dropped, the newest appended, in 8 bits; the product over it is 8 bits wide."""
    net = Net.new()
    token = net.b.input((1,), INT64, "token")
    state = net.b.input((4, 16), FLOAT32, "keys")
    key = quantized(net, net.b.elementwise("sin", net.b.emit("lookup", net.constant(dense((9, 16))), token, op="embedding", axis=0)))
    older = (
        net.b.emit("move", state, op="slice", axes=(0,), starts=(1,), ends=(4,), steps=(1,)) if shifted else net.constant(dense((3, 16)))
    )
    after = net.b.emit("move", older, key, op="concat", axis=0)
    weight = net.constant(np.random.default_rng(5).integers(1, 8, (16, 16)) * np.float32(0.1), "w")
    found = step_ledger(net, net.b.linear(after, weight), after)
    assert [line.bits for line in found.lines if line.rule == "O1" and line.operation == "multiply"] == [8 if shifted else 32]


@pytest.mark.parametrize(("levels", "bits"), [(8, 4), (100, 8), (0, 32)])
def test_B9_a_row_looked_up_in_a_quantized_table_is_as_wide_as_the_table(levels: int, bits: int) -> None:
    net = Net.new()
    values = np.random.default_rng(1).integers(-levels, levels, (64, 16)) * np.float32(0.3) if levels else dense((64, 16))
    token = net.b.input((1,), INT64, "token")
    row = net.b.emit("lookup", net.constant(values, "table"), token, op="embedding", axis=0)
    weight = net.constant(np.random.default_rng(5).integers(1, 4, (10, 16)) * np.float32(0.1), "w")
    found = net.ledger(net.b.linear(row, weight), regime="quantized")
    assert [line.bits for line in found.lines if line.rule == "O1" and line.operation == "multiply"] == [bits]

"""The worked examples of COUNTING_RULES, one test per rule id, with their arithmetic in sight."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.counting.ledger import Ledger
from micronet_verify.facts.formats import numeric_format
from micronet_verify.track.rules import CountingRules
from tests.build import Net, dense, operations


def conv_entry(**options: int) -> tuple[Net, object]:
    net = Net.new()
    y = net.conv(net.input(1, 3, 224, 224), net.constant(dense((32, 3, 3, 3))), net.constant(dense((32,)), "b"), stride=2, pad=1)
    return net, y


def test_S1_an_8_bit_weight_is_a_quarter_of_a_parameter() -> None:
    net = Net.new()
    codes = np.random.default_rng(0).integers(-127, 128, (16, 64))
    codes[:, 0], codes[:, 1] = 127, 126
    y = net.b.linear(net.input(1, 64), net.constant(codes * np.float32(0.37)))
    ledger = net.ledger(y, regime="quantized")
    mask_free = Fraction(16 * 64 * 8 + 1 * 32, 32)
    assert ledger.storage == mask_free


def test_S5_freebie_conv_with_bias_stores_448_words() -> None:
    net, y = conv_entry()
    assert net.ledger(y).storage == Fraction((3 * 3 * 3 * 32 + 32) * 16, 32) == 448


def test_S3_mask_and_half_the_weights() -> None:
    net = Net.new()
    weight = dense((32, 3, 3, 3)).reshape(-1)
    weight[np.random.default_rng(1).permutation(864)[:432]] = 0
    x, w, bias = net.input(1, 3, 8, 8), net.constant(weight.reshape(32, 3, 3, 3)), net.constant(dense((32,)), "b")
    assert net.ledger(net.conv(x, w, bias, pad=1)).storage == Fraction(432 * 16 + 864 + 32 * 16, 32) == Fraction(8288, 32)


def test_S3_blocks_of_4_by_4_take_one_mask_bit_each() -> None:
    net = Net.new()
    kept = np.random.default_rng(2).random((128, 32)) < 0.5
    weight = dense((512, 128)) * np.kron(kept, np.ones((4, 4)))
    ledger = net.ledger(net.b.linear(net.input(1, 128), net.constant(weight)))
    mask = next(line for line in ledger.lines if line.rule == "S3")
    assert mask.quantity == 512 * 128 // 16
    assert ledger.storage == Fraction(int(kept.sum()) * 16 * 16 + 4096, 32)


def test_S3_a_mask_that_does_not_pay_is_not_used() -> None:
    net = Net.new()
    weight = dense((16, 64))
    weight[0, 0] = 0
    assert net.ledger(net.b.linear(net.input(1, 64), net.constant(weight))).storage == Fraction(16 * 64 * 16, 32)


def test_S4_a_tied_embedding_is_stored_once() -> None:
    net = Net.new()
    table = net.constant(dense((100, 8)), "embedding")
    token = net.b.input((1,), fmt=net.b.constant(np.zeros(1, np.int64)).format)
    hidden = net.b.emit("lookup", table, token, op="embedding", axis=0)
    ledger = net.ledger(net.b.linear(hidden, table))
    assert ledger.storage == Fraction(100 * 8 * 16, 32)


def test_S4_an_export_that_lost_the_tie_does_not_pay_twice() -> None:
    net = Net.new()
    one, other = net.constant(dense((8, 8)), "one"), net.constant(dense((8, 8)), "other")
    ledger = net.ledger(net.b.linear(net.b.linear(net.input(1, 8), one), other))
    assert ledger.storage == Fraction(8 * 8 * 16, 32)
    assert [line.note for line in ledger.lines if line.rule == "S4"] == ["stored once, as one"]


def test_S6_and_O16_what_no_output_needs_is_listed_and_free() -> None:
    net = Net.new()
    x = net.input(1, 8)
    net.b.linear(x, net.constant(dense((50, 8)), "head.weight"))
    ledger = net.ledger(net.b.elementwise("relu", x))
    assert (ledger.storage, ledger.operations) == (0, Fraction(8 * 16, 32))
    assert {(line.rule, line.subject) for line in ledger.lines if line.amount == 0} >= {("S6", "head.weight"), ("O16", "matmul")}


def test_S7_batch_norm_after_a_convolution_becomes_its_bias() -> None:
    net = Net.new()
    y = net.batch_norm(net.conv(net.input(1, 3, 8, 8), net.constant(dense((4, 3, 3, 3))), pad=1), 4)
    ledger = net.ledger(y)
    assert ledger.storage == Fraction((4 * 3 * 9 + 4) * 16, 32)
    assert operations(ledger, "multiply") == 8 * 8 * 4 * 27
    assert operations(ledger, "add") == 8 * 8 * 4 * (26 + 1)


def test_S7_without_a_linear_operator_it_is_charged() -> None:
    net = Net.new()
    ledger = net.ledger(net.batch_norm(net.b.elementwise("relu", net.input(1, 4, 8, 8)), 4))
    assert ledger.storage == Fraction(2 * 4 * 16, 32)
    assert operations(ledger, "multiply") == 4 * 64 + 4 * 64
    assert operations(ledger, "add") == 4 * 64


def test_S7_shift_only_charges_one_bias_wherever_it_stands() -> None:
    net = Net.new()
    y = net.batch_norm(net.b.elementwise("relu", net.input(1, 4, 8, 8)), 4)
    ledger = net.ledger(y, rules=CountingRules(batch_norm="shift_only"))
    assert ledger.storage == Fraction(4 * 16, 32)
    assert operations(ledger, "multiply") == 4 * 64
    assert operations(ledger, "add") == 4 * 64


def test_S8_a_codebook_stores_indices_and_entries() -> None:
    net = Net.new()
    entries = (np.sqrt(np.arange(1, 257, dtype=np.float32))).astype(np.float16).astype(np.float32)
    assert len(np.unique(entries)) == 256
    weight = entries[np.random.default_rng(4).integers(0, 256, (128, 256))]
    ledger = net.ledger(net.b.linear(net.input(1, 256), net.constant(weight)), regime="quantized")
    assert ledger.storage == Fraction(128 * 256 * 8 + 256 * 16, 32)


def test_O1_and_O4_the_worked_convolution_with_swish() -> None:
    net, y = conv_entry()
    ledger = net.ledger(net.b.elementwise("silu", y))
    outputs = 112 * 112 * 32
    assert operations(ledger, "multiply") == outputs * (27 + 3) == 12_042_240
    assert operations(ledger, "add") == outputs * (26 + 1 + 1) == 11_239_424


def test_O1_n_is_counted_per_output() -> None:
    net = Net.new()
    weight = dense((3, 10))
    weight[0, :4] = 0
    weight[1] = 0
    ledger = net.ledger(net.b.linear(net.input(1, 10), net.constant(weight)))
    assert operations(ledger, "multiply") == 6 + 0 + 10
    assert operations(ledger, "add") == 5 + 0 + 9


@pytest.mark.parametrize(("weight_bits", "activation_bits"), [(3, 5), (8, 4), (2, 8)])
def test_O2_a_multiply_is_as_wide_as_its_widest_input(weight_bits: int, activation_bits: int) -> None:
    net = Net.new()
    x = quantized_input(net, activation_bits, 64)
    top = 2 ** (weight_bits - 1) - 1
    codes = np.random.default_rng(5).integers(-top - 1, top + 1, (16, 64))
    codes[:, :3] = [[-top - 1, top, 1]]
    ledger = net.ledger(net.b.linear(x, net.constant(codes * np.float32(0.1))), regime="quantized")
    multiplies = [line for line in ledger.lines if line.operation == "multiply"]
    assert [(line.quantity, line.bits) for line in multiplies] == [(int((codes != 0).sum()), max(weight_bits, activation_bits))]


def test_O2_weights_alone_do_not_narrow_a_multiply_with_fp32() -> None:
    net = Net.new()
    codes = np.random.default_rng(5).integers(1, 8, (16, 64))
    ledger = net.ledger(net.b.linear(net.input(1, 64), net.constant(codes * np.float32(0.1))), regime="quantized")
    assert {line.bits for line in ledger.lines if line.operation == "multiply"} == {32}


def quantized_input(net: Net, bits: int, *shape: int) -> object:
    scale = net.constant(np.float32(0.05), "scale")
    x = net.input(1, *shape)
    codes = net.b.emit("quantize", x, scale, fmt=numeric_format(f"int{bits}"), axis=-1)
    return net.b.emit("dequantize", codes, scale, axis=-1)


def multiply_widths(ledger: Ledger) -> set[int]:
    return {line.bits for line in ledger.lines if line.operation == "multiply"}


def test_O2_scales_along_the_sum_do_not_factor_out() -> None:
    """A scale per input channel, or per block of them, stays inside the sum: it saves storage and no width."""
    codes = np.random.default_rng(5).integers(-8, 8, (16, 64)).astype(np.int8)
    codes[:, :2] = [[-8, 7]]
    found = []
    for axis, shape, block in ((0, (16,), 0), (1, (64,), 0), (1, (16, 4), 16)):
        net = Net.new()
        stored, scales = net.constant(codes, "w", np.int8), net.constant(dense(shape) ** 2 + 0.1, "s")
        w = net.b.emit("dequantize", stored, scales, axis=axis, block=block or None)
        found.append(multiply_widths(net.ledger(net.b.linear(quantized_input(net, 8, 64), w), regime="quantized")))  # type: ignore[arg-type]
    assert found == [{8}, {32}, {32}]


def test_O2_activations_of_several_scales_are_as_wide_as_floats() -> None:
    net = Net.new()
    scales = net.constant(dense((64,)) ** 2 + 0.1, "scale")
    codes = net.b.emit("quantize", net.input(1, 64), scales, fmt=numeric_format("int8"), axis=1)
    x = net.b.emit("dequantize", codes, scales, axis=1)
    weight = net.constant(np.random.default_rng(5).integers(1, 8, (16, 64)) * np.float32(0.1))
    assert multiply_widths(net.ledger(net.b.linear(x, weight), regime="quantized")) == {32}


@pytest.mark.parametrize(("other", "bits"), [(0.05, 8), (0.07, 32)])
def test_O2_joined_activations_keep_their_width_where_they_share_a_scale(other: float, bits: int) -> None:
    net = Net.new()
    x, parts = net.input(1, 32), []
    for number in (0.05, other):
        scale = net.constant(np.float32(number), "scale")
        codes = net.b.emit("quantize", x, scale, fmt=numeric_format("int8"), axis=-1)
        parts.append(net.b.emit("dequantize", codes, scale, axis=-1))
    joined = net.b.emit("move", *parts, op="concat", axis=1)
    weight = net.constant(np.random.default_rng(5).integers(1, 8, (16, 64)) * np.float32(0.1))
    assert multiply_widths(net.ledger(net.b.linear(joined, weight), regime="quantized")) == {bits}


def test_O3_binary_weights_flip_the_sign_of_floats_for_one_bit() -> None:
    net = Net.new()
    signs = np.where(np.random.default_rng(6).random((16, 64)) < 0.5, -1, 1)
    ledger = net.ledger(net.b.linear(net.input(1, 64), net.constant(signs * np.float32(0.3))), regime="quantized")
    assert [(line.rule, line.bits) for line in ledger.lines if line.operation == "multiply"] == [("O3", 1)]
    assert ledger.storage == Fraction(16 * 64 * 1 + 32, 32)


def test_O3_not_for_twos_complement() -> None:
    net = Net.new()
    signs = np.where(np.random.default_rng(6).random((16, 64)) < 0.5, -1, 1)
    ledger = net.ledger(net.b.linear(quantized_input(net, 8, 64), net.constant(signs * np.float32(0.3))), regime="quantized")
    assert [(line.rule, line.bits) for line in ledger.lines if line.operation == "multiply"] == [("O1", 8)]


def test_O4_relu() -> None:
    net = Net.new()
    assert operations(net.ledger(net.b.elementwise("relu", net.input(1, 64, 56, 56))), "multiply") == 56 * 56 * 64 == 200_704


def test_O5_global_average_pooling() -> None:
    net = Net.new()
    ledger = net.ledger(net.b.emit("pool", net.input(1, 1280, 7, 7), op="average", adaptive=(1, 1)))
    assert operations(ledger, "add") == 1280 * (49 - 1) == 61_440
    assert operations(ledger, "multiply") == 1_280


def test_O5_max_pooling_compares() -> None:
    net = Net.new()
    y = net.b.emit("pool", net.input(1, 8, 6, 6), op="max", kernel=(3, 3), stride=(2, 2), padding=(1, 1, 1, 1))
    assert operations(net.ledger(y), "multiply") == 8 * 3 * 3 * (9 - 1)


def test_O6_padded_positions_are_full_work() -> None:
    net = Net.new()
    ledger = net.ledger(net.conv(net.input(1, 1, 4, 4), net.constant(dense((1, 1, 3, 3))), pad=1))
    assert operations(ledger, "multiply") == 4 * 4 * 9


def test_O7_multiplies_at_16_bits_adds_at_32() -> None:
    net, y = conv_entry()
    outputs = 112 * 112 * 32
    assert net.ledger(y).operations == Fraction(outputs * 27 * 16, 32) + outputs * 27


def test_O8_residual_add() -> None:
    net = Net.new()
    x = net.input(1, 24, 56, 56)
    assert operations(net.ledger(net.b.elementwise("add", x, net.b.elementwise("relu", x))), "add") == 56 * 56 * 24 == 75_264


def shuffle(net: Net, x: object, groups: int) -> object:
    _, channels, height, width = x.shape  # type: ignore[attr-defined]
    y = net.b.reshape(x, (1, groups, channels // groups, height, width))  # type: ignore[arg-type]
    return net.b.reshape(net.b.transpose(y, (0, 2, 1, 3, 4)), (1, channels, height, width))


def test_O9_channel_shuffle_by_reshape_and_by_index_cost_the_same() -> None:
    net, other = Net.new(), Net.new()
    spelled = net.ledger(shuffle(net, net.input(1, 116, 28, 28), 2))
    index = np.arange(116).reshape(2, 58).T.reshape(-1)
    y = other.b.emit("permute", other.input(1, 116, 28, 28), other.b.constant(index, "order"), op="index", axis=1)
    indexed = other.ledger(y)
    assert operations(spelled, "multiply") == 116 * 28 * 28 == 90_944
    assert spelled.storage == Fraction(116 + 116 * 116, 32)
    assert (indexed.storage, indexed.operations) == (spelled.storage, spelled.operations)


def test_O9_merging_attention_heads_moves_data() -> None:
    net = Net.new()
    heads = net.b.transpose(net.b.reshape(net.input(1, 10, 32), (1, 10, 4, 8)), (0, 2, 1, 3))
    merged = net.b.reshape(net.b.transpose(net.b.elementwise("relu", heads), (0, 2, 1, 3)), (1, 10, 32))
    assert net.ledger(merged).operations == Fraction(10 * 32 * 16, 32)


def test_O9_a_shuffle_cannot_hide_behind_a_relu() -> None:
    net = Net.new()
    y = net.b.elementwise("relu", net.b.reshape(net.input(1, 8, 2, 2), (1, 2, 4, 2, 2)))
    ledger = net.ledger(net.b.reshape(net.b.transpose(y, (0, 2, 1, 3, 4)), (1, 8, 2, 2)))
    assert operations(ledger, "multiply") == 8 * 4 + 8 * 4


def test_O9_a_shuffle_that_two_branches_read_is_charged_once() -> None:
    net = Net.new()
    y = shuffle(net, net.input(1, 8, 2, 2), 2)
    out = net.b.elementwise("add", y, net.b.elementwise("relu", y))  # type: ignore[arg-type]
    assert operations(net.ledger(out), "multiply") == 8 * 4 + 8 * 4


def test_O9_equal_permutations_are_one_matrix() -> None:
    net = Net.new()
    y = net.conv(shuffle(net, net.input(1, 8, 2, 2), 2), net.constant(dense((8, 1, 1, 1))), groups=8)  # type: ignore[arg-type]
    index = np.arange(8).reshape(2, 4).T.reshape(-1)
    y = net.b.emit("permute", y, net.b.constant(index, "order"), op="index", axis=1)
    lines = [line for line in net.ledger(y).lines if line.rule == "O9"]
    assert sum(line.amount for line in lines if line.axis == "storage") == Fraction(8 + 8 * 8, 32)
    assert sum(line.quantity for line in lines if line.axis == "operations") == 2 * 8 * 4


def test_O9_two_shuffles_with_only_a_relu_between_are_one_permutation() -> None:
    net = Net.new()
    y = shuffle(net, net.b.elementwise("relu", shuffle(net, net.input(1, 8, 2, 2), 2)), 2)  # type: ignore[arg-type]
    assert operations(net.ledger(y), "multiply") == 8 * 4 + 8 * 4


def test_O9_the_free_reading() -> None:
    net = Net.new()
    ledger = net.ledger(shuffle(net, net.input(1, 116, 28, 28), 2), rules=CountingRules(permutation="free"))
    assert (ledger.storage, ledger.operations) == (0, 0)


def test_O10_resizes() -> None:
    net = Net.new()
    x = net.input(1, 3, 21, 21)
    nearest, linear = (net.b.emit("resize", x, op=op, shape=(1, 3, 63, 63)) for op in ("nearest", "linear"))
    assert operations(net.ledger(nearest), "multiply") == 63 * 63 * 3 == 11_907
    other = net.ledger(linear)
    assert (operations(other, "multiply"), operations(other, "add")) == (4 * 11_907, 3 * 11_907)


def test_O11_conversions_that_fp32_holds_are_free() -> None:
    net = Net.new()
    assert net.ledger(quantized_input(net, 8, 10), regime="quantized").operations == 0


def test_O12_sums_are_charged_at_32_bits() -> None:
    net = Net.new()
    codes = np.random.default_rng(5).integers(-8, 8, (16, 9))
    codes[:, :2] = [[-8, 7]]
    ledger = net.ledger(net.b.linear(quantized_input(net, 4, 9), net.constant(codes * np.float32(0.1))), regime="quantized")
    assert {line.bits for line in ledger.lines if line.operation == "add"} == {32}


def four_bit_product(net: Net, codes: object) -> object:
    return net.b.linear(quantized_input(net, 4, 9), net.constant(np.asarray(codes) * np.float32(0.1)))  # type: ignore[arg-type]


def test_O12_a_narrower_sum_counts_where_it_is_proved() -> None:
    """4-bit × 4-bit, n = 9: 8-bit products, and 8 + ⌈log₂ 9⌉ = 12 bits for any weights; these weights need 11."""
    net = Net.new()
    codes = np.full((2, 9), -8)
    codes[:, 0] = 7
    ledger = net.ledger(four_bit_product(net, codes), regime="quantized", rules=CountingRules(accumulator="proved"))  # type: ignore[arg-type]
    sums = [line for line in ledger.lines if line.operation == "add"]
    assert [(line.rule, int(line.quantity), line.bits) for line in sums] == [("O12", 2 * 8, 11)]
    high, low = 8 * -8 * -8 + 7 * 7, 8 * -8 * 7 + 7 * -8
    assert sums[0].note == f"partial sums lie in [{low}, {high}]: 11 bits cannot overflow"


def test_O12_an_adder_tree_grows_one_bit_a_level() -> None:
    net = Net.new()
    codes = np.full((1, 9), -8)
    codes[0, 0] = 7
    ledger = net.ledger(four_bit_product(net, codes), regime="quantized", rules=CountingRules(accumulator="tree"))  # type: ignore[arg-type]
    sums = [(int(line.quantity), line.bits) for line in ledger.lines if line.operation == "add"]
    assert sums == [(4, 8), (2, 9), (1, 10), (1, 11)]


def test_O12_without_a_known_range_nothing_is_proved() -> None:
    net = Net.new()
    codes = np.random.default_rng(5).integers(1, 8, (16, 64))
    y = net.b.linear(net.input(1, 64), net.constant(codes * np.float32(0.1)))
    ledger = net.ledger(y, regime="quantized", rules=CountingRules(accumulator="proved"))
    assert {line.bits for line in ledger.lines if line.operation == "add"} == {32}


def test_O13_a_branch_is_charged_by_how_often_it_is_taken() -> None:
    net = Net.new()
    x = net.input(1, 8)
    predicate = net.b.elementwise("greater", net.b.emit("reduce", x, op="sum", axes=(0, 1), keepdims=False), net.b.scalar(0.25))
    bodies = []
    for functions in (("relu", "sigmoid"), ("relu",)):
        inner = net.b.body()
        y = x
        for function in functions:
            y = inner.elementwise(function, y)
        bodies.append(inner.finish([y]))
    (out,) = net.b.emit_bodies("branch", (predicate,), bodies, id="exit")
    count = net.count(out, shares={"exit": Fraction(3, 10)})
    expected = Fraction(7) + 1 + 8 * 1 * Fraction(3, 10) + 8 * 3 * Fraction(3, 10) + 8 * 1 * Fraction(7, 10)
    assert sum(line.quantity for line in count.ledgers["freebie"].lines if line.axis == "operations") == expected


def test_two_regimes_a_quantize_node_forfeits_the_freebie() -> None:
    net = Net.new()
    count = net.count(net.b.linear(quantized_input(net, 8, 16), net.constant(dense((4, 16)))))  # type: ignore[arg-type]
    assert list(count.ledgers) == ["quantized"]
    assert count.forfeited == "quantize quantizes"


def test_two_regimes_plain_floats_on_a_grid_may_use_either() -> None:
    net = Net.new()
    codes = np.random.default_rng(5).integers(1, 8, (16, 64))
    count = net.count(net.b.linear(net.input(1, 64), net.constant(codes * np.float32(0.1))))
    assert list(count.ledgers) == ["freebie", "quantized"]


def test_one_of_a_thing_is_singular() -> None:
    net = Net.new()
    y = net.b.linear(net.input(1, 3), net.constant(dense((2, 3))))
    formulas = [line.formula for line in net.ledger(net.b.emit("softmax", y, op="softmax", axis=1)).lines]
    assert formulas == ["2×3: 6 values × 16 bit", "1 position × 6 weights", "1 × (6 − 2 rows)", "2 exp", "2 − 1 row", "2 divides"]


def test_a_shift_of_zeros_behind_a_norm_is_no_add() -> None:
    """As an add of zeros that is written out: neither work nor storage."""
    counts = []
    for shift in (np.zeros(8), dense((8,))):
        net = Net.new()
        x = net.input(1, 4, 8)
        y = net.b.emit("normalise", x, net.constant(dense((8,), 1)), net.constant(shift), op="layer_norm", eps=1e-5, axes=(2,))
        counts.append(operations(net.ledger(y), "add"))
    assert counts[1] - counts[0] == 4 * 8

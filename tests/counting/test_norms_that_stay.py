"""S7: a batch norm folds where that makes the entry no dearer, norm by norm (B3, B18a), and folding leaves what a file leaves that
folded beforehand: zeros that are zeros (B1), no shift of zeros (B2). Weights that are stored as parts take no scale."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet_verify.counting.count import Count
from micronet_verify.counting.ledger import Regime
from micronet_verify.facts.graph import Value
from tests.build import Net, dense, operations

RANDOM = np.random.default_rng(3)
C, SIZE = 64, 8
SHAPE, WEIGHTS = (C, C, 3, 3), C * C * 9
CODEBOOK = dense((16,), 1)[RANDOM.integers(0, 16, SHAPE)]
HALF = dense(SHAPE, 2).astype(np.float16).astype(np.float32)
ZEROS = RANDOM.random(SHAPE) < 0.5
CODES = RANDOM.integers(-100, 100, SHAPE).astype(np.int8)
TERNARY = np.where(ZEROS, 0, np.where(RANDOM.random(SHAPE) < 0.5, 0.7131, -0.3537)).astype(np.float32)


def normed(weight: NDArray[np.float32], bias: bool = False, size: int = SIZE) -> Count:
    net = Net.new()
    x = net.input(1, weight.shape[1], size, size)
    added = net.constant(dense((len(weight),), 9), "conv.bias") if bias else None
    return net.count(net.batch_norm(net.conv(x, net.constant(weight, "conv.weight"), added, pad=1), len(weight)))


def storage(count: Count, regime: Regime) -> Fraction:
    return count.ledgers[regime].storage


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (CODEBOOK, Fraction(WEIGHTS * 4, 32) + 16),
        (HALF, Fraction(WEIGHTS * 16, 32)),
        (TERNARY, Fraction(np.count_nonzero(TERNARY).item() + WEIGHTS, 32) + 2),
    ],
    ids=["B3 codebook", "B3 fp16", "B18a ternary"],
)
def test_a_weight_keeps_its_form_with_a_norm_in_it(weight: NDArray[np.float32], words: Fraction, bias: bool) -> None:
    """B3, B18a: the weight, 64 scales and 64 shifts; a bias goes into the shifts, and nothing is multiplied but the weights."""
    count = normed(weight, bias)
    assert storage(count, "quantized") == words + C + C
    positions, products = SIZE**2, np.count_nonzero(weight).item()
    assert operations(count.ledgers["quantized"], "multiply") == positions * products
    assert operations(count.ledgers["quantized"], "add") == positions * (products - C + C)
    mask = Fraction(WEIGHTS, 32) if products < WEIGHTS else 0
    assert storage(count, "freebie") == Fraction((products + C) * 16, 32) + mask


def coded(net: Net, x: Value, bias: bool = False, **groups: int) -> Value:
    """A convolution of 8-bit codes whose scales lie along input channels."""
    codes = net.b.constant(CODES, "codes")
    shape = (C // groups["block"], C, 3, 3) if groups else (C,)
    weight = net.b.emit("dequantize", codes, net.constant(dense(shape, 7) ** 2 + 0.1, "scales"), axis=0 if groups else 1, **groups)
    return net.conv(x, weight, net.constant(dense((C,), 9), "conv.bias") if bias else None, pad=1)


@pytest.mark.parametrize("bias", [False, True])
def test_a_norm_stays_that_would_cost_the_weight_its_form(bias: bool) -> None:
    """B3: codes with a scale for each input channel have no room for one of each output channel, and would take 32 bits."""
    net = Net.new()
    count = net.count(net.batch_norm(coded(net, net.input(1, C, SIZE, SIZE), bias), C))
    assert storage(count, "quantized") == Fraction(WEIGHTS * 8, 32) + C + C + C
    products = np.count_nonzero(CODES).item()
    assert operations(count.ledgers["quantized"], "multiply") == SIZE**2 * (products + C)
    assert operations(count.ledgers["quantized"], "add") == SIZE**2 * (products - C + C)


def test_blocks_across_the_output_channels_have_no_room_for_a_scale_each() -> None:
    """A scale for each 16 output channels of an input channel and tap: the norm's 64 scales are charged in addition to them."""
    net = Net.new()
    count = net.count(net.batch_norm(coded(net, net.input(1, C, SIZE, SIZE), block=16), C))
    assert storage(count, "quantized") == Fraction(WEIGHTS * 8, 32) + 4 * C * 9 + C + C


def test_of_two_norms_only_the_dear_one_stays() -> None:
    """B3, norm by norm: the second convolution has weights of 32 bits, and takes its norm."""
    net = Net.new()
    y = net.batch_norm(coded(net, net.input(1, C, SIZE, SIZE)), C)
    y = net.batch_norm(net.conv(net.b.elementwise("relu", y), net.constant(dense((8, C, 1, 1), 5))), 8, seed=10)
    assert storage(net.count(y), "quantized") == Fraction(WEIGHTS * 8, 32) + C + C + C + 8 * C + 8


def test_a_norm_folds_where_its_multiplies_weigh_more_than_the_form() -> None:
    """B3: 64·3·9 codes save three words in four, beside 64·112·112 multiplies: they are worth 170 to the word, and go."""
    net = Net.new()
    codes = net.b.constant(CODES[:, :3], "codes")
    weight = net.b.emit("dequantize", codes, net.constant(dense((3,), 7) ** 2 + 0.1, "scales"), axis=1)
    count = net.count(net.batch_norm(net.conv(net.input(1, 3, 112, 112), weight, pad=1), C))
    assert C * 112**2 > 170 * C * 3 * 9 * 3 / 4
    assert operations(count.ledgers["quantized"], "multiply") == np.count_nonzero(CODES[:, :3]).item() * 112**2


def off(net: Net, y: Value, channels: int) -> Value:
    """A batch norm whose second half of channels is 0·x + 0."""
    scale, shift = dense((channels,), 2), dense((channels,), 3)
    scale[channels // 2 :], shift[channels // 2 :] = 0, 0
    statistics = [net.constant(dense((channels,), 4)), net.constant(dense((channels,), 5) ** 2 + 0.1)]
    return net.b.emit("normalise", y, *statistics, net.constant(scale), net.constant(shift), op="batch_norm", eps=1e-5)


def test_channels_that_a_norm_turns_off_are_blocks_of_zeros() -> None:
    """B1: 512→512, half of the channels off: 256·512·9 weights and 256 biases of 16 bits, and two mask bits for each tensor."""
    net = Net.new()
    y = off(net, net.conv(net.input(1, 512, 4, 4), net.constant(dense((512, 512, 3, 3))), pad=1), 512)
    assert storage(net.count(y), "freebie") == Fraction((256 * 512 * 9 + 256) * 16 + 2 + 2, 32)


def test_so_are_those_of_codes() -> None:
    """B1 with weights of 8 bits and a scale for each channel: 4·8·9 codes, a scale for each kept channel's row, and 4 biases."""
    net = Net.new()
    codes = net.b.constant(RANDOM.integers(1, 127, (8, 8, 3, 3)).astype(np.int8), "codes")
    weight = net.b.emit("dequantize", codes, net.constant(dense((8,), 7) ** 2 + 0.1, "scales"), axis=0)
    (lines,) = (net.count(off(net, net.conv(net.input(1, 8, 4, 4), weight, pad=1), 8)).ledgers["quantized"].lines,)
    values = [line for line in lines if line.subject == "codes" and line.bits >= 7]
    assert values[0].quantity == 4 * 8 * 9


def test_a_folded_shift_of_zeros_adds_nothing() -> None:
    """B2: 16 scales go into the weights, and 16·32·32 adds are those of the sums alone."""
    net = Net.new()
    y = net.conv(net.input(1, 3, 32, 32), net.constant(dense((16, 3, 3, 3))), pad=1)
    zeros, ones = np.zeros(16), np.ones(16)
    constants = (net.constant(array) for array in (zeros, ones, dense((16,), 3), zeros))
    count = net.count(net.b.emit("normalise", y, *constants, op="batch_norm", eps=0.0))
    assert operations(count.ledgers["freebie"], "add") == 32 * 32 * 16 * (27 - 1)
    assert storage(count, "freebie") == Fraction(16 * 27 * 16, 32)


@pytest.mark.parametrize("ahead", [False, True])
def test_a_weight_that_is_stored_as_parts_takes_no_scale(ahead: bool) -> None:
    """A row expanded to a weight is stored as the row: scales in it would be charged nowhere, so the norm is charged in addition to it."""
    net = Net.new()
    x, row = net.input(1, 4, 5, 5), net.constant(dense((1, 4, 1, 1), 1), "row")
    weight = net.b.emit("move", row, op="expand", shape=(4, 4, 1, 1))
    y = net.conv(net.batch_norm(x, 4), weight) if ahead else net.batch_norm(net.conv(x, weight), 4)
    assert storage(net.count(y), "quantized") == 4 + 4 + 4

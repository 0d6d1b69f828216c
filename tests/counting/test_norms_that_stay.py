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
def test_a_norm_stays_that_would_cost_the_weight_its_form(weight: NDArray[np.float32], words: Fraction, bias: bool) -> None:
    """B3, B18a: the weight, 64 scales and 64 shifts; a bias goes into the shifts. Under the freebie all weights have 16 bits: it folds."""
    count = normed(weight, bias)
    assert storage(count, "quantized") == words + C + C
    positions, products = SIZE**2, np.count_nonzero(weight).item()
    assert operations(count.ledgers["quantized"], "multiply") == positions * (products + C)
    assert operations(count.ledgers["quantized"], "add") == positions * (products - C + C)
    mask = Fraction(WEIGHTS, 32) if products < WEIGHTS else 0
    assert storage(count, "freebie") == Fraction((products + C) * 16, 32) + mask
    assert operations(count.ledgers["freebie"], "multiply") == positions * products


def test_a_norm_folds_where_its_multiplies_weigh_more_than_the_codebook() -> None:
    """B3: a depthwise weight of 64·9 codes saves 576 − (72 + 16) words on 64·112·112 values, which are a multiply each."""
    weight = dense((16,), 1)[RANDOM.integers(0, 16, (C, 1, 3, 3))]
    net = Net.new()
    y = net.conv(net.input(1, C, 112, 112), net.constant(weight), pad=1, groups=C)
    count = net.count(net.batch_norm(y, C))
    assert storage(count, "quantized") == C * 9 + C
    assert operations(count.ledgers["quantized"], "multiply") == C * 9 * 112**2


def test_of_two_norms_only_the_dear_one_stays() -> None:
    """B3, norm by norm: the second convolution has weights of 32 bits, and takes its norm."""
    net = Net.new()
    y = net.batch_norm(net.conv(net.input(1, C, SIZE, SIZE), net.constant(CODEBOOK), pad=1), C)
    y = net.batch_norm(net.conv(net.b.elementwise("relu", y), net.constant(dense((8, C, 1, 1), 5))), 8, seed=10)
    assert storage(net.count(y), "quantized") == Fraction(WEIGHTS * 4, 32) + 16 + C + C + 8 * C + 8


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
    """A row expanded to a weight is stored as the row: scales in it would be charged nowhere, so the norm is charged beside it."""
    net = Net.new()
    x, row = net.input(1, 4, 5, 5), net.constant(dense((1, 4, 1, 1), 1), "row")
    weight = net.b.emit("move", row, op="expand", shape=(4, 4, 1, 1))
    y = net.conv(net.batch_norm(x, 4), weight) if ahead else net.batch_norm(net.conv(x, weight), 4)
    assert storage(net.count(y), "quantized") == 4 + 4 + 4

"""Peaks of activation memory, added up by hand."""

from __future__ import annotations

import numpy as np

from micronet_verify.counting.alternatives import read_again
from micronet_verify.counting.score import Score
from micronet_verify.facts.formats import numeric_format
from micronet_verify.track.rules import KNOBS, CountingRules
from tests.build import Net, dense


def test_a_chain_needs_its_two_largest_neighbours() -> None:
    net = Net.new()
    y = net.conv(net.input(1, 3, 8, 8), net.constant(dense((16, 3, 3, 3))), pad=1)
    y = net.b.elementwise("relu", y)
    y = net.conv(y, net.constant(dense((4, 16, 1, 1))))
    found = net.count(y).peak_activations
    # relu overwrites its operand; the second convolution reads 16 maps and writes 4
    assert found.listed == found.best == (16 + 4) * 64 * 32


def test_a_reshape_shares_its_memory() -> None:
    net = Net.new()
    y = net.b.linear(net.b.reshape(net.input(1, 4, 4, 4), (1, 64)), net.constant(dense((10, 64))))
    assert net.count(y).peak_activations.best == (64 + 10) * 32


def test_a_residual_stays_alive_to_its_end() -> None:
    net = Net.new()
    x = net.input(1, 8, 4, 4)
    y = net.conv(x, net.constant(dense((8, 8, 3, 3))), pad=1)
    y = net.conv(y, net.constant(dense((8, 8, 3, 3), 1)), pad=1)
    assert net.count(net.b.elementwise("add", x, y)).peak_activations.best == 3 * 8 * 16 * 32


def test_a_better_order_is_found() -> None:
    """Two wide branches that end narrow: one after the other needs one wide tensor at a time, side by side needs two."""
    net = Net.new()
    x = net.input(1, 1, 4, 4)
    wide = [net.conv(x, net.constant(dense((64, 1, 1, 1), seed))) for seed in range(2)]
    narrow = [net.conv(y, net.constant(dense((1, 64, 1, 1), seed + 2))) for seed, y in enumerate(wide)]
    found = net.count(net.b.elementwise("add", *narrow)).peak_activations
    assert found.listed == (64 + 64 + 1) * 16 * 32  # x is dead by then, and the first narrow one is being written
    assert found.best == (64 + 1 + 1) * 16 * 32


def test_quantized_activations_take_their_codes_width() -> None:
    net = Net.new()
    scale = net.constant(np.float32(0.05), "scale")
    codes = net.b.emit("quantize", net.input(1, 64), scale, fmt=numeric_format("int8"), axis=-1)
    x = net.b.emit("dequantize", codes, scale, axis=-1)
    y = net.b.linear(x, net.constant(dense((200, 64))))
    assert net.count(y).peak_activations.best == 64 * 8 + 200 * 32


def test_every_reading_is_priced_and_the_interval_holds_them() -> None:
    net = Net.new()
    y = net.batch_norm(net.conv(net.input(1, 3, 8, 8), net.constant(dense((8, 3, 3, 3)) * (dense((8, 3, 3, 3)) > 0)), pad=1), 8)

    def score(rules: CountingRules) -> object:
        ledgers = net.count(y, rules=rules).ledgers
        return min(Score(ledger.storage / 100, ledger.operations / 10_000).value for ledger in ledgers.values())

    found = read_again(score, CountingRules())  # type: ignore[arg-type]
    assert {reading.knob for reading in found.single} == set(KNOBS)
    assert all(found.low <= reading.score <= found.high for reading in found.single)
    assert found.low < found.score < found.high
    assert found.moves_most is not None
    most = max(abs(reading.change) for reading in found.single)
    assert abs(found.moves_most.change) == most > 0

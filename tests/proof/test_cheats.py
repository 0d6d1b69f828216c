"""Networks that use more than a naive price charges: each pays its price, or what is charged does not give its answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Value
from micronet_verify.facts.tensors import ConstantStore
from tests.build import Net, dense
from tests.proof.proved import Proved, prove_graph

# Images of whole numbers, so that sums of whole weights are exact.
INPUTS = np.random.default_rng(4).integers(0, 17, (24, 1, 16)).astype(np.float32)


def product(net: Net, x: Value, weight: Value) -> Value:
    return net.b.emit("matmul", x, weight, left="ab", right="bc", out="ac")


def proved(net: Net, output: Value, regime: Any = None) -> Proved:
    return prove_graph(net.finish(output), ConstantStore(net.folder, net.folder), INPUTS, regime=regime)


def whole(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-31, 32, shape).astype(np.float32)


def test_two_lanes_in_one_float_do_not_fit_16_bits() -> None:
    """A6: Σ x·(a·2^13 + b) holds Σ x·a and Σ x·b side by side, |Σ x·b| ≤ 16·16·31 < 2^13: 160 weights for 320, at 16 bits each."""
    lane = np.float32(2**13)
    high, low = whole((16, 10), 1), whole((16, 10), 2)
    net = Net.new()
    x = net.input(1, 16)
    packed = product(net, x, net.constant(high * lane + low, "packed"))
    scale = net.constant(lane, "lane")
    top = net.b.elementwise("round", net.b.elementwise("div", packed, scale))
    rest = net.b.elementwise("sub", packed, net.b.elementwise("mul", top, scale))
    found = proved(net, net.b.elementwise("add", top, net.b.elementwise("mul", rest, net.constant(np.float32(1.7), "mix"))), "freebie")
    assert found.proof.translated.outcome == "holds"
    assert found.found.outcome == "differs"
    honest = Net.new()
    x = honest.input(1, 16)
    twin = honest.b.elementwise("mul", product(honest, x, honest.constant(low, "low")), honest.constant(np.float32(1.7), "mix"))
    assert proved(honest, honest.b.elementwise("add", product(honest, x, honest.constant(high, "high")), twin), "freebie").holds


def test_63_scalars_of_64_bits_are_63_numbers() -> None:
    """A2: 2^52 + D, D of 28 bits: one literal of 8 bits as float32 has them; 63 · 64 bits = 126 words."""
    digits = np.random.default_rng(5).integers(0, 1 << 28, 63)
    net = Net.new()
    x = net.b.emit(
        "move", net.b.emit("reduce", net.input(1, 16), op="sum", axes=(1,), keepdims=True), fmt=numeric_format("float64"), op="cast"
    )
    base = net.constant(np.float64(2**52), "base", np.float64)
    parts = []
    for number, digit in enumerate(digits.tolist()):
        scalar = net.constant(np.float64(2**52 + digit), f"scalar{number}", np.float64)
        parts.append(
            net.b.elementwise(
                "mul",
                x,
                net.b.elementwise(
                    "sub", net.b.elementwise("add", scalar, net.b.elementwise("mul", x, net.b.scalar(0.0, numeric_format("float64")))), base
                ),
            )
        )
    output = net.b.emit("move", *parts, op="concat", axis=1)
    found = proved(net, net.b.emit("move", output, fmt=numeric_format("float32"), op="cast"), "quantized")
    assert not found.holds or found.ledger.storage >= 126


def test_neighbouring_floats_are_different_weights() -> None:
    """A3: ±c with one of four neighbours of c just below 2: a sign and two bits are 3 bits for each of 1,600 weights, 150 words."""
    signs = np.where(dense((16, 100), 6) > 0, np.float32(1), np.float32(-1))
    steps = np.random.default_rng(7).integers(0, 4, (16, 100)).astype(np.float32)
    c = np.float32(2 - 2**-20)
    weight = signs * (c + steps * np.float32(2**-23))
    net = Net.new()
    x = net.input(1, 16)
    sums = product(net, x, net.constant(weight, "weight"))
    ones = product(net, x, net.constant(signs, "signs"))
    scaled = net.b.elementwise("mul", ones, net.constant(c, "c"))
    apart = net.b.elementwise("mul", net.b.elementwise("sub", sums, scaled), net.constant(np.float32(2**23), "scale"))
    found = proved(net, apart, "quantized")
    assert not found.holds or found.ledger.storage >= 16 * 100 * 3 / 32

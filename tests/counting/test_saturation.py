"""B18: a ReLU, a clip or a hard sigmoid costs the same as the saturation of the quantizer behind it (rule O19), in either reading."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from micronet_verify.counting.ledger import Ledger
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Value
from micronet_verify.track.rules import CountingRules
from tests.build import Net, operations

COUNT = 3 * 8 * 8
Spelling = Callable[[Net, Value], Value]


def quantized(net: Net, x: Value, scale: float = 6 / 255, fmt: str = "uint8", zero: int = 0, **narrowed: float) -> Value:
    step, dtype = net.constant(np.float32(scale), "s"), numeric_format(fmt)
    offset = () if not zero else (net.b.constant(np.array(zero, fmt), "z"),)
    codes = net.b.emit("quantize", x, step, *offset, fmt=dtype, axis=-1, **narrowed)
    return net.b.emit("dequantize", codes, step, *offset, axis=-1)


def ledger(spelling: Spelling, saturation: str) -> Ledger:
    net = Net.new()
    rules = CountingRules(saturation=saturation)  # type: ignore[arg-type]
    return net.ledger(spelling(net, net.input(1, 3, 8, 8)), regime="quantized", rules=rules)


def pooled(net: Net, x: Value) -> Value:
    return net.b.emit("pool", x, op="max", kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 0))


RELUS: dict[str, Spelling] = {
    "quantizer": lambda net, x: quantized(net, x),
    "relu": lambda net, x: quantized(net, net.b.elementwise("relu", x)),
    "max": lambda net, x: quantized(net, net.b.elementwise("max", x, net.b.scalar(0.0))),
    "relu6": lambda net, x: quantized(net, net.b.elementwise("clip", x, low=0.0, high=6.0)),
    "min of max": lambda net, x: quantized(net, net.b.elementwise("min", net.b.elementwise("relu", x), net.b.scalar(6.0))),
    "moved": lambda net, x: quantized(net, net.b.reshape(net.b.elementwise("relu", x), (1, COUNT))),
    "zero point": lambda net, x: quantized(net, net.b.elementwise("relu", x), fmt="int8", zero=-128),
    "wider clip": lambda net, x: quantized(net, net.b.elementwise("clip", x, low=-1.0, high=7.0)),
}


@pytest.mark.parametrize("spelling", RELUS)
def test_B18_what_a_quantizer_cuts_off_is_free_in_every_spelling(spelling: str) -> None:
    assert ledger(RELUS[spelling], "free").operations == 0


@pytest.mark.parametrize("spelling", [name for name in RELUS if name != "wider clip"])
def test_B18_or_a_compare_for_each_end(spelling: str) -> None:
    found = ledger(RELUS[spelling], "charged")
    assert (operations(found, "multiply"), found.operations) == (2 * COUNT, 2 * COUNT)


def test_B18_a_clip_that_cuts_off_more_is_a_clip() -> None:
    def clipped(net: Net, x: Value) -> Value:
        return quantized(net, net.b.elementwise("clip", x, low=0.5, high=5.0))

    for saturation in ("free", "charged"):
        assert ledger(clipped, saturation).operations == 2 * COUNT


def test_B18_a_relu_in_front_of_a_quantizer_of_both_signs_is_charged() -> None:
    def signed(net: Net, x: Value) -> Value:
        return quantized(net, net.b.elementwise("relu", x), 0.05, "int8")

    assert ledger(signed, "free").operations == COUNT
    assert ledger(signed, "charged").operations == COUNT + COUNT  # the upper end is the quantizer's


def test_B18_a_relu_that_something_else_reads_is_charged() -> None:
    def read_twice(net: Net, x: Value) -> Value:
        y = net.b.elementwise("relu", x)
        return net.b.elementwise("mul", quantized(net, y), net.b.elementwise("sin", y))

    assert operations(ledger(read_twice, "free"), "multiply") == 3 * COUNT  # relu, sine, product


def test_B18_a_maximum_commutes_with_what_is_cut_off() -> None:
    before = ledger(lambda net, x: quantized(net, pooled(net, net.b.elementwise("relu", x))), "free")
    after = ledger(lambda net, x: quantized(net, pooled(net, x)), "free")
    assert before.operations == after.operations == COUNT // 4 * 3


@pytest.mark.parametrize("saturation", ["free", "charged"])
def test_B18_a_hard_sigmoid_by_saturation_alone(saturation: str) -> None:
    """x/6 + ½ and a quantizer from 0 to 1: a multiply and an add, and two compares where saturation is charged."""
    count = ledger(lambda net, x: quantized(net, net.b.elementwise("hard_sigmoid", x, alpha=1 / 6, beta=0.5), 1 / 255), saturation)
    ends = 2 if saturation == "charged" else 0
    assert (operations(count, "multiply"), operations(count, "add")) == ((1 + ends) * COUNT, COUNT)

    def written(net: Net, x: Value) -> Value:
        scaled = net.b.elementwise("mul", x, net.b.scalar(1 / 6))
        return quantized(net, net.b.elementwise("add", scaled, net.b.scalar(0.5)), 1 / 255)

    again = ledger(written, saturation)
    assert (operations(again, "multiply"), operations(again, "add")) == ((1 + ends) * COUNT, COUNT)


def test_B18_values_that_are_codes_already_reach_no_end() -> None:
    def twice(net: Net, x: Value) -> Value:
        return quantized(net, pooled(net, quantized(net, x)))

    assert operations(ledger(twice, "charged"), "multiply") == 2 * COUNT + COUNT // 4 * 3


def test_B18_a_range_narrowed_by_a_clip_of_codes_ends_there() -> None:
    def narrow(net: Net, x: Value) -> Value:
        return quantized(net, net.b.elementwise("relu", x), 0.1, "int8", low=0.0, high=100.0)

    assert ledger(narrow, "free").operations == 0

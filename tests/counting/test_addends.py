"""B17: constants that are only ever added together are one, stored and added once; others stay what they are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.counting.ledger import Ledger
from micronet_verify.facts.graph import Value
from tests.build import Net, dense, operations

C, SIDE = 5, 6
AREA = SIDE * SIDE


def cost(ledger: Ledger) -> tuple[int, int, Fraction]:
    return operations(ledger, "multiply"), operations(ledger, "add"), ledger.storage


def convolved(net: Net, x: Value, bias: str | None) -> Value:
    return net.conv(x, net.constant(dense((C, 3, 3, 3))), None if bias is None else net.constant(dense((C,), 7), bias), pad=1)


BEHIND = {
    "a vector": lambda net, y: net.b.elementwise("add", y, net.constant(dense((C, 1, 1), 8), "c")),
    "a vector in front": lambda net, y: net.b.elementwise("add", net.constant(dense((1, C, 1, 1), 8), "c"), y),
    "taken off": lambda net, y: net.b.elementwise("sub", y, net.constant(dense((C, 1, 1), 8), "c")),
    "two vectors": lambda net, y: net.b.elementwise(
        "sub", net.b.elementwise("add", y, net.constant(dense((C, 1, 1), 8), "c")), net.constant(dense((C, 1, 1), 9), "d")
    ),
}


@pytest.mark.parametrize("what", BEHIND)
def test_B17_a_bias_and_what_is_added_behind_it(what: str) -> None:
    """3·3·3 products and one bias for each of C·36 outputs (all windows whole: zeros of the padding count)."""
    net = Net.new()
    found = net.ledger(BEHIND[what](net, convolved(net, net.input(1, 3, SIDE, SIDE), "b")))
    outputs = C * AREA
    assert cost(found) == (27 * outputs, (27 - 1 + 1) * outputs, Fraction((C * 27 + C) * 16, 32))


def test_B17_a_plain_number_behind_a_bias_stays() -> None:
    """It belongs to its function: relu6(x + 3)/6 is a hard sigmoid, which has the 3 and its add in every framework."""
    net = Net.new()
    found = net.ledger(net.b.elementwise("add", convolved(net, net.input(1, 3, SIDE, SIDE), "b"), net.b.scalar(0.3)))
    outputs = C * AREA
    assert cost(found) == (27 * outputs, (27 - 1 + 2) * outputs, Fraction((C * 27 + C + 1) * 16, 32))


def test_B17_a_linear_bias_and_a_constant() -> None:
    net = Net.new()
    y = net.b.linear(net.input(4, 8), net.constant(dense((C, 8))), net.constant(dense((C,), 7), "b"))
    found = net.ledger(net.b.elementwise("add", y, net.constant(dense((C,), 8), "c")))
    assert cost(found) == (4 * C * 8, 4 * C * 8, Fraction((C * 8 + C) * 16, 32))


def test_B17_two_constants_on_an_activation() -> None:
    net = Net.new()
    y = net.b.elementwise("add", net.input(2, C), net.constant(dense((C,), 7), "a"))
    found = net.ledger(net.b.elementwise("add", y, net.constant(dense((C,), 8), "c")))
    assert cost(found) == (0, 2 * C, Fraction(C * 16, 32))


def test_B17_constants_that_take_each_other_away_are_nothing() -> None:
    net = Net.new()
    y = net.b.elementwise("add", net.b.elementwise("relu", net.input(2, C)), net.constant(dense((C,), 7), "a"))
    found = net.ledger(net.b.elementwise("sub", y, net.constant(dense((C,), 7), "again")))
    assert found.storage == 0


def test_B17_each_of_two_convolutions_that_meet_keeps_its_bias() -> None:
    """A shortcut, as the published baselines have it: 2·27 products, their sums, the sum of both, and two biases."""
    net = Net.new()
    x = net.input(1, 3, SIDE, SIDE)
    other = net.conv(x, net.constant(dense((C, 3, 3, 3), 3), "v"), net.constant(dense((C,), 4), "d"), pad=1)
    found = net.ledger(net.b.elementwise("add", convolved(net, x, "b"), other))
    outputs = C * AREA
    assert cost(found) == (2 * 27 * outputs, (2 * 26 + 1 + 2) * outputs, Fraction((2 * C * 27 + 2 * C) * 16, 32))


def test_B17_a_constant_that_rounds_what_it_is_added_to_is_no_bias() -> None:
    """(x + 2^23) − 2^23 rounds 64 numbers: two adds each, and 2^23 is stored, whose negative costs nothing beside it."""
    net = Net.new()
    magic = net.constant(np.full(64, 2.0**23), "magic")
    rounded = net.b.elementwise("sub", net.b.elementwise("add", net.input(1, 64), magic), magic)
    assert net.ledger(rounded).operations == 2 * 64
    net = Net.new()
    x = net.input(1, 64)
    up, down = net.constant(dense((64,)) + 2.0**23, "up"), net.constant(np.full(64, -(2.0**23)) + dense((64,), 2), "down")
    assert net.ledger(net.b.elementwise("add", net.b.elementwise("add", x, up), down)).operations == 2 * 64


def test_B17_a_bias_that_something_else_adds_stays() -> None:
    """Two sums that share a constant: two vectors are stored, as three would be if each sum had its own."""
    net = Net.new()
    shared, own = net.constant(dense((C,), 7), "shared"), net.constant(dense((C,), 8), "own")
    x = net.input(2, C)
    one = net.b.elementwise("add", net.b.elementwise("add", x, shared), own)
    two = net.b.elementwise("add", net.b.elementwise("relu", x), shared)
    assert net.ledger(one, two).storage == Fraction(2 * C * 16, 32)


def test_B17_two_narrow_grids_stay_what_their_sum_is_not() -> None:
    """{−1, 1}·scale each, 1 bit a value; of their sum there would be four values, and of long vectors of many levels a wide grid."""
    rng, size = np.random.default_rng(0), 4096
    a, b = (rng.integers(-7, 8, size) * np.float32(scale) for scale in (0.37, 0.0113 * np.pi))
    net = Net.new()
    y = net.b.elementwise("add", net.b.elementwise("add", net.input(1, size), net.constant(a, "a")), net.constant(b, "b"))
    found = net.ledger(y, regime="quantized")
    assert operations(found, "add") == np.count_nonzero(a) + np.count_nonzero(b)  # B16
    assert found.storage < Fraction(2 * size * 5, 32)


def test_B17_a_constant_that_makes_the_tensor_larger_stays() -> None:
    """A row and a column: their sum has 4·C values."""
    net = Net.new()
    y = net.b.elementwise("add", net.input(4, C), net.constant(dense((1, C), 7), "row"))
    found = net.ledger(net.b.elementwise("add", y, net.constant(dense((4, 1), 8), "column")))
    assert cost(found) == (0, 2 * 4 * C, Fraction((C + 4) * 16, 32))


def test_B17_a_sum_that_somebody_reads_in_between_stays() -> None:
    net = Net.new()
    y = net.b.elementwise("add", net.input(2, C), net.constant(dense((C,), 7), "a"))
    z = net.b.elementwise("add", y, net.constant(dense((C,), 8), "b"))
    assert cost(net.ledger(y, z)) == (0, 2 * 2 * C, Fraction(2 * C * 16, 32))

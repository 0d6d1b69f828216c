"""What changes nothing costs nothing: moves that undo each other, biases of zeros, operations done before."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build import Net, dense, operations


def test_a_batch_norm_folds_through_a_transpose_and_its_inverse() -> None:
    net = Net.new()
    y = net.conv(net.input(1, 3, 8, 8), net.constant(dense((4, 3, 3, 3))), pad=1)
    there = net.b.transpose(y, (0, 2, 3, 1))
    back = net.b.transpose(there, (0, 3, 1, 2))
    ledger = net.ledger(net.batch_norm(back, 4))
    assert ledger.storage == Fraction((4 * 27 + 4) * 16, 32)
    assert operations(ledger, "multiply") == 64 * 4 * 27
    assert operations(ledger, "add") == 64 * 4 * (26 + 1)


def test_a_bias_of_zeros_is_none() -> None:
    net = Net.new()
    y = net.conv(net.input(1, 3, 8, 8), net.constant(dense((4, 3, 1, 1))), net.constant(np.zeros(4), "b"))
    ledger = net.ledger(y)
    assert ledger.storage == Fraction(4 * 3 * 16, 32)
    assert operations(ledger, "add") == 64 * 4 * 2


def test_a_bias_of_one_number_that_is_not_zero_is_one() -> None:
    net = Net.new()
    y = net.conv(net.input(1, 3, 8, 8), net.constant(dense((4, 3, 1, 1))), net.constant([0, 0, 0, 0.3], "b"))
    assert operations(net.ledger(y), "add") == 64 * (4 * 2 + 1)  # only the channel whose bias is not zero adds it (B16)


def test_what_was_computed_is_not_computed_again() -> None:
    net = Net.new()
    x = net.input(1, 8)
    one, other = (net.b.elementwise("tanh", net.b.elementwise("exp", x)) for _ in range(2))
    ledger = net.ledger(net.b.elementwise("mul", one, other))
    assert operations(ledger, "multiply") == 8 + 8 + 8


def test_another_parameter_is_another_operation() -> None:
    net = Net.new()
    x = net.input(1, 8)
    one, other = (net.b.elementwise("leaky_relu", x, alpha=alpha) for alpha in (0.1, 0.2))
    assert operations(net.ledger(net.b.elementwise("mul", one, other)), "multiply") == 2 * 8 + 2 * 8 + 8


def test_the_output_may_be_what_was_there_before() -> None:
    net = Net.new()
    x = net.input(1, 2, 3)
    y = net.b.elementwise("relu", x)
    there = net.b.transpose(y, (0, 2, 1))
    ledger = net.ledger(net.b.transpose(there, (0, 2, 1)), net.b.elementwise("relu", x))
    assert operations(ledger, "multiply") == 6


@settings(max_examples=60, deadline=None)
@given(st.lists(st.permutations(range(4)), min_size=1, max_size=4))
def test_a_chain_of_transposes_costs_nothing_and_folds_away_when_it_ends_where_it_began(orders: list[list[int]]) -> None:
    net = Net.new()
    x = net.input(1, 2, 3, 4)
    y = x
    for order in orders:
        y = net.b.transpose(y, order)
    composed = list(range(4))
    for order in orders:
        composed = [composed[axis] for axis in order]
    ledger = net.ledger(net.b.elementwise("relu", net.b.transpose(y, [composed.index(axis) for axis in range(4)])))
    assert operations(ledger, "multiply") == 24
    assert [line for line in ledger.lines if line.rule == "O9" and line.amount] == []

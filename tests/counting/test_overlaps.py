"""S4: parts of one stored tensor are stored once, however they overlap."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from micronet_verify.facts.graph import Value
from tests.build import Net, dense


def rows(net: Net, table: Value, start: int, end: int) -> Value:
    return net.b.emit("move", table, op="slice", axes=(0,), starts=(start,), ends=(end,), steps=(1,))


def used(net: Net, weight: Value) -> Value:
    return net.b.linear(net.input(1, weight.shape[1]), weight)


def words(*cuts: tuple[int, int], shape: tuple[int, int] = (10, 4)) -> Fraction:
    net = Net.new()
    table = net.constant(dense(shape), "table")
    return net.ledger(*(used(net, rows(net, table, *cut)) for cut in cuts)).storage


def test_parts_that_overlap_are_charged_their_union() -> None:
    """Rows 0 to 6 and 4 to 9: nine rows of four, and not eleven."""
    assert words((0, 6), (4, 9)) == Fraction(9 * 4 * 16, 32)


def test_parts_that_do_not_overlap_are_charged_each() -> None:
    assert words((0, 3), (5, 9)) == Fraction(7 * 4 * 16, 32)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6)), min_size=1, max_size=4))
def test_no_element_is_charged_twice(cuts: list[tuple[int, int]]) -> None:
    spans = [(start, min(start + length, 10)) for start, length in cuts]
    covered = {row for start, end in spans for row in range(start, end)}
    assert words(*spans) == Fraction(len(covered) * 4 * 16, 32)


def test_parts_of_a_tensor_that_is_used_whole_are_free() -> None:
    net = Net.new()
    table = net.constant(dense((10, 4)), "table")
    ledger = net.ledger(used(net, rows(net, table, 2, 5)), used(net, table))
    assert ledger.storage == Fraction(40 * 16, 32)
    assert [(line.subject, line.note) for line in ledger.lines if line.rule == "S4"] == [("table", "stored once, as table")]


def test_parts_of_parts_and_of_other_layouts_overlap_too() -> None:
    """Rows 2 to 5 of the first eight, and the transposed rows 4 to 9."""
    net = Net.new()
    table = net.constant(dense((10, 4)), "table")
    inner = rows(net, rows(net, table, 0, 8), 2, 6)
    turned = net.b.transpose(rows(net, table, 4, 10), (1, 0))
    assert net.ledger(used(net, inner), used(net, turned)).storage == Fraction(8 * 4 * 16, 32)


def test_parts_of_two_layouts_of_one_tensor_overlap_too() -> None:
    """Rows 0 to 5, and the first four rows of the table read as 5×8, which are its rows 0 to 7."""
    net = Net.new()
    table = net.constant(dense((10, 4)), "table")
    wide = rows(net, net.b.reshape(table, (5, 8)), 0, 4)
    assert net.ledger(used(net, rows(net, table, 0, 6)), used(net, wide)).storage == Fraction(8 * 4 * 16, 32)


def test_a_union_that_is_no_box_is_stored_in_a_row() -> None:
    """Rows 0 to 2, and columns 0 to 1: an L of 2·4 + 8·1 values."""
    net = Net.new()
    table = net.constant(dense((10, 4)), "table")
    columns = net.b.emit("move", table, op="slice", axes=(1,), starts=(0,), ends=(1,), steps=(1,))
    assert net.ledger(used(net, rows(net, table, 0, 2)), used(net, columns)).storage == Fraction((2 * 4 + 8) * 16, 32)


def test_the_whole_is_charged_where_it_is_less() -> None:
    """A grid of the whole tensor that needs fewer bits than values in a row do."""
    net = Net.new()
    codes = np.random.default_rng(0).integers(-7, 8, (10, 4)) * np.float32(0.11)
    table = net.constant(codes, "table")
    parts = [used(net, rows(net, table, *cut)) for cut in ((0, 6), (4, 10))]
    whole = Net.new()
    assert net.ledger(*parts, regime="quantized").storage <= whole.ledger(used(whole, whole.constant(codes)), regime="quantized").storage

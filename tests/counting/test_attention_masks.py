"""O15: a fixed attention pattern is static sparsity. By hand, row by row; and what is no fixed pattern."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from micronet_verify.counting.ledger import Ledger
from micronet_verify.facts.formats import BOOL
from micronet_verify.facts.graph import Value
from micronet_verify.track.rules import CountingRules
from tests.build import Net, dense, operations

COUNTED = CountingRules(attention_mask="counted")
HEADS, WIDTH, OUT = 3, 4, 6


def attend(net: Net, kept: NDArray[np.bool_], mask: str = "where", scale: bool = True) -> Value:
    """softmax(q·kᵀ/2 masked)·v of 3 heads: width 4 for the scores, 6 for the values."""
    rows, columns = kept.shape[-2:]
    q, k, v = net.input(1, HEADS, rows, WIDTH), net.input(1, HEADS, columns, WIDTH), net.input(1, HEADS, columns, OUT)
    scores = net.b.emit("matmul", q, k, left="nhqd", right="nhkd", out="nhqk")
    if scale:
        scores = net.b.elementwise("mul", scores, net.b.scalar(0.5))
    if mask == "where":
        scores = net.b.elementwise("where", net.b.constant(kept, "kept", BOOL), scores, net.b.scalar(-np.inf))
    elif mask == "add":
        scores = net.b.elementwise("add", scores, net.constant(np.where(kept, 0, -np.inf), "mask"))
    elif mask == "number":
        scores = net.b.elementwise("add", scores, net.constant(np.where(kept, 0, -1e38), "mask"))
    elif mask == "numbers":
        scores = net.b.elementwise("add", scores, net.constant(np.where(kept, 0, -1e37 - 1e37 * np.arange(kept.shape[-1])), "mask"))
    elif mask == "bias":
        scores = net.b.elementwise("add", scores, net.constant(np.where(kept, dense(kept.shape), -np.inf), "mask"))
    elif mask == "mul":
        scores = net.b.elementwise("mul", scores, net.constant(kept.astype(np.float32), "mask"))
    weights = net.b.emit("softmax", scores, op="softmax", axis=3)
    if mask == "behind":
        weights = net.b.elementwise("mul", weights, net.constant(kept.astype(np.float32), "mask"))
    return net.b.emit("matmul", weights, v, left="nhqk", right="nhkd", out="nhqd")


def counts(ledger: Ledger) -> tuple[int, int]:
    return operations(ledger, "multiply"), operations(ledger, "add")


def by_hand(kept: NDArray[np.bool_]) -> tuple[int, int]:
    """For each row of n scores: n·4 products, n scales, n powers and n quotients, and n products for each of 6 values."""
    multiplies = adds = 0
    for n in kept.sum(-1).tolist():
        multiplies += n * WIDTH + n + n + n + n * OUT
        adds += n * (WIDTH - 1) + max(n - 1, 0) + OUT * max(n - 1, 0)
    return HEADS * multiplies, HEADS * adds


def test_O15_a_causal_mask_by_hand() -> None:
    """Four steps keep 1 + 2 + 3 + 4 = 10 of 16 scores in each of 3 heads."""
    kept = np.tril(np.ones((4, 4), bool))
    net = Net.new()
    ledger = net.ledger(attend(net, kept))
    scores = 3 * 10
    assert counts(ledger) == (
        scores * 4 + scores + scores * 2 + scores * 6,  # q·k, the scale, powers and quotients, weights times values
        scores * 3 + (scores - 3 * 4) + (scores - 3 * 4) * 6,  # n − 1 in each of 3·4 rows
    )
    # Sixteen truth values or fewer, and the scale.
    assert ledger.storage == Fraction(16, 32) + Fraction(16, 32)
    assert [(line.formula, line.amount) for line in ledger.lines if line.rule == "O15"] == [("18 of 48", 0)]


def test_O15_the_other_reading_counts_every_score_and_a_selection_for_each() -> None:
    net = Net.new()
    ledger = net.ledger(attend(net, np.tril(np.ones((4, 4), bool))), rules=COUNTED)
    scores = 3 * 16
    assert counts(ledger) == (scores * 4 + scores + scores + scores * 2 + scores * 6, scores * 3 + (scores - 12) + (scores - 12) * 6)
    assert not [line for line in ledger.lines if line.rule == "O15"]


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 10**6), st.sampled_from(["where", "add"]))
def test_any_fixed_pattern_is_counted_row_by_row(rows: int, columns: int, seed: int, mask: str) -> None:
    """Windows, blocks, padding, anything; a row that keeps nothing costs nothing, never −1."""
    kept = np.random.default_rng(seed).random((rows, columns)) < 0.5
    kept[0, 0], kept[-1, -1] = True, False
    net = Net.new()
    assert counts(net.ledger(attend(net, kept, mask))) == by_hand(kept)


def test_a_pattern_for_each_head() -> None:
    kept = np.random.default_rng(1).random((1, HEADS, 5, 5)) < 0.4
    net, multiplies, adds = Net.new(), 0, 0
    for head in kept[0]:
        one = by_hand(head)
        multiplies, adds = multiplies + one[0] // HEADS, adds + one[1] // HEADS
    assert counts(net.ledger(attend(net, kept))) == (multiplies, adds)


def test_a_row_that_a_number_hides_whole_has_equal_shares() -> None:
    """The softmax of −10³⁸ alone is 1/n each, where that of −∞ is NaN: the number stays, and such a row is computed whole."""
    kept = np.tril(np.ones((4, 4), bool))
    kept[2] = False
    net, seen = Net.new(), kept.copy()
    ledger = net.ledger(attend(net, kept, "number"))
    seen[2] = True
    whole, scores = by_hand(seen), HEADS * 4
    assert counts(ledger) == (whole[0] - scores * (WIDTH + 1), whole[1] - scores * (WIDTH - 1))  # its products q·k are never read
    infinite = Net.new()
    assert ledger.storage == infinite.ledger(attend(infinite, kept)).storage + Fraction(16, 32)


def test_numbers_that_hide_a_row_and_differ_are_no_mask() -> None:
    """The greatest of them would win."""
    kept = np.tril(np.ones((4, 4), bool))
    kept[2] = False
    net = Net.new()
    assert not [line for line in net.ledger(attend(net, kept, "numbers")).lines if line.rule == "O15"]


@pytest.mark.parametrize("mask", ["number", "numbers"])
def test_a_number_that_hides_no_row_whole_is_infinite(mask: str) -> None:
    kept = np.tril(np.ones((4, 4), bool))
    found, infinite = Net.new(), Net.new()
    ledger, other = found.ledger(attend(found, kept, mask)), infinite.ledger(attend(infinite, kept))
    assert (counts(ledger), ledger.storage) == (counts(other), other.storage)


def test_a_mask_of_columns_is_stored_as_one_row() -> None:
    """Keys that no query sees: five truth values, whatever shape they have in the file."""
    kept = np.broadcast_to(np.array([True, True, False, True, False]), (4, 5))
    stored = []
    for array in (kept, kept[:1], np.broadcast_to(kept, (1, HEADS, 4, 5))):
        net = Net.new()
        y = attend(net, kept) if array is kept else attend(net, np.ascontiguousarray(array))
        stored.append(net.ledger(y).storage)
    assert stored[0] == stored[2] <= Fraction(5, 32) + Fraction(16, 32)


def test_masks_of_several_layers_are_stored_once() -> None:
    kept = np.tril(np.ones((8, 8), bool))
    one, two = Net.new(), Net.new()
    single = one.ledger(attend(one, kept)).storage
    assert two.ledger(attend(two, kept), attend(two, kept, "add")).storage == single


def test_a_bias_beside_the_mask_is_added_to_what_is_kept() -> None:
    kept = np.tril(np.ones((4, 4), bool))
    net, plain = Net.new(), Net.new()
    ledger, other = net.ledger(attend(net, kept, "bias")), plain.ledger(attend(plain, kept))
    assert counts(ledger) == (counts(other)[0], counts(other)[1] + HEADS * 10)
    assert ledger.storage - other.storage == Fraction(10 * 16 + 16, 32)  # ten values and their mask


def test_scores_multiplied_by_zero_still_take_part_in_the_softmax() -> None:
    """e^0 is 1: only the products behind a score, and its scale, are spared."""
    kept = np.tril(np.ones((4, 4), bool))
    net = Net.new()
    assert counts(net.ledger(attend(net, kept, "mul"))) == (30 * 4 + 30 + 48 * 2 + 48 * 6, 30 * 3 + (48 - 12) + (48 - 12) * 6)


def test_weights_multiplied_by_zero_are_no_part_of_the_product() -> None:
    """The softmax needs every score and every power, though not every quotient."""
    kept = np.tril(np.ones((4, 4), bool))
    net = Net.new()
    assert counts(net.ledger(attend(net, kept, "behind"))) == (48 * 4 + 48 + 48 + 30 + 30 * 6, 48 * 3 + (48 - 12) + (30 - 12) * 6)


@pytest.mark.parametrize("fill", [-1e4, -1e9])
def test_a_number_that_a_score_could_reach_hides_nothing(fill: float) -> None:
    """Not proved: nothing says how small a score can be."""
    kept = np.tril(np.ones((4, 4), bool))
    net = Net.new()
    q = net.input(1, HEADS, 4, WIDTH)
    scores = net.b.emit("matmul", q, q, left="nhqd", right="nhkd", out="nhqk")
    masked = net.b.elementwise("where", net.b.constant(kept, "kept", BOOL), scores, net.b.scalar(fill))
    found = operations(net.ledger(net.b.emit("softmax", masked, op="softmax", axis=3)), "multiply")
    assert found == 48 * 4 + 48 + 48 * 2


def test_a_score_that_something_else_reads_is_computed() -> None:
    kept = np.tril(np.ones((4, 4), bool))
    net = Net.new()
    q = net.input(1, HEADS, 4, WIDTH)
    scores = net.b.emit("matmul", q, q, left="nhqd", right="nhkd", out="nhqk")
    masked = net.b.elementwise("where", net.b.constant(kept, "kept", BOOL), scores, net.b.scalar(-np.inf))
    weights = net.b.emit("softmax", masked, op="softmax", axis=3)
    assert counts(net.ledger(weights, net.b.elementwise("relu", scores))) == (48 * 4 + 30 * 2 + 48, 48 * 3 + 30 - 12)


def test_zeros_behind_a_relu_earn_nothing() -> None:
    """Dynamic sparsity (O15): which elements are 0 depends on the input."""
    net = Net.new()
    x: Any = net.b.elementwise("relu", net.input(1, 4, 4))
    assert counts(net.ledger(net.b.emit("matmul", x, net.input(1, 4, 4), left="nqk", right="nkd", out="nqd"))) == (16 + 64, 48)


def test_a_mask_on_what_no_softmax_reads_is_arithmetic() -> None:
    net = Net.new()
    y = net.b.elementwise("mul", net.input(1, 4, 4), net.constant(np.tril(np.ones((4, 4))), "mask"))
    assert counts(net.ledger(y)) == (16, 0)

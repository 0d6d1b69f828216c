"""S4: what an export wrote twice is stored once, and a tensor of zeros is the number 0."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.counting import twins
from tests.build import Net, dense


def test_S4_a_table_and_its_transpose_are_stored_once() -> None:
    # An exporter that computes the transpose of a tied embedding ahead writes both.
    net = Net.new()
    table = dense((100, 8))
    token = net.b.input((1,), fmt=net.b.constant(np.zeros(1, np.int64)).format)
    hidden = net.b.emit("lookup", net.constant(table, "embedding"), token, op="embedding", axis=0)
    ledger = net.ledger(net.b.matmul(hidden, net.constant(table.T, "softmax")))
    assert ledger.storage == Fraction(100 * 8 * 16, 32)
    assert [line.note for line in ledger.lines if line.rule == "S4"] == ["stored once, as embedding"]


def test_S4_a_bias_in_another_shape_is_stored_once() -> None:
    net = Net.new()
    bias = dense((8,))
    y = net.b.elementwise("add", net.input(1, 4, 8), net.constant(bias, "first"))
    ledger = net.ledger(net.b.elementwise("add", y, net.constant(bias.reshape(1, 1, 8), "second")))
    assert ledger.storage == Fraction(8 * 16, 32)


def test_S4_many_tensors_that_begin_and_end_alike_are_compared_by_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 vectors of one kind, of which the last equals the first: that pair is compared, once a regime, not all."""
    compared = list[int]()
    values = twins._same_values
    monkeypatch.setattr(twins, "_same_values", lambda one, other: compared.append(1) or values(one, other))
    net, many = Net.new(), 300
    y = net.input(1, 6)
    for at in range(many):
        inner = (at % (many - 1) + 1) / 7
        y = net.b.elementwise("relu", net.b.elementwise("mul", y, net.constant([0.1, inner, 0.3, -inner, 0.7, 0.2], f"w{at}")))
    assert net.ledger(y).storage == Fraction((many - 1) * 6 * 16, 32)
    assert len(compared) <= 2 * 1


@pytest.mark.parametrize("shape", [(8, 100), (8, 8)])
def test_S4_a_transpose_with_one_other_value_is_another_tensor(shape: tuple[int, int]) -> None:
    net = Net.new()
    table = dense(shape)
    other = table.T.copy()
    other[-1, -1] += 1
    y = net.b.linear(net.input(1, shape[1]), net.constant(table, "w"))
    ledger = net.ledger(net.b.linear(y, net.constant(other, "v")))
    assert ledger.storage == Fraction(2 * shape[0] * shape[1] * 16, 32)


def test_S2_a_tensor_of_zeros_is_the_number_0_and_takes_no_room() -> None:
    net = Net.new()
    y = net.b.emit("move", net.constant(np.zeros((1, 4)), "state"), net.input(2, 4), op="concat", axis=0)
    assert net.ledger(y).storage == 0


def test_codes_of_zeros_are_the_number_0() -> None:
    """A bias that training left at 0 and a quantizer wrote as codes: neither codes nor a scale are stored."""
    net = Net.new()
    codes = net.b.constant(np.zeros(8, np.int32), "bias codes")
    bias = net.b.emit("dequantize", codes, net.constant(np.float32(0.3), "scale"), axis=-1)
    assert net.ledger(net.b.elementwise("add", net.input(1, 8), bias), regime="quantized").storage == 0

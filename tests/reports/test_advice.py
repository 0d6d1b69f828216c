"""What an entrant is told about quantizers that are written out."""

from __future__ import annotations

from fractions import Fraction

from micronet_verify.reports.advice import _of_rounding
from tests.build import Net, operations


def test_a_written_out_quantizer_is_arithmetic_and_is_told_so() -> None:
    net = Net.new()
    scaled = net.b.elementwise("div", net.input(1, 10), net.b.scalar(0.1))
    codes = net.b.elementwise("clip", net.b.elementwise("round", scaled), low=-8.0, high=7.0)
    ledger = net.ledger(net.b.elementwise("mul", codes, net.b.scalar(0.1)))
    # divide, round, two compares, multiply: five multiply-class operations for each of 10 values, at 16 bits
    assert operations(ledger, "multiply") == 5 * 10
    assert ledger.operations == Fraction(5 * 10 * 16, 32)
    assert list(_of_rounding(ledger)) == [
        "1 operator rounds values (elementwise): a quantizer written out is arithmetic; "
        "fake_quantize (PyTorch) or QuantizeLinear (ONNX) says that it is one."
    ]


def test_nothing_is_said_where_nothing_rounds() -> None:
    net = Net.new()
    assert list(_of_rounding(net.ledger(net.b.elementwise("relu", net.input(1, 10))))) == []

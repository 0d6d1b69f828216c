"""(c): what is priced at b bits lies on the grid that is declared, and no accumulator that is granted few bits overflows (O2, O12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from micronet_verify.analysis.values.width import Width
from micronet_verify.counting.analysed import analyse
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Value
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.proof import charged
from micronet_verify.track.rules import CountingRules
from tests.build import Net, dense
from tests.proof.proved import Proved, prove_graph

INPUTS = dense((12, 1, 8, 8), 90)
STEP = 0.05


def code(net: Net, x: Value, scale: Value | None = None, fmt: str = "int8", **clip: float) -> Value:
    """x → codes → x, of one scale and zero point 0."""
    scale = scale or net.constant(np.float32(STEP), "scale")
    zero = net.constant(np.zeros((), fmt), "zero", fmt)
    return net.b.emit("dequantize", net.b.emit("quantize", x, scale, zero, fmt=numeric_format(fmt), axis=-1, **clip), scale, zero, axis=-1)


def product(net: Net, x: Value, codes: Any) -> Value:
    weight = net.constant(np.asarray(codes) * np.float32(0.1), "weight")
    return net.b.emit("matmul", x, weight, left="ab", right="bc", out="ac")


def weight_codes() -> Any:
    codes = np.random.default_rng(3).integers(-7, 8, (64, 10))
    codes[0], codes[1] = -8, 7
    return codes


def flat(net: Net, x: Value) -> Value:
    return net.b.emit("move", x, op="reshape", shape=(1, 64))


def moved(net: Net, x: Value) -> Value:
    """Codes through everything that keeps a grid: a pad, a maximum, relu, joining, a reversed order."""
    x = net.b.emit("move", net.b.elementwise("relu", x), op="pad", padding=(0, 0, 1, 1) * 2)
    x = net.b.emit("pool", x, op="max", kernel=(3, 3), stride=(1, 1), padding=(0,) * 4, dilation=(1, 1))
    return net.b.emit("move", x, net.b.elementwise("neg", x), op="concat", axis=1)


def proved(net: Net, output: Value, rules: CountingRules | None = None) -> Proved:
    graph = net.finish(output)
    return prove_graph(graph, ConstantStore(net.folder, net.folder), INPUTS, regime="quantized", rules=rules)


def network() -> tuple[Net, Value]:
    net = Net.new()
    x = flat(net, net.b.elementwise("relu", code(net, net.input(1, 1, 8, 8))))
    return net, product(net, x, weight_codes())


def declared(monkeypatch: pytest.MonkeyPatch, change: Callable[[Width], Width]) -> None:
    """Has every narrow width declared otherwise than the graph does."""
    whole = charged._narrow
    monkeypatch.setattr(charged, "_narrow", lambda found: {name: change(width) for name, width in whole(found).items()})


def test_codes_lie_on_the_declared_grid_through_moves() -> None:
    net = Net.new()
    x = moved(net, code(net, net.input(1, 1, 8, 8)))
    assert x.shape == (1, 2, 8, 8)
    x = net.b.emit("move", x, op="reshape", shape=(1, 128))
    found = proved(net, product(net, x, np.concatenate([weight_codes(), weight_codes()[::-1]])))
    assert found.holds, found.found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda width: replace(width, scale=repr(2 * float(width.scale))), "which is not a code of 8 bits times the scale 0.1"),
        (lambda width: replace(width, scale=repr(1.01 * float(width.scale))), "which is not a code of 8 bits times the scale 0.05"),
        (lambda width: replace(width, bits=4, low=-8, high=7), "but -8 to 7 are declared"),
        (lambda width: replace(width, low=1), "but 1 to 127 are declared"),
        (lambda width: replace(width, bits=3, low=None, high=None), "which take more than 3 bits"),
        (lambda width: Width(3, False), "more than 8 different values, priced at 3 bits each"),
    ],
)
def test_a_wrong_declaration_is_found(change: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert proved(*network()).holds
    declared(monkeypatch, change)
    found = proved(*network()).found
    assert found.outcome == "differs"
    assert words in found.words


def test_few_values_off_the_grid_are_not_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen different values would pass a count of 2^8; half a step between the codes is no code."""
    net = Net.new()
    x = flat(net, code(net, net.input(1, 1, 8, 8), low=-8.0, high=7.0))
    half = net.b.elementwise("add", x, net.constant(np.float32(STEP / 2), "half"))
    output = product(net, half, weight_codes())
    grid = Width(8, False, -128, 127, repr(float(np.float32(STEP))))
    whole = charged._narrow
    monkeypatch.setattr(charged, "_narrow", lambda found: {**whole(found), half.id: grid})
    found = proved(net, output).found
    assert found.outcome == "differs"
    assert "which is not a code of 8 bits times the scale 0.05" in found.words


def largest(net: Net, x: Value) -> Value:
    """A scale that the graph computes: the largest magnitude over 127."""
    most = net.b.emit("reduce", net.b.elementwise("abs", x), op="max", axes=(0, 1, 2, 3), keepdims=False)
    return net.b.elementwise("div", most, net.constant(np.float32(127), "127"))


def test_a_scale_that_is_computed_declares_a_grid() -> None:
    net = Net.new()
    x = net.input(1, 1, 8, 8)
    found = proved(net, product(net, flat(net, code(net, x, largest(net, x))), weight_codes()))
    assert found.holds, found.found
    assert {line.bits for line in found.ledger.lines if line.rule == "O1" and line.operation == "multiply"} == {8}


@pytest.mark.parametrize("accumulator", ["proved", "tree"])
def test_an_accumulator_that_is_granted_few_bits_holds_every_sum(accumulator: Any) -> None:
    found = proved(*network(), rules=CountingRules(accumulator=accumulator))
    assert found.holds, found.found
    assert any(line.rule == "O12" and line.bits < 32 for line in found.ledger.lines)


def test_a_convolutions_accumulator_too() -> None:
    net = Net.new()
    x = code(net, net.input(1, 1, 8, 8))
    codes = np.random.default_rng(3).integers(-7, 8, (4, 1, 3, 3))
    y = net.conv(x, net.constant(codes * np.float32(0.1), "weight"), net.constant(dense((4,)), "bias"), pad=1)
    assert proved(net, flat(net, net.b.emit("reduce", y, op="max", axes=(1,), keepdims=False)), CountingRules(accumulator="proved")).holds


@pytest.mark.parametrize("accumulator", ["proved", "tree"])
def test_an_accumulator_that_would_overflow_is_found(accumulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of 64 products of 4-bit weights and codes of up to 60 take more than 9 bits."""
    monkeypatch.setattr(charged, "narrow_accumulator", lambda node, operands: 9)
    found = proved(*network(), rules=CountingRules(accumulator=accumulator)).found
    assert found.outcome == "differs"
    assert found.words.startswith("sums of codes from -")
    assert found.words.endswith("bits in an accumulator of 9")


def sums(net: Net, output: Value) -> list[int]:
    ledger = net.ledger(output, regime="quantized", rules=CountingRules(accumulator="proved"))
    return [line.bits for line in ledger.lines if line.operation == "add"]


@pytest.mark.parametrize(
    ("function", "least", "most"),
    [("neg", -15, 0), ("relu", 0, 15), ("abs", 0, 15), ("none", 0, 15)],
)
def test_O12_the_range_of_codes_follows_functions(function: str, least: int, most: int) -> None:
    """Unsigned codes of 4 bits times 9 weights of 1: sums from 9 · least to 9 · most; 8 bits, and a sign where they are negative."""
    net = Net.new()
    x = code(net, net.input(1, 9), fmt="uint8", low=0.0, high=15.0)
    x = x if function == "none" else net.b.elementwise(function, x)
    weight = np.ones((9, 2))
    weight[:, 1] = 7
    weight[0, 1] = 6  # so that no divisor is left
    bits = (9 * 7 - 1) * max(most, -least)
    assert sums(net, product(net, x, weight)) == [bits.bit_length() + (least < 0)]


def test_O12_zeros_of_a_padding_are_in_the_range() -> None:
    """Codes from 3 to 15, padded by zeros: 0 to 15."""
    net = Net.new()
    x = code(net, net.input(1, 2), fmt="uint8", low=3.0, high=15.0)
    x = net.b.emit("move", x, op="pad", padding=(0, 1, 0, 1))
    analysed = analyse(net.finish(x), ConstantStore(net.folder, net.folder))
    width = analysed.rewritten(CountingRules(), "quantized").widths[x.id]
    assert (width.low, width.high) == (0, 15)

"""Every constant that a priced graph reads is rebuilt from what is charged: views, ties, parts, twins, scales of norms, numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet_verify.analysis.rewrites.rewritten import Rewritten
from micronet_verify.analysis.tensors.mantissa import rounded
from micronet_verify.analysis.tensors.scan import same_bits
from micronet_verify.counting.analysed import analyse
from micronet_verify.counting.forms.encoding import as_seen
from micronet_verify.counting.ledger import Regime
from micronet_verify.counting.rebuilt import Rebuilt, rebuilt
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Value
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.track.rules import CountingRules
from tests.build import Net, dense
from tests.counting.test_laws import LAYERS, network

RULES = CountingRules()


def read(found: Rewritten) -> Iterator[str]:
    """The names of the constants that nodes read."""
    for node in found.graph.nodes:
        yield from (name for name in node.inputs if name in found.constants)
        for body in found.bodies.get(node.outputs[0], ()):
            yield from read(body)


def everything(net: Net, *outputs: Value, regime: Regime = "quantized") -> tuple[Rewritten, Rebuilt]:
    """The priced graph, and its constants rebuilt: equal to what is read, but for roundings where a norm scales rows."""
    analysed = analyse(net.finish(*outputs), ConstantStore(net.folder, net.folder))
    found = analysed.rewritten(RULES, regime)
    again = rebuilt(analysed.stock(RULES, regime), found.constants, regime, RULES)
    for name in read(found):
        constant, array = found.constants[name], again[name]
        seen = as_seen(constant)
        assert array.shape == constant.shape
        if regime == "freebie":
            assert np.allclose(array.astype(float), seen.astype(float), rtol=2**-11, atol=0)
        elif constant.row_scale is None:
            assert same_bits(array, seen), name
        else:
            assert np.allclose(array, seen, rtol=2**-20, atol=0)
    return found, again


@settings(max_examples=30)
@given(LAYERS, st.integers(0, 1000), st.sampled_from(["quantized", "freebie"]))
def test_constants_of_any_network(layers: list[str], seed: int, regime: Any) -> None:
    net, y = network(layers, seed)
    everything(net, y, regime=regime)


def test_a_weight_and_its_transpose() -> None:
    net = Net.new()
    weight = net.constant(dense((6, 8)))
    y = net.b.linear(net.input(1, 8), weight)
    everything(net, net.b.linear(y, net.b.transpose(weight, (1, 0))))


def test_twins() -> None:
    net = Net.new()
    weight = dense((6, 8))
    y = net.b.linear(net.input(1, 8), net.constant(weight))
    y = net.b.linear(y, net.constant(weight.T, "v"))
    everything(net, net.b.linear(y, net.constant(weight, "u")))


def test_parts_that_overlap() -> None:
    net = Net.new()
    whole = net.constant(dense((10, 8)))
    x = net.input(1, 8)
    parts = [net.b.emit("move", whole, op="slice", axes=(0,), starts=(a,), ends=(b,), steps=(1,)) for a, b in ((0, 6), (4, 9))]
    everything(net, *(net.b.linear(x, part) for part in parts))


def test_a_part_of_what_is_stored_whole() -> None:
    net = Net.new()
    whole, x = net.constant(dense((10, 8))), net.input(1, 8)
    part = net.b.emit("move", whole, op="slice", axes=(0,), starts=(2,), ends=(6,), steps=(1,))
    everything(net, net.b.linear(x, whole), net.b.linear(x, part))


def test_copies() -> None:
    net = Net.new()
    row = net.b.emit("move", net.constant(dense((1, 8))), op="expand", shape=(4, 8))
    everything(net, net.b.elementwise("mul", net.input(1, 4, 8), row))


@pytest.mark.parametrize("zero", [0, 3])
def test_dequantized_codes_of_channels(zero: int) -> None:
    net = Net.new()
    codes = net.b.constant(np.random.default_rng(0).integers(-100, 100, (6, 8)).astype(np.int8), "q")
    scales, zeros = net.constant(dense((6,)) ** 2 + 0.1, "s"), net.constant(np.full(6, zero), "z", np.int8)
    weight = net.b.emit("dequantize", codes, scales, zeros, axis=0)
    everything(net, net.b.linear(net.input(1, 8), net.b.elementwise("neg", weight)), net.b.linear(net.input(1, 8), weight))


@pytest.mark.parametrize("cast", [False, True])
def test_narrow_floats(cast: bool) -> None:
    """By their operator and through a cast (B7)."""
    net = Net.new()
    values = np.random.default_rng(0).normal(size=(16, 32)).astype(ml_dtypes.float8_e4m3fn)
    codes = net.b.constant(values, "q", numeric_format("float8_e4m3fn"))
    if cast:
        weight = net.b.emit("move", codes, fmt=numeric_format("float32"), op="cast")
    else:
        weight = net.b.emit("dequantize", codes, net.b.constant(np.float32(1), "s"), axis=-1)
    found, again = everything(net, net.b.linear(net.input(1, 32), weight))
    assert any(np.array_equal(again[name], values.astype(np.float32)) for name in read(found))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]), st.integers(-60, 60))
def test_eleven_bits_of_mantissa(seed: int, dtype: Any, power: int) -> None:
    """fp16's own rounding where it has all bits, moved to the tensor's greatest magnitude."""
    random = np.random.default_rng(seed)
    array = (random.normal(size=500) * 2.0 ** random.integers(-12, 0, 500)).astype(dtype)
    array[0] = 1
    scale = dtype(2.0**power)
    nearest = array.astype(np.float16).astype(dtype)
    kept = np.abs(array) >= 2.0**-14
    assert np.array_equal(rounded(array * scale)[kept], (nearest * scale)[kept])


def test_stochastic_rounding_is_right_on_average() -> None:
    array = np.full(40_000, 1 + 2.0**-11 + 2.0**-12, np.float32)
    found = rounded(array, np.random.default_rng(0))
    assert set(np.unique(found)) == {1, 1 + 2.0**-10}
    assert abs(found.astype(np.float64).mean() - float(array[0])) < 2.0**-17

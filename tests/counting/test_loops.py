"""A loop costs its body times its turns; what it carries and scans is as wide, as given, and as dear as written out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.errors import SubmissionFault
from micronet_verify.facts.formats import INT64, numeric_format
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.validate import validate
from tests.build import Net

INT8 = numeric_format("int8")


def quantized(net: Net, x: Value, scale: float = 0.5) -> Value:
    step = net.b.scalar(scale)
    return net.b.emit("dequantize", net.b.emit("quantize", x, step, fmt=INT8, axis=-1), step, axis=-1)


def carrying(net: Net, first: Value, weight: Value, turns: int, scale: float) -> Value:
    """h' = quantized(h · W), ``turns`` times."""
    with net.b.inside():
        h = net.b.input(first.shape)
        body = net.b.finish([quantized(net, net.b.linear(h, weight), scale)])
    return net.b.loop(body, (first,), trips=turns)[0]


@pytest.mark.parametrize(("scale", "bits"), [(0.5, 8), (0.25, 32)])
def test_what_a_loop_carries_is_as_wide_as_the_wider_of_first_and_later(scale: float, bits: int) -> None:
    """The first value has codes of scale 0.5; those of another scale and they together are numbers like any other."""
    net = Net.new()
    x = net.input(1, 4)
    y = carrying(net, quantized(net, x), net.constant(np.arange(16, dtype=np.float32).reshape(4, 4)), 3, scale)
    lines = [line for line in net.ledger(y, regime="quantized").lines if line.operation == "multiply" and "weights" in line.formula]
    assert [(line.quantity, line.bits) for line in lines] == [(3 * 15, bits)]  # 15 weights are not zero


def test_a_loop_that_starts_from_zeros_is_as_narrow_as_what_it_makes() -> None:
    net = Net.new()
    x = net.input(1, 4)
    zeros = net.b.emit("move", net.b.scalar(0.0), op="expand", shape=(1, 4))
    weight = net.constant(np.arange(16, dtype=np.float32).reshape(4, 4))
    h = carrying(net, zeros, weight, 3, 0.5)
    lines = net.ledger(net.b.elementwise("add", h, x), regime="quantized").lines
    assert {line.bits for line in lines if line.operation == "multiply" and "weights" in line.formula} == {8}


def test_scanned_weights_are_stored() -> None:
    """x · W_t for each of 5 turns: all five matrices are charged, and the products at the width of computed operands."""
    net = Net.new()
    x = net.input(1, 4)
    weights = net.constant(np.random.default_rng(0).standard_normal((5, 4, 4)).astype(np.float32))
    with net.b.inside():
        h, w = net.b.input((1, 4)), net.b.input((4, 4))
        body = net.b.finish([net.b.linear(h, w)])
    (y,) = net.b.loop(body, (x,), (weights,), trips=5)
    ledger = net.ledger(y, regime="quantized")
    assert ledger.storage == 5 * 4 * 4
    assert ledger.quantity("operations", "multiply") == 5 * 4 * 4
    assert ledger.quantity("operations", "add") == 5 * 4 * 3


@pytest.mark.parametrize("computed", [False, True])
def test_a_token_that_a_loop_scans_looks_up_for_nothing(computed: bool) -> None:
    """Indices that the model was given address a table (O9); computed ones select, an element each."""
    net = Net.new()
    tokens = net.b.input((6,), INT64)
    x = net.input(1, 4)
    if computed:
        top = net.b.emit("select", x, op="argmax", axis=1)
        tokens = net.b.elementwise("add", tokens, top)
    table = net.constant(np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32))
    with net.b.inside():
        token = net.b.input((), INT64)
        body = net.b.finish([net.b.emit("lookup", table, net.b.reshape(token, (1,)), op="embedding", axis=0)])
    (rows,) = net.b.loop(body, (), (tokens,), trips=6)
    lines = [line for line in net.ledger(rows).lines if line.axis == "operations" and "6 ×" in line.formula and line.quantity]
    assert bool(lines) == computed


def test_the_formula_says_how_often() -> None:
    net = Net.new()
    x = net.input(1, 4)
    with net.b.inside():
        h = net.b.input((1, 4))
        body = net.b.finish([net.b.elementwise("add", h, net.b.scalar(1.0))])
    (line,) = [line for line in net.ledger(net.b.loop(body, (x,), trips=1000)[0]).lines if line.operation == "add"]
    assert line.quantity == Fraction(1000 * 4)
    assert line.formula.startswith("1,000 × (")


def looped(**attributes: object) -> Graph:
    net = Net.new()
    x, first = net.input(3, 4), net.input(1, 4)
    with net.b.inside():
        h, e = net.b.input((1, 4)), net.b.input((4,))
        body = net.b.finish([net.b.elementwise("add", h, e)])
    return net.b.finish(net.b.loop(body, (first,), (x,), trips=3, **attributes))  # type: ignore[arg-type]


def test_loops_are_checked_when_they_come_from_a_sandbox() -> None:
    graph = looped()
    validate(graph)
    (node,) = graph.nodes
    for attributes, sentence in [
        ({"trips": 3}, "got a body that takes [(1, 4), (4,)] but should take [(1, 4), (3, 4)]"),
        ({"trips": 4, "scanned": 1}, "got a scanned tensor of shape (3, 4) but should have 4 slices, one for each turn"),
        ({"trips": 3, "scanned": 3}, "got a loop of 3 turns over 2 operands, -1 of them carried, but should fit"),
        ({"trips": 3, "scanned": 1, "turn": True}, "got a body that takes [(1, 4), (4,)] but should take [(), (1, 4), (4,)]"),
    ]:
        with pytest.raises(SubmissionFault) as fault:
            validate(replace(graph, nodes=(replace(node, attributes=attributes),)))
        assert str(fault.value).startswith(sentence)

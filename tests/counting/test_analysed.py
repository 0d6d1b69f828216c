"""Analysed once, priced many times: what one reading left behind changes no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from micronet_verify.counting.analysed import Analysed, analyse
from micronet_verify.counting.count import count_graph
from micronet_verify.counting.price import price
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.track.rules import KNOBS, CountingRules
from tests.build import Net, dense

READINGS = [replace(CountingRules(), **{knob: value}) for knob, values in KNOBS.items() for value in values]  # type: ignore[arg-type]


def network() -> tuple[Net, Graph]:
    """Something for every knob: zeros, codes, a norm that folds and one that stays, a shuffle, a mask, activations of 8 bits."""
    net, random = Net.new(), np.random.default_rng(0)
    x = net.input(1, 8, 6, 6)
    pruned = dense((8, 8, 3, 3), 1) * (random.random((8, 8, 3, 3)) < 0.3)
    y = net.batch_norm(net.conv(x, net.constant(pruned, "pruned"), pad=1), 8)
    y = net.b.emit("permute", y, net.b.constant(np.array([4, 0, 5, 1, 6, 2, 7, 3]), "order"), op="index", axis=1)
    scale = net.constant(np.array(0.25), "s")
    quantized = net.b.emit("quantize", y, scale, fmt=numeric_format("int8"), axis=-1)
    y = net.b.emit("dequantize", quantized, scale, axis=-1)
    book = dense((4,), 2)[random.integers(0, 4, (64, 8, 3, 3))]
    y = net.batch_norm(net.conv(y, net.constant(book, "book"), pad=1), 64, seed=5)
    scores = net.b.emit("move", y, op="reshape", shape=(1, 64, 36))
    mask = np.where(random.random((36,)) < 0.5, 0, -np.inf)
    masked = net.b.elementwise("add", scores, net.constant(mask, "mask"))
    return net, net.finish(net.b.emit("softmax", masked, op="softmax", axis=2))


@pytest.fixture(scope="module")
def model() -> Iterator[tuple[Graph, ConstantStore]]:
    net, graph = network()
    yield graph, ConstantStore(net.folder, net.folder)
    del net  # with it goes the folder


@pytest.fixture(scope="module")
def used(model: tuple[Graph, ConstantStore]) -> Analysed:
    analysed = analyse(*model)
    for rules in READINGS:
        price(analysed, rules)
    return analysed


@pytest.mark.parametrize("rules", READINGS, ids=range(len(READINGS)))
def test_a_price_is_that_of_a_fresh_count(model: tuple[Graph, ConstantStore], used: Analysed, rules: CountingRules) -> None:
    assert price(used, rules) == count_graph(*model, rules)


def test_the_knobs_have_something_to_read(model: tuple[Graph, ConstantStore]) -> None:
    """Every knob of the graph or of its storage changes this network's price, so that the test above can fail."""
    plain = count_graph(*model, CountingRules())
    moving = {knob for knob, values in KNOBS.items() for value in values if _differs(plain, model, knob, value)}
    assert moving >= {"representation", "mask", "batch_norm", "permutation", "dot_adds", "activation_bits", "attention_mask"}


def _differs(plain: object, model: tuple[Graph, ConstantStore], knob: str, value: str | int) -> bool:
    found = count_graph(*model, replace(CountingRules(), **{knob: value}))  # type: ignore[arg-type]
    return found.ledgers != plain.ledgers  # type: ignore[attr-defined]

"""C4: a plugin whose graph has nothing to do with what its loader answers is found, whatever the graph costs."""

from __future__ import annotations

import numpy as np
import pytest

from micronet_verify.facts.graph import Graph
from micronet_verify.facts.tensors import ConstantStore
from tests.build import Net
from tests.proof.proved import Array, own_answers, prove_graph

RANDOM = np.random.default_rng(4)
WEIGHT = RANDOM.standard_normal((8, 8)).astype(np.float32)
INPUTS = RANDOM.standard_normal((6, 1, 8)).astype(np.float32)


def linear(weight: Array | None) -> tuple[Graph, ConstantStore, Net]:
    """relu(x·wᵀ), or relu(x) where there is no weight. The net keeps the folder of its constants."""
    net = Net.new()
    x = net.input(1, 8)
    y = x if weight is None else net.b.linear(x, net.constant(weight))
    return net.finish(net.b.elementwise("relu", y)), ConstantStore(net.folder, net.folder), net


def honest() -> Array:
    graph, store, _ = linear(WEIGHT)
    return own_answers(graph, store, INPUTS)


@pytest.mark.parametrize(
    "claimed", [None, np.ones_like(WEIGHT), WEIGHT.T.copy(), np.zeros_like(WEIGHT)], ids=["input", "ones", "turned", "none"]
)
def test_C4_a_graph_that_is_not_what_answers_fails_the_proof(claimed: Array | None) -> None:
    """The counter hands back the input, or other weights: score 0 was "sealed" before."""
    graph, store, _net = linear(claimed)
    proof = prove_graph(graph, store, INPUTS, honest()).proof
    assert proof.translated.outcome == "differs"
    assert proof.priced is None


def test_C4_the_graph_that_answers_is_proved() -> None:
    graph, store, _net = linear(WEIGHT)
    assert prove_graph(graph, store, INPUTS, honest()).holds

"""Laws that hold for every network, found false by Hypothesis or not at all."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet_verify.counting.count import Count, count_graph
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.track.rules import CountingRules
from tests.build import Net, dense, operations

settings.register_profile("core", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("core")

LAYERS = st.lists(
    st.sampled_from(["conv", "norm", "relu", "silu", "pool", "shuffle", "residual", "depthwise", "grid", "pruned"]), min_size=1, max_size=7
)


def network(layers: list[str], seed: int) -> tuple[Net, Value]:
    """A small network of 8 channels on 8×8 out of these layers."""
    net = Net.new()
    y = net.input(1, 8, 8, 8)
    for index, layer in enumerate(layers):
        weight = dense((8, 8, 3, 3), seed + index)
        if layer == "conv":
            y = net.conv(y, net.constant(weight), pad=1)
        elif layer == "grid":
            codes = np.random.default_rng(seed + index).integers(-7, 8, weight.shape)
            y = net.conv(y, net.constant(codes * np.float32(0.11)), pad=1)
        elif layer == "pruned":
            y = net.conv(y, net.constant(weight * (weight > 0.3)), net.constant(dense((8,), seed)), pad=1)
        elif layer == "depthwise":
            y = net.conv(y, net.constant(weight[:, :1]), pad=1, groups=8)
        elif layer == "norm":
            y = net.batch_norm(y, 8, seed + index)
        elif layer in ("relu", "silu"):
            y = net.b.elementwise(layer, y)
        elif layer == "pool":
            y = net.b.emit("pool", y, op="max", kernel=(3, 3), stride=(1, 1), padding=(1, 1, 1, 1))
        elif layer == "shuffle":
            y = net.b.transpose(net.b.reshape(y, (1, 2, 4, 8, 8)), (0, 2, 1, 3, 4))
            y = net.b.reshape(y, (1, 8, 8, 8))
        elif layer == "residual":
            y = net.b.elementwise("add", y, net.b.elementwise("relu", y))
    return net, y


@given(LAYERS, st.integers(0, 1000))
def test_the_total_is_the_sum_of_its_lines_and_no_line_is_negative(layers: list[str], seed: int) -> None:
    net, y = network(layers, seed)
    for ledger in net.count(y).ledgers.values():
        assert all(line.amount >= 0 and line.quantity >= 0 for line in ledger.lines)
        total = sum((Fraction(line.quantity * line.bits, 32) for line in ledger.lines), Fraction(0))
        assert total == ledger.storage + ledger.operations


@given(LAYERS, st.integers(0, 1000), st.integers(0, 1000))
def test_names_and_node_order_do_not_matter(layers: list[str], seed: int, order: int) -> None:
    net, y = network(layers, seed)
    graph = net.finish(y)
    renamed = shuffled(graph, Random(order))
    one, other = (totals(count_graph(g, ConstantStore(net.folder, net.folder), CountingRules())) for g in (graph, renamed))
    assert one == other


def shuffled(graph: Graph, random: Random) -> Graph:
    """The same graph under other ids, its nodes in another executable order."""
    ids = {name: f"n{random.random()}" for name in graph.values}
    ids[""] = ""
    values = {ids[v.id]: Value(ids[v.id], v.shape, v.format, v.constant, f"other {v.label}") for v in graph.values.values()}
    waiting = [
        Node(n.kind, tuple(ids[i] for i in n.inputs), tuple(ids[o] for o in n.outputs), n.attributes, n.source, "elsewhere")
        for n in graph.nodes
    ]
    done = {ids[name] for name in graph.inputs} | {name for name, value in values.items() if value.constant}
    order: list[Node] = []
    while waiting:
        ready = [node for node in waiting if done.issuperset(node.inputs)]
        node = random.choice(ready)
        waiting.remove(node)
        order.append(node)
        done.update(node.outputs)
    return Graph(tuple(ids[i] for i in graph.inputs), tuple(ids[o] for o in graph.outputs), values, tuple(order))


def totals(count: Count) -> dict[str, tuple[Fraction, Fraction]]:
    return {regime: (ledger.storage, ledger.operations) for regime, ledger in count.ledgers.items()}


@given(st.integers(0, 1000), st.floats(0.1, 0.9))
def test_masking_a_weight_never_raises_operations(seed: int, share: float) -> None:
    weight = dense((6, 12), seed)
    mask = np.random.default_rng(seed).random(weight.shape) < share
    counts = []
    for array in (weight, weight * mask):
        net = Net.new()
        counts.append(net.ledger(net.b.linear(net.input(1, 12), net.constant(array))))
    assert counts[1].operations <= counts[0].operations
    assert counts[1].storage <= counts[0].storage


@given(st.integers(1, 11), st.integers(0, 100))
def test_splitting_a_product_leaves_its_multiplies(cut: int, seed: int) -> None:
    weight = dense((5, 12), seed)
    whole, parts = Net.new(), Net.new()
    one = whole.ledger(whole.b.linear(whole.input(1, 12), whole.constant(weight)))
    x = parts.input(1, 12)
    halves = parts.b.emit_many("move", (x,), (None, None), op="split", axis=1, sizes=(cut, 12 - cut))
    products = [parts.b.linear(half, parts.constant(part)) for half, part in zip(halves, np.split(weight, [cut], 1), strict=True)]
    other = parts.ledger(parts.b.elementwise("add", *products))
    assert operations(one, "multiply") == operations(other, "multiply")
    assert operations(one, "add") == operations(other, "add")
    assert one.storage == other.storage


def quantized_linear(weight_bits: int, activation_bits: int, seed: int = 0) -> Count:
    """The same codes (of 2 bits) dequantized from integers of these widths."""
    net = Net.new()
    scale = net.constant(np.float32(0.05), "scale")
    codes = net.b.emit("quantize", net.input(1, 24), scale, fmt=numeric_format(f"int{activation_bits}"), axis=-1)
    x = net.b.emit("dequantize", codes, scale, axis=-1)
    top = 2 ** (weight_bits - 1)
    weight = np.random.default_rng(seed).integers(-top, top, (16, 24))
    weight[:, :3] = [[-top, top - 1, 1]]
    stored = net.b.constant(weight.astype(np.int8), "w", numeric_format(f"int{weight_bits}"))
    w = net.b.emit("dequantize", stored, net.constant(np.float32(0.1), "s"), axis=-1)
    return net.count(net.b.linear(x, w))


@given(st.integers(2, 8), st.integers(2, 8), st.booleans())
def test_fewer_bits_are_never_dearer_within_one_regime(weight_bits: int, activation_bits: int, weights: bool) -> None:
    wide = quantized_linear(weight_bits, activation_bits).ledgers["quantized"]
    narrower = (max(weight_bits - 1, 2), activation_bits) if weights else (weight_bits, max(activation_bits - 1, 2))
    narrow = quantized_linear(*narrower).ledgers["quantized"]
    per_value = [sum(line.amount for line in ledger.lines if line.axis == "storage" and line.rule == "S1") for ledger in (narrow, wide)]
    widths = [max(line.bits for line in ledger.lines if line.operation == "multiply") for ledger in (narrow, wide)]
    assert per_value[0] <= per_value[1]
    assert widths[0] <= widths[1]


def test_the_forfeited_freebie_is_the_exception() -> None:
    """Quantizing activations to 15 bits is dearer than leaving all at 32, because plain floats count at 16."""
    net = Net.new()
    plain = net.count(net.b.linear(net.input(1, 24), net.constant(dense((16, 24)))))
    other = Net.new()
    scale = other.constant(np.float32(0.05), "scale")
    codes = other.b.emit("quantize", other.input(1, 24), scale, fmt=numeric_format("int15"), axis=-1)
    y = other.b.linear(other.b.emit("dequantize", codes, scale, axis=-1), other.constant(dense((16, 24))))
    forfeited = other.count(y)
    assert list(forfeited.ledgers) == ["quantized"]
    assert forfeited.ledgers["quantized"].storage > plain.ledgers["freebie"].storage
    assert forfeited.ledgers["quantized"].operations > plain.ledgers["freebie"].operations

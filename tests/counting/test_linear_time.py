"""F1, F11: counting takes time in proportion to the nodes, however they are wired and however deep bodies lie in bodies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import numpy as np
import pytest

from micronet_verify.analysis.rewrites import evaluate
from micronet_verify.checks.rules.walk import live_nodes
from micronet_verify.counting import count
from micronet_verify.counting.analysed import analyse
from micronet_verify.counting.count import count_graph
from micronet_verify.facts.formats import FLOAT32, numeric_format
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.track.rules import CountingRules
from tests.build import Net

BOOL = numeric_format("bool")


def chain(net: Net, n: int) -> list[Value]:
    x = net.input(1, 8)
    for index in range(n):
        x = net.b.elementwise("relu", x) if index % 2 else net.b.elementwise("add", x, x)
    return [x]


def pieces(net: Net, n: int) -> list[Value]:
    return list(net.b.emit_many("move", [net.input(1, n)], [None] * n, op="split", axis=1, sizes=(1,) * n))


def fan(net: Net, n: int) -> list[Value]:
    return [net.b.emit("move", *(net.b.elementwise("relu", net.b.elementwise("exp", x)) for x in pieces(net, n // 2)), op="concat", axis=1)]


def tree(net: Net, n: int) -> list[Value]:
    found = pieces(net, n)
    while len(found) > 1:
        found = [net.b.elementwise("add", *found[at : at + 2]) for at in range(0, len(found) - 1, 2)] + found[len(found) // 2 * 2 :]
    return found


def some_of_many(net: Net, n: int) -> list[Value]:
    """The wiring of A4: each output adds 50 of 200 single elements."""
    random, parts, sums = np.random.default_rng(0), pieces(net, 200), []
    for _ in range(n // 50):
        total = parts[0]
        for at in random.integers(0, 200, 50):
            total = net.b.elementwise("add", total, parts[at])
        sums.append(total)
    return [net.b.emit("move", *sums, op="concat", axis=1)]


def joins(net: Net, n: int) -> list[Value]:
    x = net.input(1, 8)
    for _ in range(n // 2):
        half = net.b.emit("move", x, op="slice", axes=(1,), starts=(0,), ends=(4,), steps=(1,))
        x = net.b.emit("move", half, half, op="concat", axis=1)
    return [x]


def calls(make: Callable[[Net, int], list[Value]], n: int) -> int:
    """How many functions counting a graph of ``n`` nodes calls: the same on every machine, as seconds are not."""
    net = Net.new()
    graph = net.b.finish(make(net, n))
    called = 0

    def counted(frame: FrameType, event: str, argument: object) -> None:
        nonlocal called
        called += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        validate(graph)
        count_graph(graph, ConstantStore(net.folder, net.folder), CountingRules())
    finally:
        sys.setprofile(before)
    return called


@pytest.mark.parametrize("make", [chain, fan, tree, some_of_many, joins])
def test_work_grows_with_the_nodes_and_not_with_their_square(make: Callable[[Net, int], list[Value]]) -> None:
    """F11: eight times the nodes call eight times as many functions, or n log n; a square would be 64. ``benchmarks`` has the seconds."""
    calls(make, 50)  # what is found out once for a process
    few = calls(make, 100)
    assert calls(make, 800) < 12 * few


def test_a_split_is_cut_once_and_each_piece_followed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """F11: of a tensor in n parts each part is one view; sizes were added up, and the source laid out, for every part again."""
    laid, cut = list[int](), list[int]()
    arange, pieces, moved = np.arange, evaluate.pieces, evaluate.moved
    monkeypatch.setattr(np, "arange", lambda *of, **how: laid.append(len(arange(*of))) or arange(*of, **how))
    monkeypatch.setattr(evaluate, "pieces", lambda node: cut.append(len(node.outputs)) or pieces(node))
    monkeypatch.setattr(evaluate, "moved", lambda node, operands: cut.append(1) or moved(node, operands))
    monkeypatch.setattr(count, "analyse", analyse)  # counted once, and not run pass by pass beside it
    calls(tree, 1000)
    assert sum(cut) == 2 * 1000  # the split has 1,000 results, and each is followed once
    assert sum(laid) < 20 * 1000


class Bodies:
    """Branches in branches, and one after the other, with ids of their own."""

    def __init__(self) -> None:
        self._made = 0

    def value(self, values: dict[str, Value], *shape: int) -> str:
        self._made += 1
        name = f"n{self._made}"
        values[name] = Value(name, shape, FLOAT32)
        return name

    def nested(self, x: str, condition: str, depth: int) -> Graph:
        values: dict[str, Value] = {}
        y = self.value(values, 8)
        nodes = [Node("elementwise", (x,), (y,), {"op": "relu"})]
        if depth:
            z = self.value(values, 8)
            bodies = self.nested(y, condition, depth - 1), self.nested(y, condition, 0)
            nodes.append(Node("branch", (condition,), (z,), {"id": z}, bodies=bodies))
            y = z
        return Graph((), (y,), values, tuple(nodes))

    def inside(self, depth: int) -> Graph:
        found = self.nested("x", "c", depth)
        values = {"x": Value("x", (8,), FLOAT32), "c": Value("c", (), BOOL), **found.values}
        return Graph(("x", "c"), found.outputs, values, found.nodes)

    def in_a_row(self, n: int) -> Graph:
        values, nodes, x = {"x": Value("x", (8,), FLOAT32), "c": Value("c", (), BOOL)}, [], "x"
        for _ in range(n):
            z = self.value(values, 8)
            nodes.append(Node("branch", ("c",), (z,), {"id": z}, bodies=(self.nested(x, "c", 0), self.nested(x, "c", 0))))
            x = z
        return Graph(("x", "c"), (x,), values, tuple(nodes))


@pytest.mark.parametrize("graph", [Bodies().inside(60), Bodies().in_a_row(300)], ids=["60 deep", "300 in a row"])
def test_each_body_is_looked_at_once_a_pass(graph: Graph, tmp_path: object) -> None:
    """F1: a walk that looks at a body twice a level takes 2^60 looks. The rules of the checks walk by themselves."""
    validate(graph)
    count = count_graph(graph, ConstantStore(tmp_path, tmp_path), CountingRules())  # type: ignore[arg-type]
    nodes = live_nodes(graph)
    relus = sum(node.kind == "elementwise" for node in nodes)
    assert count.ledgers["freebie"].operations == relus * 8 / 2

"""What is rebuilt wrongly is found: the cheats of the cases, planted where constants are rebuilt and where graphs are translated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.proof import charged
from tests.build import Net, dense
from tests.proof.proved import Proved, own_answers, prove_graph

Array = NDArray[Any]
INPUTS = dense((24, 1, 8, 8), 90)


def network(hidden: Callable[[Net], tuple[Any, Any]] | None = None) -> tuple[Net, Graph]:
    """conv 1→8 3×3, relu, linear 512→10, or with another weight of the linear layer."""
    net = Net.new()
    x = net.conv(net.input(1, 1, 8, 8), net.constant(dense((8, 1, 3, 3)), "conv.weight"), net.constant(dense((8,), 1), "conv.bias"), pad=1)
    x = net.b.emit("move", net.b.elementwise("relu", x), op="reshape", shape=(1, 512))
    weight = net.constant(dense((512, 10), 2) / 20, "head.weight")
    return net, net.finish(net.b.emit("matmul", x, weight, left="ab", right="bc", out="ac"))


def proved(net: Net, graph: Graph, answers: Array | None = None, **more: Any) -> Proved:
    return prove_graph(graph, ConstantStore(net.folder, net.folder), INPUTS, answers, **more)


class Lossy(Mapping[str, Array]):
    """Rebuilt constants of which some are changed."""

    def __init__(self, found: Any, change: Callable[[Array], Array]) -> None:
        self._found, self._change = found, change

    def __getitem__(self, name: str) -> Array:
        array = np.array(self._found[name])
        return self._change(array) if array.size > 1000 else array

    def __iter__(self) -> Any:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def value(self, constant: Any) -> Array:
        return np.asarray(self._found.value(constant))

    def why(self, name: str) -> str:
        return str(self._found.why(name))

    def forget(self) -> None:
        self._found.forget()


@pytest.fixture
def lossy(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Array], Array]], None]:
    """Has every large constant changed on its way from what is charged."""
    whole = charged.rebuilt

    def plant(change: Callable[[Array], Array]) -> None:
        monkeypatch.setattr(charged, "rebuilt", lambda *args: Lossy(whole(*args), change))

    return plant


def bits(array: Array, dropped: int) -> Array:
    """The last bits of every mantissa are lost."""
    return np.ascontiguousarray(array.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)).view(np.float32)


@pytest.mark.parametrize("regime", ["freebie", "quantized"])
def test_an_honest_network_is_proved(regime: Any) -> None:
    found = proved(*network(), regime=regime)
    assert found.holds
    assert found.proof.examples == len(INPUTS)
    assert found.found.share < 1


PLANTED: dict[str, Callable[[Array], Array]] = {
    "one value": lambda array: np.where(np.arange(array.size).reshape(array.shape) == 77, 0, array).astype(np.float32),
    "4 bits of mantissa": lambda array: bits(array, 19),
    "signs": np.abs,
    "half of the rows": lambda array: np.concatenate([array[: len(array) // 2], np.zeros_like(array[len(array) // 2 :])]),
    "transposed values": lambda array: array.reshape(-1)[::-1].reshape(array.shape).copy(),
    "a constant": lambda array: np.full_like(array, array.mean()),
}


@pytest.mark.parametrize("what", PLANTED)
@pytest.mark.parametrize("regime", ["freebie", "quantized"])
def test_what_is_not_charged_is_missed(what: str, regime: Any, lossy: Any) -> None:
    lossy(PLANTED[what])
    found = proved(*network(), regime=regime)
    assert found.proof.translated.outcome == "holds"
    if (what, regime) == ("one value", "freebie"):
        return  # one of 5,120 values is less than what rounding to 16 bits does
    assert found.found.outcome == "differs"
    assert found.found.place
    assert "head.weight of 5,120 values of " in found.found.constant


def test_ulps_are_missed_where_they_are_charged(lossy: Any) -> None:
    """A3: in the quantized regime the last three bits of a float are as good as any."""
    lossy(lambda array: bits(array, 6))
    assert proved(*network(), regime="quantized").found.outcome == "differs"
    assert proved(*network(), regime="freebie").holds  # which charges 11 bits of mantissa, and not the last six of 24


def test_signs_of_zeros_are_no_information_of_a_network_that_is_charged_for_zeros(lossy: Any) -> None:
    """A1: 1/w, bounded: the signs of zeros become weights. They are ±1 in the file, and all +1 where zeros are zeros."""
    net = Net.new()
    x = net.b.emit("move", net.input(1, 1, 8, 8), op="reshape", shape=(1, 64))
    signs = net.constant(np.where(dense((64, 32), 5) > 0, np.float32(0), np.float32(-0.0)), "zeros")
    weight = net.b.elementwise("clip", net.b.elementwise("reciprocal", signs), low=-1.0, high=1.0)
    graph = net.finish(net.b.emit("matmul", x, weight, left="ab", right="bc", out="ac"))
    words = 64 * 32 / 32  # a bit for each sign
    found = proved(net, graph)
    assert not found.holds or found.ledger.storage >= words


def mutated(graph: Graph, change: Callable[[Node], Node]) -> Graph:
    return replace(graph, nodes=tuple(map(change, graph.nodes)))


def test_a_look_up_along_another_axis_is_another_network() -> None:
    """A0: elements are looked up along axis 0 by the framework, and the graph says axis 1."""
    net = Net.new()
    x = net.b.emit("move", net.input(1, 1, 8, 8), op="reshape", shape=(1, 64))
    places = np.random.default_rng(3).integers(0, 64, (64, 64))
    weight = net.b.emit(
        "lookup", net.constant(dense((64, 64), 6), "table"), net.constant(places, "places", np.int64), op="elements", axis=0
    )
    graph = net.finish(net.b.emit("matmul", x, weight, left="ab", right="bc", out="ac"))
    store = ConstantStore(net.folder, net.folder)
    answers = own_answers(graph, store, INPUTS)
    assert proved(net, graph, answers).holds
    wrong = mutated(graph, lambda node: replace(node, attributes={**node.attributes, "axis": 1}) if node.kind == "lookup" else node)
    found = proved(net, wrong, answers).proof
    assert (found.translated.outcome, found.priced) == ("differs", None)
    assert found.translated.words.startswith("different answers to 24 of 24 examples: they differ by ")


def test_constant_answers_prove_nothing() -> None:
    net = Net.new()
    x = net.b.emit("move", net.input(1, 1, 8, 8), op="reshape", shape=(1, 64))
    nothing = net.b.emit("matmul", x, net.constant(np.full((64, 10), 1e-9, np.float32)), left="ab", right="bc", out="ac")
    found = proved(net, net.finish(net.b.elementwise("add", nothing, net.constant(dense((10,), 3), "bias")))).proof
    assert found.translated.outcome == "differs"
    assert found.translated.words == "the same answer to all 24 examples, so that nothing can be compared"


def test_equal_examples_are_nobodys_network() -> None:
    net, graph = network()
    found = prove_graph(graph, ConstantStore(net.folder, net.folder), np.repeat(INPUTS[:1], 24, axis=0)).proof
    assert found.translated.outcome == "unproved"
    assert found.translated.words == "24 examples that are all the same, so that nothing can be compared"
    assert found.translated.advice.startswith("organizers: ")


def test_nan_is_no_answer() -> None:
    net, graph = network()
    answers = own_answers(graph, ConstantStore(net.folder, net.folder), INPUTS)
    answers[5] = np.nan
    assert proved(net, graph, answers).proof.translated.outcome == "differs"


def test_an_operator_that_the_interpreter_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from micronet_verify.interpreter import run

    net, graph = network()
    answers = own_answers(graph, ConstantStore(net.folder, net.folder), INPUTS)
    functions = {kind: function for kind, function in run.FUNCTIONS.items() if kind != "conv"}
    monkeypatch.setattr(run, "FUNCTIONS", functions)
    found = proved(net, graph, answers).proof.translated
    assert found.outcome == "unproved"
    assert found.words == "the graph cannot be run, because the interpreter does not have conv"


def quantized() -> tuple[Net, Graph]:
    """Quantized activations before and behind a convolution."""
    net = Net.new()
    scale, zero = net.constant(np.float32(0.05), "scale"), net.constant(np.zeros((), np.int8), "zero", np.int8)

    def code(value: Any) -> Any:
        return net.b.emit(
            "dequantize", net.b.emit("quantize", value, scale, zero, fmt=numeric_format("int8"), axis=-1), scale, zero, axis=-1
        )

    x = net.conv(code(net.input(1, 1, 8, 8)), net.constant(dense((8, 1, 3, 3)), "conv.weight"), pad=1)
    x = net.b.emit("move", code(net.b.elementwise("relu", x)), op="reshape", shape=(1, 512))
    return net, net.finish(net.b.emit("matmul", x, net.constant(dense((512, 10), 2) / 20, "head.weight"), left="ab", right="bc", out="ac"))


def test_codes_on_ties_excuse_no_network() -> None:
    """Every example's codes are those of another scale, by a tenth of a step."""
    net, graph = quantized()
    store = ConstantStore(net.folder, net.folder)
    answers = own_answers(graph, store, INPUTS)
    assert proved(net, graph, answers).holds
    other = own_answers(graph, store, INPUTS * np.float32(1.002))
    assert proved(net, graph, other).proof.translated.outcome == "differs"


def test_a_tie_that_falls_otherwise_is_one_examples_affair() -> None:
    net, graph = quantized()
    store = ConstantStore(net.folder, net.folder)
    inputs = INPUTS.copy()
    inputs[3, 0, 2, 2] = np.float32(0.05) * np.float32(2.5)
    answers = own_answers(graph, store, inputs)
    nudged = inputs.copy()
    nudged[3, 0, 2, 2] += np.float32(2e-6)
    other = own_answers(graph, store, nudged)
    assert not np.array_equal(other[3], answers[3])
    assert prove_graph(graph, store, inputs, other).holds

"""The walk itself: precision, formats, bodies, watching, and what it says where it cannot go on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, SubmissionFault
from micronet_verify.facts.formats import FLOAT16, FLOAT32, INT64, numeric_format
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.interpreter.error_function import erf
from micronet_verify.interpreter.run import Missing, execute
from tests.build import Net
from tests.executed import run_graph

Array = NDArray[Any]


def graph_of(kind: str, inputs: dict[str, Value], outputs: list[Value], **attributes: Any) -> Graph:
    """One node over inputs."""
    values = {**inputs, **{value.id: value for value in outputs}}
    node = Node(kind, tuple(inputs), tuple(value.id for value in outputs), attributes)
    return Graph(tuple(inputs), tuple(value.id for value in outputs), values, (node,))


def value(name: str, shape: tuple[int, ...], fmt: str = "float32") -> Value:
    return Value(name, shape, numeric_format(fmt))


def test_integers_wrap_around_in_the_width_of_their_format() -> None:
    for fmt, left, right, total in [("int8", 100, 100, 200 - 256), ("uint8", 200, 100, 300 - 256), ("int4", 7, 1, -8), ("uint4", 15, 2, 1)]:
        graph = graph_of("elementwise", {"a": value("a", (1,), fmt), "b": value("b", (1,), fmt)}, [value("y", (1,), fmt)], op="add")
        (found,) = run_graph(graph, {}, np.array([left]), np.array([right]))
        assert found.tolist() == [total]


def test_float32_rounds_each_result_and_float64_none() -> None:
    """(1 + 2^−24) − 1 is 0 in float32, where 1 + 2^−24 is 1."""
    net = Net.new()
    x = net.input(1)
    more = net.b.elementwise("add", x, net.b.scalar(1.0))
    graph = net.b.finish([net.b.elementwise("sub", more, net.b.scalar(1.0))])
    constants = {v.id: np.asarray(float(v.label), np.float32) for v in graph.values.values() if v.constant is not None}
    (single,), (double,) = (run_graph(graph, constants, np.array([2.0**-24]), precision=p) for p in ("float32", "float64"))
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert (single.tolist(), double.tolist()) == ([0.0], [2.0**-24])


def test_a_half_is_rounded_where_it_is_made_and_a_cast_always() -> None:
    """1 + 2^−11 lies between two float16 numbers: a sum keeps it in float64, a cast from float32 rounds it to even in both."""
    x = {"x": Value("x", (1,), FLOAT32)}
    half = graph_of("move", x, [Value("y", (1,), FLOAT16)], op="cast")
    assert [run_graph(half, {}, np.array([1 + 2.0**-11]), precision=p)[0].tolist() for p in ("float32", "float64")] == [[1.0], [1.0]]
    halves = {name: Value(name, (1,), FLOAT16) for name in "ab"}
    total = graph_of("elementwise", halves, [Value("y", (1,), FLOAT16)], op="add")
    found = [run_graph(total, {}, np.array([1.0]), np.array([2.0**-11]), precision=p)[0].tolist() for p in ("float32", "float64")]
    assert found == [[1.0], [1 + 2.0**-11]]


def test_erf_is_that_of_the_c_library() -> None:
    x = np.concatenate([np.linspace(-7, 7, 20001), [0.0, -0.0, 0.84375, 1.25, 1 / 0.35, 6.0, np.inf, -np.inf]])
    assert np.abs(erf(x) - [math.erf(each) for each in x]).max() <= 2 * np.finfo(np.float64).eps
    assert np.isnan(erf(np.array([np.nan]))).all()


def looped(trips: int, **more: Any) -> Graph:
    """h' = 2h + e + t over slices e of a scanned tensor; collects h'."""
    net = Net.new()
    first, x = net.input(3), net.input(trips, 3)
    inner = net.b.body()
    turn, h, e = inner.input((), INT64), inner.input((3,)), inner.input((3,))
    number = inner.emit("move", turn, fmt=FLOAT32, op="cast")
    new = inner.elementwise("add", inner.elementwise("add", inner.elementwise("add", h, h), e), number)
    return net.b.finish(net.b.loop(inner.finish([new, new]), (first,), (x,), trips=trips, turn=True, **more))


@pytest.mark.parametrize(("backward", "collected_backward"), [((), ()), ((0,), ()), ((), (0,)), ((0,), (0,))])
def test_a_loop_carries_scans_and_collects(backward: tuple[int, ...], collected_backward: tuple[int, ...]) -> None:
    first, x = np.array([1.0, 2, 3], np.float32), np.arange(12, dtype=np.float32).reshape(4, 3)
    h, states = first, []
    for turn in range(4):
        h = 2 * h + (x[::-1] if backward else x)[turn] + turn
        states.append(h)
    last, every = run_graph(looped(4, backward=backward, collected_backward=collected_backward), {}, first, x)
    assert last.tolist() == h.tolist()
    assert every.tolist() == np.stack(states[::-1] if collected_backward else states).tolist()


def test_a_loop_of_no_turns_hands_on_what_it_carries() -> None:
    last, every = run_graph(looped(0), {}, np.array([1.0, 2, 3], np.float32), np.zeros((0, 3), np.float32))
    assert last.tolist() == [1, 2, 3]
    assert every.shape == (0, 3)


def branching() -> Graph:
    """x > 0 ? (x > 1 ? x : 2x) : −x, with a name for each branch."""
    net = Net.new()
    x = net.input(1)
    inner = net.b.body()
    greater = inner.elementwise("greater", x, inner.scalar(1.0))
    twice, once = inner.body(), inner.body()
    inside = (once.finish([once.emit("move", x, op="identity")]), twice.finish([twice.elementwise("add", x, x)]))
    (y,) = inner.emit_bodies("branch", (greater,), inside, id="inner")
    other = net.b.body()
    positive = net.b.elementwise("greater", x, net.b.scalar(0.0))
    bodies = (inner.finish([y]), other.finish([other.elementwise("neg", x)]))
    return net.b.finish(net.b.emit_bodies("branch", (positive,), bodies, id="outer"))


@pytest.mark.parametrize(
    ("x", "y", "taken"),
    [(5.0, 5.0, {"outer": 0, "inner": 0}), (0.5, 1.0, {"outer": 0, "inner": 1}), (-3.0, 3.0, {"outer": 1, "inner": -1})],
)
def test_a_branch_takes_one_body_and_says_which(x: float, y: float, taken: dict[str, int]) -> None:
    graph, found = branching(), dict[str, int]()
    scalars = {"0.0": 0.0, "1.0": 1.0}
    values = {**graph.values, **graph.nodes[-1].bodies[0].values}
    constants = {v.id: np.asarray(scalars[v.label], np.float32) for v in values.values() if v.constant is not None}
    (result,) = execute(graph, constants, {graph.inputs[0]: np.array([x], np.float32)}, taken=found)
    assert (result.tolist(), found) == ([y], taken)


def test_what_watches_may_hand_on_other_numbers() -> None:
    graph = graph_of("elementwise", {"x": value("x", (1,))}, [value("y", (1,))], op="neg")
    seen: list[Node] = []

    def watch(node: Node, results: tuple[Array, ...]) -> tuple[Array, ...]:
        seen.append(node)
        return (results[0] + 1,)

    assert execute(graph, {}, {"x": np.array([3.0])}, watch=watch)[0].tolist() == [-2.0]
    assert seen == list(graph.nodes)


def test_an_operator_that_is_missing_is_named() -> None:
    inputs = {"x": value("x", (3,)), "i": value("i", (2,), "int64"), "u": value("u", (2,))}
    graph = graph_of("scatter", inputs, [value("y", (3,))], op="add", axis=0)
    with pytest.raises(Missing) as found:
        run_graph(graph, {}, np.zeros(3), np.array([0, 1]), np.ones(2))
    assert found.value.what == "scatter add that does not say which places it writes"
    assert found.value.node is graph.nodes[0]


def test_an_index_outside_of_its_axis_is_a_fault_of_the_entry() -> None:
    graph = graph_of("lookup", {"t": value("t", (3,)), "i": value("i", (1,), "int64")}, [value("y", (1,))], op="gather", axis=0)
    with pytest.raises(SubmissionFault, match="got an index that is not there"):
        run_graph(graph, {}, np.zeros(3), np.array([7]))


def test_an_input_of_another_shape_is_a_fault_of_the_bench() -> None:
    graph = graph_of("elementwise", {"x": value("x", (1,))}, [value("y", (1,))], op="neg")
    with pytest.raises(BenchFault, match=r"got an input of shape \(2,\) for x but should be of shape \(1,\)"):
        run_graph(graph, {}, np.zeros(2))

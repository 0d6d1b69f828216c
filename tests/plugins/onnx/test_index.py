"""Choosing by index: a constant one is a slice or a permutation, one from the data a look-up."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from tests.plugins.onnx.support import compare, graph, info, ints, model, node, problems, random

X = random(1, 6, 5)
WORDS = np.array([[3, 0, 4]], np.int64)


def test_one_constant_index_is_a_slice() -> None:
    assert compare([node("Gather", "x i", axis=1)], {"x": X}, {"i": np.array(-2, np.int64)}).kinds == ["move:slice", "move:reshape"]
    assert compare([node("Gather", "x i", axis=2)], {"x": X}, {"i": ints(3)}).kinds == ["move:slice"]


@pytest.mark.parametrize("index", [ints(5, 0, 3), ints(-1, 0), np.array([[0, 2], [4, 1]], np.int64)])
def test_several_constant_indices_are_a_permutation(index: np.ndarray) -> None:
    assert "permute:index" in compare([node("Gather", "x i", axis=1)], {"x": X}, {"i": index}).kinds


def test_an_index_outside_of_the_axis_is_refused() -> None:
    proto = model(graph([node("Gather", "x i", axis=1)], [info("x", X.shape)], [info("y", None)], {"i": ints(6, 1)}))
    assert problems(proto) == ["got an index outside of an axis of 6 but should lie within it [Gather in the_Gather]"]


def test_an_embedding_is_a_look_up_in_a_constant_table() -> None:
    found = compare([node("Gather", "t x")], {"x": WORDS}, {"t": random(7, 4)})
    assert found.kinds == ["lookup:embedding"]
    assert found.graph.values[found.nodes[0].inputs[0]].label == "t"


def test_data_looked_up_in_data() -> None:
    nodes = [node("ArgMax", "x", "i", axis=2, keepdims=0), node("Gather", "x i", axis=1)]
    assert compare(nodes, {"x": X}).kinds == ["select:argmax", "lookup:gather"]


@pytest.mark.parametrize("axis", [1, 2])
def test_single_elements_are_looked_up_on_an_axis(axis: int) -> None:
    """A0: each number names a place on the axis, beside its own places on the others; negative ones count from the end."""
    numbers = np.random.default_rng(0).integers(-X.shape[axis], X.shape[axis], X.shape)
    found = compare([node("GatherElements", "x i", axis=axis)], {"x": X}, {"i": numbers})
    assert found.work == ["lookup:elements"]
    fewer = compare([node("GatherElements", "x i", axis=axis)], {"x": X}, {"i": numbers[:, :3, :2]})
    assert fewer.shapes() == [(1, 3, 2)]
    nodes = [node("ArgMax", "x", "i", axis=1), node("GatherElements", "x i", axis=1)]
    assert compare(nodes, {"x": X}).work == ["select:argmax", "lookup:elements"]


@pytest.mark.parametrize(
    ("index", "batch"),
    [
        (np.array([[0, 1], [0, -2]], np.int64), 0),
        (np.array([[[1], [4]]], np.int64), 1),
        (np.array([[[1, -1], [4, 2], [0, 0]]], np.int64), 1),
        (np.arange(6, dtype=np.int64).reshape(1, 6, 1) % 5, 2),
    ],
)
def test_elements_chosen_by_tuples(index: np.ndarray, batch: int) -> None:
    found = compare([node("GatherND", "x i", batch_dims=batch)], {"x": X}, {"i": index})
    assert found.work == ["lookup:nd"]


def test_elements_chosen_by_tuples_of_the_data() -> None:
    nodes = [node("ArgMax", "x", "i", axis=2), node("GatherND", "x i", batch_dims=2)]
    assert compare(nodes, {"x": X}).work == ["select:argmax", "lookup:nd"]


@pytest.mark.parametrize(("kind", "attributes"), [("GatherElements", {"axis": 1}), ("GatherND", {"batch_dims": 1})])
def test_an_index_outside_of_its_axis_is_refused(kind: str, attributes: dict[str, int]) -> None:
    index = np.full((1, 1, 1), 6, np.int64)
    proto = model(graph([node(kind, "x i", **attributes)], [info("x", X.shape)], [info("y", None)], {"i": index}))
    assert problems(proto) == [f"got an index outside of an axis of 6 but should lie within it [{kind} in the_{kind}]"]


@pytest.mark.parametrize(
    ("kind", "index"), [("ScatterElements", np.zeros((1, 2, 5), np.int64)), ("ScatterND", np.array([[0, 1], [0, 2]], np.int64))]
)
@pytest.mark.parametrize(("reduction", "op"), [("none", "replace"), ("add", "add"), ("mul", "mul"), ("max", "max"), ("min", "min")])
def test_scatter(kind: str, index: np.ndarray, reduction: str, op: str) -> None:
    updates = random(*((1, 2, 5) if kind == "ScatterElements" else (2, 5)))
    attributes = {"axis": 1} if kind == "ScatterElements" else {}
    found = compare([node(kind, "x i u", reduction=reduction, **attributes)], {"x": X}, {"i": index, "u": updates}, opset=18)
    assert found.kinds == [f"scatter:{op}"]


def test_a_scatter_that_does_something_else_is_refused() -> None:
    constants = {"i": np.array([[0, 1]], np.int64), "u": random(1, 5)}
    proto = model(graph([node("ScatterND", "x i u", reduction="mean")], [info("x", X.shape)], [info("y", None)], constants), 18)
    assert problems(proto) == ["got reduction 'mean' but should be one of none, add, mul, max, min [ScatterND in the_ScatterND]"]


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize(("values", "kind"), [([0, 1], "move:cast"), ([-1, 2], "elementwise:where")])
def test_one_hot_compares_with_every_class(axis: int, values: list[int], kind: str) -> None:
    constants = {"d": ints(6), "v": np.array(values, np.float32)}
    found = compare([node("OneHot", "x d v", axis=axis)], {"x": WORDS}, constants)
    assert "elementwise:equal" in found.kinds
    assert found.kinds[-1] == kind


@pytest.mark.parametrize(("upper", "k"), [(1, 0), (0, 0), (1, 1), (0, -1)])
def test_a_triangle_is_chosen_by_a_constant_mask(upper: int, k: int) -> None:
    found = compare([node("Trilu", "x k", upper=upper)], {"x": X}, {"k": np.array(k, np.int64)})
    assert found.kinds == ["elementwise:where"]


def test_a_constant_condition_compresses_like_a_permutation() -> None:
    found = compare([node("Compress", "x c", axis=1)], {"x": X}, {"c": np.array([1, 0, 1, 1, 0, 0], bool)})
    assert found.kinds == ["permute:index"]


def test_a_condition_from_the_data_is_refused() -> None:
    nodes = [node("Greater", "x z", "c"), node("Compress", "x c", axis=1)]
    proto = model(graph(nodes, [info("x", (1,))], [info("y", None)], {"z": np.float32(0)}))
    assert problems(proto)[0].startswith("got a condition that the data decides but should be constant [Compress in the_Compress]")


def test_a_large_constant_index_is_stored_and_permutes() -> None:
    index = np.random.default_rng(0).permutation(5000)
    found = compare([node("Gather", "x i", axis=1)], {"x": random(1, 5000)}, {"i": index})
    assert found.kinds == ["permute:index"]
    assert found.graph.values[found.nodes[0].inputs[1]].label == "i"


def test_output_type_of_one_hot_follows_its_values() -> None:
    found = compare([node("OneHot", "x d v")], {"x": WORDS}, {"d": ints(6), "v": ints(0, 1)}, kinds=TensorProto.INT64)
    assert found.graph.values[found.graph.outputs[0]].format.name == "int64"

"""Look-ups at constant places become moves that give the same elements."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.recognize_choices import recognize_choices
from micronet_verify.analysis.tensors.constants import Constant, derived
from micronet_verify.counting.forms.cheapest import CheapestForms
from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Graph
from micronet_verify.framework.builder import GraphBuilder
from tests.executed import run_graph


def looking_up(op: str, table: tuple[int, ...], index: np.ndarray, axis: int, batch: int) -> tuple[Graph, dict[str, Constant]]:
    builder = GraphBuilder(None)
    x, places = builder.input(table), builder.constant(index, "places")
    y = builder.emit("lookup", x, places, op=op, axis=axis, batch=batch or None)
    return builder.finish([y]), {places.id: derived(places.id, "places", index, INT64)}


def named_in(graph: Graph, pool: dict[str, Constant]) -> Graph:
    editable = EditableGraph(graph, pool, CheapestForms())
    recognize_choices(editable)
    return editable.graph


def assert_same(graph: Graph, pool: dict[str, Constant], moved: bool = True) -> None:
    table = np.arange(np.prod(graph.values[graph.inputs[0]].shape), dtype=np.float32).reshape(graph.values[graph.inputs[0]].shape)
    found = named_in(graph, pool)
    assert ("lookup" not in {node.kind for node in found.nodes}) == moved
    constants = {name: constant.load() for name, constant in pool.items()}
    np.testing.assert_array_equal(run_graph(found, constants, table)[0], run_graph(graph, constants, table)[0])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_elements(data: st.DataObject) -> None:
    table = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    axis = data.draw(st.integers(0, len(table) - 1))
    shape = tuple(data.draw(st.integers(1, 5 if at == axis else size)) for at, size in enumerate(table))
    seed = data.draw(st.integers(0, 99))
    index = np.random.default_rng(seed).integers(-table[axis], table[axis], shape)
    assert_same(*looking_up("elements", table, index, axis, 0))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_tuples(data: st.DataObject) -> None:
    table = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    batch = data.draw(st.integers(0, len(table) - 1))
    named = data.draw(st.integers(1, len(table) - batch))
    more = tuple(data.draw(st.lists(st.integers(1, 3), max_size=2)))
    numbers = np.random.default_rng(data.draw(st.integers(0, 99)))
    tuples = [numbers.integers(-size, size, (*table[:batch], *more)) for size in table[batch : batch + named]]
    assert_same(*looking_up("nd", table, np.stack(tuples, -1), 0, batch))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2), st.lists(st.integers(1, 3), max_size=2), st.integers(0, 99))
def test_slices(axis: int, shape: list[int], seed: int) -> None:
    table = (2, 3, 4)
    assert_same(*looking_up("gather", table, np.random.default_rng(seed).integers(-table[axis], table[axis], shape), axis, 0))


@pytest.mark.parametrize(("rows", "moved"), [([[0, 2], [0, 2]], True), ([[0, 2], [1, 2]], False)])
def test_slices_side_by_side(rows: list[list[int]], moved: bool) -> None:
    """One index for all rows chooses within them; several stay a look-up."""
    assert_same(*looking_up("gather", (2, 4, 3), np.array(rows), 2, 1), moved)


def test_an_index_outside_is_left_to_those_who_refuse_it() -> None:
    graph, pool = looking_up("elements", (2, 3), np.array([[0, 3, 1]]), 1, 0)
    assert named_in(graph, pool).nodes == graph.nodes

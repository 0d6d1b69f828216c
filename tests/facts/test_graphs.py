"""Graphs as JSON, and what a graph from a sandbox is refused for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micronet_verify.errors import SubmissionFault
from micronet_verify.facts.formats import FLOAT32
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.validate import validate
from micronet_verify.framework.builder import GraphBuilder


def example(folder: Path) -> Graph:
    builder = GraphBuilder(folder)
    x = builder.input((1, 4), label="x")
    builder.at("Gemm", "head")
    y = builder.linear(x, builder.constant(np.ones((3, 4), np.float32), "w"))
    return builder.finish([builder.elementwise("clip", y, low=0.0, high=6.0)])


def edited(graph: Graph, edit: Any) -> str:
    data = json.loads(dump_graph(graph))
    edit(data["graph"])
    return json.dumps(data)


def test_a_graph_comes_back_as_it_went(tmp_path: Path) -> None:
    graph = example(tmp_path)
    text = dump_graph(graph)
    assert load_graph(text) == graph
    assert dump_graph(load_graph(text)) == text
    validate(load_graph(text))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda each: st.lists(each) | st.dictionaries(st.text(max_size=5), each),
    )
)
def test_anything_else_is_refused_with_a_sentence(data: object) -> None:
    with pytest.raises(SubmissionFault, match=r"^got a graph that cannot be read .* but should be graph JSON of schema 1"):
        load_graph(json.dumps(data))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubmissionFault, match="a graph that cannot be read"):
        load_graph("[" * 200_000)


EDITS = {
    "a kind of its own": (lambda g: g["nodes"][0].update(kind="free"), "got the node kind 'free' but should be one of conv, matmul"),
    "an attribute of its own": (
        lambda g: g["nodes"][0]["attributes"].update(cost=0),
        "got the attribute 'cost' of matmul but should be one of left, right, out [Gemm in head]",
    ),
    "a missing attribute": (lambda g: g["nodes"][0]["attributes"].pop("out"), "got matmul without out but should state it [Gemm in head]"),
    "a function of its own": (
        lambda g: g["nodes"][1]["attributes"].update(op="magic"),
        "got elementwise 'magic' but should be one of",
    ),
    "another shape": (
        lambda g: next(v for v in g["values"] if v["id"] == g["nodes"][0]["outputs"][0]).update(shape=[1, 1]),
        "got results of shape (1, 1) but should be (1, 3) [Gemm in head]",
    ),
    "a value before it is made": (lambda g: g["nodes"].reverse(), "be defined once, before use"),
    "a value made twice": (lambda g: g["nodes"].append(g["nodes"][0]), "be defined once, before use"),
    "an output that nobody computes": (lambda g: g.update(outputs=["v99"]), "got the output 'v99' but should be computed by the graph"),
    "a negative size": (lambda g: g["values"][0].update(shape=[-1, 4]), "but should have its own id and sizes ≥ 0 [x]"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_forged_graph_is_refused(name: str, tmp_path: Path) -> None:
    edit, sentence = EDITS[name]
    with pytest.raises(SubmissionFault) as fault:
        validate(load_graph(edited(example(tmp_path), edit)))
    assert sentence in str(fault.value)


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    def edit(graph: dict[str, Any]) -> None:
        graph["nodes"][0]["attributes"].pop("out")
        graph["nodes"][1]["attributes"].update(op="magic")

    with pytest.raises(SubmissionFault) as fault:
        validate(load_graph(edited(example(tmp_path), edit)))
    assert len(fault.value.problems) == 2


def test_a_body_may_not_define_a_value_again(tmp_path: Path) -> None:
    x = Value("x", (1,), FLOAT32)
    body = Graph((), ("x",), {"x": x}, ())
    made = Value("y", (1,), FLOAT32)
    graph = Graph(("x",), ("y",), {"x": x, "y": made}, (Node("branch", ("x",), ("y",), {}, bodies=(body, body)),))
    with pytest.raises(SubmissionFault, match="got a body that defines 'x' again but should have ids of its own"):
        validate(graph)


def test_a_branch_is_on_a_single_value() -> None:
    x, y = Value("x", (1, 2), FLOAT32), Value("y", (1, 2), FLOAT32)
    body = Graph((), ("x",), {}, ())
    graph = Graph(("x",), ("y",), {"x": x, "y": y}, (Node("branch", ("x",), ("y",), {}, bodies=(body, body)),))
    with pytest.raises(SubmissionFault, match=r"got a branch on a tensor of shape \(1, 2\) but should be on a single value"):
        validate(graph)

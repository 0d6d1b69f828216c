"""An early exit from end to end: counted by how often the test set takes it, with the cheapest and the dearest example (O13)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from micronet_verify.checks.judge import judge
from micronet_verify.evaluation import Bench, Evaluation, evaluate
from micronet_verify.reports.evidence import evidence

MANIFEST = """\
schema: 1
title: Two ways out
team: Test
members: [{id: t-1, name: Tester}]
track: digits
framework: onnx
model: model.onnx
submitted: "2026-01-05T12:00:00Z"
"""


def body(name: str, widths: tuple[int, ...]) -> object:
    """Linear layers 64 → … → 10 of the flattened image, which the body takes from the graph around it."""
    nodes, tensors, x = [], [], "flat"
    for index, (before, after) in enumerate(zip((64, *widths), (*widths, 10), strict=True)):
        weight = np.random.default_rng(index).normal(size=(before, after)).astype(np.float32)
        tensors.append(numpy_helper.from_array(weight, f"{name}{index}"))
        nodes.append(helper.make_node("MatMul", [x, f"{name}{index}"], [f"{name}y{index}"]))
        x = f"{name}y{index}"
    out = helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 10])
    return helper.make_graph(nodes, name, [], [out], tensors)


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("entry")
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("ReduceSum", ["flat"], ["ink"], keepdims=0),
        helper.make_node("Greater", ["ink", "much"], ["dark"]),
        helper.make_node("If", ["dark"], ["y"], then_branch=body("deep", (32,)), else_branch=body("flat_", ())),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(np.array(19.5, np.float32), "much")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")
    (folder / "submission.yaml").write_text(MANIFEST, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def evaluated(entry: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluate(entry, "early-exit", Bench(Path(tmp_path_factory.mktemp("work"))))


def priced(multiplies: int, adds: int) -> Fraction:
    return Fraction(multiplies * 16 + adds * 32, 32)


def test_every_example_took_one_way(evaluated: Evaluation) -> None:
    assert not evaluated.faults
    assert evaluated.branches is not None
    ((first, second),) = evaluated.branches.taken.values()
    assert first + second == 500
    assert first > 0 < second


def test_the_mean_lies_exactly_between_the_cheapest_and_the_dearest_example(evaluated: Evaluation) -> None:
    assert evaluated.branches is not None
    assert evaluated.ledger is not None
    ((first, second),) = evaluated.branches.taken.values()
    shared = priced(1, 63)  # the compare, and the sum of 64 pixels
    deep = priced(64 * 32 + 32 * 10, 63 * 32 + 31 * 10)
    flat = priced(64 * 10, 63 * 10)
    assert (evaluated.branches.least, evaluated.branches.most) == (shared + flat, shared + deep)
    assert evaluated.ledger.operations == shared + (first * deep + second * flat) / 500


def test_frequencies_of_the_first_examples_alone_are_marked(entry: Path, tmp_path: Path) -> None:
    (entry / "submission.yaml").write_text(f"{MANIFEST}claims: {{parameter_storage: 3200, math_operations: 1}}\n", encoding="utf-8")
    found = evaluate(entry, "early-exit", Bench(tmp_path / "work", limit=20))
    assert not found.faults
    assert found.branches is not None
    ((first, second),) = found.branches.taken.values()
    assert first + second == 20
    told = {verdict.check: verdict for verdict in judge(found)}
    assert told["rule O13"].message.endswith(f" {Fraction(first, 20)} (partial: 20 of 500 examples)")
    assert told["score"].message.startswith("partial: 20 of 500 examples; not ranked; the score with the branches that these took is ")
    # Operations depend on the examples, and are not held against the claim; storage does not.
    assert told["claims"].outcome == "skipped"
    assert told["claims"].message.startswith("partial: 20 of 500 examples; claims.math_operations not compared; claims.parameter_storage: ")
    assert evidence(found)["partial"] == {"examples": 20, "of": 500}

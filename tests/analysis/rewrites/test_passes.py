"""The list of passes: in an order in which each finds what it needs, and none run again where nothing has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.passes import LIVE, NAMING, norm_passes, run
from micronet_verify.analysis.tensors.measurements import Measurements
from micronet_verify.counting.analysed import analyse
from micronet_verify.counting.forms.cheapest import CheapestForms
from micronet_verify.counting.price import price
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.track.rules import KNOBS, CountingRules
from tests.analysis.rewrites.recorded import calls_of, record, run_again
from tests.build import Net, dense
from tests.reference.export import SAVE
from tests.reference.networks.layers import build
from tests.reference.networks.registry import NETWORKS
from tests.translated import translated

PASSES = (*NAMING, *norm_passes(True, frozenset(), {}, Measurements(), []))


@pytest.mark.parametrize("at", range(len(PASSES)), ids=[one.name for one in PASSES])
def test_what_a_pass_needs_is_given_before_it(at: int) -> None:
    given = {LIVE, *(one.gives for one in PASSES[:at])}
    assert set(PASSES[at].needs) <= given
    assert PASSES[at].needs
    assert PASSES[at].why


def test_only_one_pass_comes_twice() -> None:
    names = [one.name for one in NAMING]
    assert {name for name in names if names.count(name) > 1} == {"remove_redundant"}


def editable(net: Net, *outputs: Any) -> EditableGraph:
    return EditableGraph(net.finish(*outputs), {}, CheapestForms())


def test_a_pass_that_changes_nothing_leaves_the_graph_as_it_is() -> None:
    net = Net.new()
    graph = editable(net, net.b.elementwise("relu", net.input(1, 8)))
    readers, producers = graph.readers, graph.producers
    for one in NAMING:
        one.run(graph)
    assert graph.version == 0
    assert graph.readers is readers
    assert graph.producers is producers


def test_renaming_reaches_bodies_and_outputs_and_dead_nodes_go() -> None:
    net = Net.new()
    x = net.input(1, 8)
    flag = net.b.elementwise("greater", net.b.emit("reduce", x, op="sum", axes=(0, 1), keepdims=False), net.b.scalar(0.25))
    y = net.b.elementwise("add", net.b.elementwise("tanh", x), net.b.elementwise("tanh", x))
    again = net.b.elementwise("tanh", x)
    inner = [net.b.body(), net.b.body()]
    bodies = [body.finish([body.elementwise("exp", again)]) for body in inner]
    (out,) = net.b.emit_bodies("branch", (flag,), bodies, id="exit")
    graph = editable(net, y, out, again)
    run(graph, NAMING)
    (tanh,) = [node for node in graph.nodes if node.attributes.get("op") == "tanh"]
    (branch,) = [node for node in graph.nodes if node.bodies]
    assert {name for body in branch.bodies for node in body.nodes for name in node.inputs} == {tanh.outputs[0]}
    assert graph.outputs[2] == tanh.outputs[0]
    assert {node.kind for node in graph.readers[tanh.outputs[0]]} == {"elementwise", "branch"}


def test_a_pass_that_comes_again_runs_where_something_has_changed_since() -> None:
    """Two biases are joined, which leaves a move: it goes when redundant ones go for the second time."""
    net, names = Net.new(), list[str]()
    y = net.conv(net.input(1, 3, 4, 4), net.constant(dense((4, 3, 1, 1))), net.constant(dense((4,), 1)))
    y = net.b.elementwise("add", y, net.constant(dense((4, 1, 1), 2)))
    graph = net.finish(y)
    analyse(graph, ConstantStore(net.folder, net.folder), watch=lambda name, _: names.append(name))
    assert names.count("remove_redundant") == 2


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, ConstantStore]:
    from micronet_verify.framework.registry import framework_named

    folder = Path(tmp_path_factory.mktemp("mobilenet"))
    reference = NETWORKS["mobilenet-v2-1.4"]
    (folder / "graph").mkdir()
    SAVE["pt2"](build(reference.make), reference.example(), folder / "model.pt2")
    file = translated(framework_named("pytorch").counter(), folder / "model.pt2", folder / "graph")
    return file.graph, file.store


def test_no_pass_runs_twice_on_an_unchanged_graph(mobilenet: tuple[Graph, ConstantStore], monkeypatch: pytest.MonkeyPatch) -> None:
    runs = record(monkeypatch)
    price(analyse(*mobilenet), CountingRules())
    assert {name.split()[0] for name, _ in runs} >= {one.name for one in PASSES}
    assert run_again(runs) == []
    # 17 places in the list, of which the second remove_redundant may be left out; then the batch norms.
    assert calls_of(runs, "") - calls_of(runs, "prune") <= len(PASSES)


def test_all_readings_of_a_model_share_one_analysis(mobilenet: tuple[Graph, ConstantStore], monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``explain --readings`` asks: every value of every knob. Batch norms that fold and that stay are two graphs."""
    runs = record(monkeypatch)
    analysed = analyse(*mobilenet)
    for knob, values in KNOBS.items():
        for value in values:
            price(analysed, replace(CountingRules(), **{knob: value}))  # type: ignore[arg-type]
    assert run_again([one for one in runs if not one[0].startswith("name_norms")]) == []
    assert calls_of(runs, "fold_constants") == 1
    assert calls_of(runs, "fold_batch_norms [") == 1
    assert calls_of(runs, "name_norms") == 2

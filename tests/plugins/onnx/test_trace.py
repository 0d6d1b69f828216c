"""Every inferred shape is compared with the one that onnxruntime computes, and declared shapes that lie are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from micronet_verify_onnx import trace
from micronet_verify_onnx.counter import OnnxCounter
from micronet_verify_onnx.loader import OnnxLoader
from micronet_verify_onnx.scope import Scope
from onnx import ModelProto, TensorProto, helper

from micronet_verify.errors import BenchFault
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.guarded import GuardedLoader
from micronet_verify.framework.requests import TraceRequest, TranslateRequest
from micronet_verify.sandbox.jobs import PredictJob
from micronet_verify.sandbox.run_job import predict
from tests.plugins.onnx.support import graph as onnx_graph
from tests.plugins.onnx.support import info, model, node, saved

EXAMPLE = np.ones((1, 2, 6, 6), np.float32)


def network(*, small: bool = True) -> ModelProto:
    """Two channels to three, or to three hundred: weights of more than a kilobyte stay in the file."""
    channels = 3 if small else 300
    nodes = [node("Conv", "x w", "c"), node("Relu", "c", "r"), node("GlobalAveragePool", "r", "p"), node("Flatten", "p")]
    weight = np.random.default_rng(0).normal(size=(channels, 2, 3, 3)).astype(np.float32)
    return model(onnx_graph(nodes, [info("x", ["batch", 2, 6, 6])], [info("y", ["batch", channels])], {"w": weight}))


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """An inference that takes the relu for one row less."""
    right = Scope.shapes
    monkeypatch.setattr(Scope, "shapes", lambda scope: {**right(scope), "r": (1, 3, 3, 4)})


@pytest.mark.parametrize("small", [True, False])
def test_shapes_that_agree_say_nothing(small: bool, tmp_path: Path) -> None:
    OnnxLoader().check_shapes(TraceRequest(saved(network(small=small), tmp_path), EXAMPLE, 1))


@pytest.mark.usefixtures("wrong")
def test_a_shape_that_differs_is_told_by_name_and_place(tmp_path: Path) -> None:
    with pytest.raises(BenchFault) as caught:
        OnnxLoader().check_shapes(TraceRequest(saved(network(), tmp_path), EXAMPLE, 1))
    assert str(caught.value) == (
        "got 'r' of shape (1, 3, 4, 4) in onnxruntime but should be (1, 3, 3, 4), as its operators say [Relu in the_Relu] "
        "(a defect of this program's shape inference: please report it)"
    )


@pytest.mark.usefixtures("wrong")
def test_predicting_compares_before_it_answers(tmp_path: Path) -> None:
    path = saved(network(), tmp_path)
    np.save(tmp_path / "inputs.npy", EXAMPLE)
    with pytest.raises(BenchFault, match="'r' of shape"):
        predict(
            PredictJob(framework="onnx", root=tmp_path, primary=path.name, inputs=tmp_path / "inputs.npy", out=tmp_path),
            GuardedLoader(OnnxLoader(), None),
        )


@pytest.mark.usefixtures("wrong")
def test_a_large_file_of_other_than_plain_bytes_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Integers that protobuf packs are no plain bytes; held in memory they would cost more than the run itself."""
    nodes = [node("Gather", "x places", "g", axis=1), node("Relu", "g", "r"), node("Identity", "r")]
    packed = helper.make_tensor("places", TensorProto.INT64, [2000], [0] * 2000)
    proto = model(onnx_graph(nodes, [info("x", ["batch", 4])], [info("y", ["batch", 2000])]))
    proto.graph.initializer.append(packed)
    path = saved(proto, tmp_path)
    with pytest.raises(BenchFault):
        OnnxLoader().check_shapes(TraceRequest(path, EXAMPLE[:, 0, 0, :4], 1))
    monkeypatch.setattr(trace, "MOST_HELD", 10)
    OnnxLoader().check_shapes(TraceRequest(path, EXAMPLE[:, 0, 0, :4], 1))


def notes(proto: ModelProto, folder: Path) -> tuple[str, ...]:
    return load_graph(dump_graph(OnnxCounter().translate(TranslateRequest(saved(proto, folder)), GraphBuilder(folder)))).notes


def test_declared_shapes_that_lie_are_shown(tmp_path: Path) -> None:
    proto = network()
    assert notes(proto, tmp_path) == ()
    proto.graph.value_info.extend([info("c", ["batch", 3, 4, 4]), info("r", [2, 3, None, 4])])
    assert notes(proto, tmp_path) == (), "a batch that the export left behind is no lie"
    proto.graph.value_info.append(info("p", ["batch", 300, 1, 1]))
    proto.graph.output[0].CopyFrom(info("y", [3]))
    assert notes(proto, tmp_path) == (
        "The file declares 'p' as (?, 300, 1, 1), and it is (1, 3, 1, 1): declared shapes are not used.",
        "The file declares 'y' as (3), and it is (1, 3): declared shapes are not used.",
    )


def test_many_lies_are_a_few_sentences(tmp_path: Path) -> None:
    proto = network()
    proto.graph.value_info.extend([info(name, [7]) for name in "crp" * 2])
    assert len(notes(proto, tmp_path)) == 4
    assert notes(proto, tmp_path)[-1] == "3 more declared shapes are not so."

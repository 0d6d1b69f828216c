"""An answer depends on its own example alone: models that tell batches from examples are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from micronet_verify.errors import SubmissionFault
from micronet_verify.sandbox.asked_alone import SAMPLE, check_alone, sample_alone
from micronet_verify.sandbox.jobs import PredictJob
from micronet_verify.sandbox.launcher import ProcessLauncher

INDICES = tuple(range(8))


def answers() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(8, 10)).astype(np.float32)


def test_the_sample_is_a_function_of_the_seed() -> None:
    one, other = sample_alone("a" * 64, 500), sample_alone("b" * 64, 500)
    assert one == sample_alone("a" * 64, 500) != other
    assert len(set(one)) == SAMPLE
    assert sorted(sample_alone("a" * 64, 5)) == [0, 1, 2, 3, 4]


def test_last_bits_may_differ_and_a_tipped_quantizer_too() -> None:
    again = answers() * np.float32(1 + 1e-6)
    again[3] += np.float32(0.01)
    check_alone(answers(), again, INDICES, "here")


@pytest.mark.parametrize("change", ["all a little", "one a lot", "one to NaN"])
def test_another_answer_is_refused(change: str) -> None:
    again = answers()
    if change == "all a little":
        again += np.float32(0.01)
    else:
        again[5] = np.nan if change == "one to NaN" else again[5] + 1
    with pytest.raises(SubmissionFault, match="alone than in its batch but should be the same answer"):
        check_alone(answers(), again, INDICES, "here")


def test_nan_that_stays_nan_is_the_metrics_business() -> None:
    found = answers()
    found[2] = np.nan
    check_alone(found, found.copy(), INDICES, "here")


def model(folder: Path, kind: str) -> None:
    """x·w for every example, or: minus a tenth of the batch's mean, or: only behind the first example of a batch."""
    weight = numpy_helper.from_array(np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"])]
    constants = [weight]
    if kind == "honest":
        nodes.append(helper.make_node("Identity", ["p"], ["y"]))
    elif kind == "mean":
        nodes += [
            helper.make_node("ReduceMean", ["p"], ["m"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["p", "m"], ["y"]),
        ]
    else:
        cuts = {"zero": [0], "one": [1], "end": [2**31], "axis": [0]}
        constants += [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in cuts.items()]
        nodes += [
            helper.make_node("Slice", ["p", "zero", "one", "axis"], ["head"]),
            helper.make_node("Slice", ["p", "one", "end", "axis"], ["tail"]),
            helper.make_node("Neg", ["head"], ["cheap"]),
            helper.make_node("Concat", ["cheap", "tail"], ["y"], axis=0),
        ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 4), ("y", 3)))
    graph = helper.make_graph(nodes, "g", [x], [y], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")


@pytest.mark.parametrize("kind", ["honest", "mean", "first"])
def test_a_model_that_reads_its_batch_is_refused(tmp_path: Path, kind: str) -> None:
    model(tmp_path, kind)
    np.save(tmp_path / "x.npy", np.random.default_rng(2).normal(size=(40, 4)).astype(np.float32))
    job = PredictJob(
        framework="onnx",
        root=tmp_path,
        primary="model.onnx",
        inputs=tmp_path / "x.npy",
        out=tmp_path / "out",
        batch_size=16,
        alone=sample_alone("c" * 64, 40),
    )
    if kind == "honest":
        assert ProcessLauncher().run(job).shape == (40, 3)
    else:
        with pytest.raises(SubmissionFault, match=r"got a different answer for example [0-9]+ alone than in its batch"):
            ProcessLauncher().run(job)

"""Sequences, random numbers, state, training modes and unknown operators: refused, each named, placed and with advice."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from micronet_verify_onnx.counter import OnnxCounter
from micronet_verify_pytorch.counter import PyTorchCounter
from onnx import TensorProto, helper
from torch import Tensor, nn

from micronet_verify.sandbox.asked_alone import sample_alone
from micronet_verify.sandbox.jobs import PredictJob, TranslateJob
from micronet_verify.sandbox.launcher import ProcessLauncher
from micronet_verify.sandbox.run_job import translate
from tests.plugins.onnx.support import node
from tests.plugins.pytorch.custom import Bad
from tests.plugins.pytorch.support import archive, exported, save
from tests.refused import refused
from tests.spelling.counted import counted, onnx_count, onnx_model, pytorch, random

SEQUENCES: dict[str, list[onnx.NodeProto]] = {
    "SplitToSequence": [node("SplitToSequence", "x", "s"), node("ConcatFromSequence", "s", axis=1)],
    "SequenceConstruct": [node("SequenceConstruct", "x x", "s"), node("SequenceAt", "s zero")],
    "SequenceEmpty": [node("SequenceEmpty", "", "s"), node("SequenceInsert", "s x", "t"), node("SequenceAt", "t zero")],
    "Optional": [node("Optional", "x", "s"), node("OptionalGetElement", "s")],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_are_refused(name: str) -> None:
    nodes = SEQUENCES[name]
    assert refused(lambda: onnx_count(onnx_model(nodes, (3,), {"zero": np.int64(0)}))) == [
        f"got {item.op_type}: a sequence or optional value but should be an operator that this counter can price "
        f"[{item.op_type} in the_{item.op_type}] (use tensors: Split, Concat, Gather)"
        for item in nodes
    ]


@pytest.mark.parametrize("size", [0, -4])
def test_inputs_of_non_positive_sizes_are_refused(size: int) -> None:
    assert refused(lambda: onnx_count(onnx_model([node("Relu", "x")], (size,)))) == [
        f"got size {size} on axis 1 but should be at least 1 [input 'x']"
    ]


def test_inputs_of_size_minus_one_are_free() -> None:
    """Paddle's exporter writes −1 for what others leave out or name."""
    assert refused(lambda: onnx_count(onnx_model([node("Relu", "x")], (-1,)))) == [
        "got a free axis 1 (unnamed) but should have a fixed size [input 'x'] (export with fixed sizes; only the batch may be free)"
    ]


def random_in_a_function() -> onnx.ModelProto:
    inner = [node("RandomNormalLike", "a", "r", seed=1.0), node("Mul", "a r", "b")]
    function = helper.make_function("acme", "Free", ["a"], ["b"], inner, [helper.make_opsetid("", 17)])
    return onnx_model([node("Free", "x", domain="acme")], (3,), functions=[function])


def random_in_a_body() -> onnx.ModelProto:
    wanted = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    bodies = [helper.make_graph([node("RandomNormalLike", "x", "b", seed=1.0)], name, [], [wanted]) for name in ("then", "else")]
    nodes = [
        node("ReduceMax", "x", "most", keepdims=0),
        node("Greater", "most zero", "yes"),
        node("If", "yes", then_branch=bodies[0], else_branch=bodies[1]),
    ]
    return onnx_model(nodes, (3,), {"zero": np.float32(0)})


@pytest.mark.parametrize("build", [random_in_a_function, random_in_a_body])
def test_random_numbers_are_refused_inside_functions_and_bodies(build: Callable[[], onnx.ModelProto]) -> None:
    found = refused(lambda: onnx_count(build()))
    assert found
    assert all(problem.startswith("got RandomNormalLike: random numbers but should be") for problem in found)


class Stream(nn.Module):
    """Counts its calls, and so could answer by the order of the questions."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls.add_(1)
        return x * self.calls


def test_a_model_that_remembers_is_refused() -> None:
    (problem,) = refused(lambda: pytorch(Stream(), (3,)))
    assert problem.startswith("got a model that changes its buffer 'calls' while it answers but should keep no state [")


ONNX_TRAINING: dict[str, tuple[onnx.NodeProto, str]] = {
    "Dropout": (node("Dropout", "x half yes", seed=3), "dropout"),
    "BatchNormalization": (node("BatchNormalization", "x c c c c", "y m v", training_mode=1), "batch norm"),
}


@pytest.mark.parametrize("name", ONNX_TRAINING)
def test_training_mode_of_onnx_is_refused(name: str) -> None:
    item, what = ONNX_TRAINING[name]
    constants = {"half": np.float32(0.5), "yes": np.array(True), "c": random(3)}
    assert refused(lambda: onnx_count(onnx_model([item], (3, 4), constants))) == [
        f"got {what} in training mode but should be exported for inference [{name} in the_{name}] (call model.eval() before the export)"
    ]


@pytest.mark.parametrize(("layer", "what"), [(nn.BatchNorm1d(3), "batch norm"), (nn.Dropout(), "dropout")])
def test_training_mode_of_pytorch_is_refused(layer: nn.Module, what: str, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), layer).train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, (torch.zeros(2, 3),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    found = refused(lambda: counted(save(program, tmp_path), PyTorchCounter()))
    assert any(problem.startswith(f"got {what} in training mode but should be exported after model.eval() [") for problem in found)


def test_everything_without_a_price_is_named_placed_and_advised_together() -> None:
    nodes = [
        node("Mystery", "x", "a", domain="acme"),
        node("RandomNormalLike", "a", "b"),
        node("Det", "b", "c"),
        helper.make_node("Mystery", ["c"], ["d"], "another", domain="acme"),
        node("SequenceConstruct", "d d", "y"),
    ]
    found = refused(lambda: onnx_count(onnx_model(nodes, (3, 3))))
    assert [problem.partition(" but ")[0] for problem in found] == [
        "got the operator Mystery of domain acme",
        "got RandomNormalLike: random numbers",
        "got Det: an operator whose work has no agreed price",
        "got the operator Mystery of domain acme",
        "got SequenceConstruct: a sequence or optional value",
    ]
    for place, problem in zip(("the_Mystery", "another"), (found[0], found[3]), strict=True):
        assert problem == (
            f"got the operator Mystery of domain acme but should be an operator that this counter can price [acme.Mystery in {place}] "
            "(a custom operator needs an ONNX function of standard operators)"
        )
    assert all("[" in problem and problem.endswith(")") for problem in found)


def test_a_standard_name_in_a_custom_domain_is_not_the_standard_operator() -> None:
    """acme.Relu may do anything; a list of names would let it pass for the cheap one."""
    (problem,) = refused(lambda: onnx_count(onnx_model([node("Relu", "x", domain="acme")], (3,))))
    assert problem.startswith("got the operator Relu of domain acme but should be an operator that this counter can price [acme.Relu in ")


# --- the batch: counted as one example, evaluated with others ---------------------------------------------------------


class AgainstTheMean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


class ByHowMany(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (x.shape[0] + 1)


# An example's own number finds its row among all; one row further back is the example before it.
NEIGHBOUR = [
    node("Shape", "x", "shape"),
    node("Gather", "shape zero", "size"),
    node("Range", "zero size one", "own"),
    node("ReduceMax", "x", "most", axes=[1], keepdims=0),
    node("Cast", "most", "seen", to=TensorProto.INT64),
    node("Sub", "seen seen", "nothing"),
    node("Add", "own nothing", "here"),
    node("Add", "here back", "before"),
    node("Gather", "x before", "other", axis=0),
    node("Add", "x other"),
]
for number, item in enumerate(NEIGHBOUR):
    item.name = f"step{number}"
NUMBERS = {"zero": np.int64(0), "one": np.int64(1), "back": np.int64(-1)}


def judged(path: Path, framework: str, folder: Path) -> None:
    """The file through the steps that a judge runs, the first in this process, the second in one of its own."""
    counter = OnnxCounter() if framework == "onnx" else PyTorchCounter()
    folder.mkdir(exist_ok=True)
    translate(TranslateJob(framework, path.parent, path.name, folder), counter)
    inputs = folder / "inputs.npy"
    np.save(inputs, np.random.default_rng(5).uniform(0, 0.9, (40, 3)).astype(np.float32))
    ProcessLauncher().run(
        PredictJob(
            framework=framework,
            root=path.parent,
            primary=path.name,
            inputs=inputs,
            out=folder / "out",
            batch_size=16,
            alone=sample_alone("a" * 64, 40),
        )
    )


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (AgainstTheMean(), "got mean along the batch but should treat each example alone [aten.mean]"),
        (ByHowMany(), "got a number made of the size of the batch but should treat each example alone [aten.mul]"),
    ],
)
def test_examples_that_meet_are_refused(model: nn.Module, sentence: str, tmp_path: Path) -> None:
    (problem,) = refused(lambda: judged(archive(model, torch.zeros(2, 3), tmp_path), "pytorch", tmp_path / "graph"))
    assert problem.startswith(sentence)


def test_what_reading_a_file_cannot_tell_an_evaluation_in_another_order_does(tmp_path: Path) -> None:
    """A few examples are asked again, one at a time, in another order and a fresh session: the answer must be the same."""
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_model(NEIGHBOUR, (3,), NUMBERS).SerializeToString())
    (problem,) = refused(lambda: judged(path, "onnx", tmp_path / "graph"))
    assert "alone than in its batch but should be the same answer [stage predict]" in problem


def test_an_example_that_finds_its_own_row_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_model(NEIGHBOUR, (3,), {**NUMBERS, "back": np.int64(0)}).SerializeToString())
    judged(path, "onnx", tmp_path / "graph")


def test_everything_without_a_price_in_pytorch_is_named_placed_and_advised_together(tmp_path: Path) -> None:
    model = nn.Sequential(Bad(), nn.Linear(3, 3), Bad())
    path = save(exported(model, torch.zeros(2, 3), decomposed=False), tmp_path)
    found = refused(lambda: counted(path, PyTorchCounter()))
    assert [problem.partition(" [")[2].partition("]")[0] for problem in found] == [
        "micronet_tests.secret in 0",
        "aten.rand in 0",
        "micronet_tests.secret in 2",
        "aten.rand in 2",
    ]
    assert all(problem.endswith(")") for problem in found)

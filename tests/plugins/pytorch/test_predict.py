"""Answers: those of the eager model, batch by batch, whatever the batch; inputs and outputs that do not fit are faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.loader import PyTorchLoader
from numpy.typing import NDArray
from torch import Tensor, nn

from micronet_verify.framework.requests import PredictRequest
from tests.plugins.networks import NETWORKS
from tests.plugins.pytorch.support import Function, archive
from tests.refused import refused


def answers(path: Path, x: NDArray[Any], batch: int = 2) -> NDArray[Any]:
    return np.concatenate([answer.outputs for answer in PyTorchLoader().predict(PredictRequest(path, x, batch, 1))])


def fault(path: Path, x: NDArray[Any]) -> str:
    (sentence,) = refused(answers, path, x)
    return sentence


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_those_of_the_eager_model(name: str, networks: dict[str, Path]) -> None:
    network = NETWORKS[name]
    x = network.example(5)
    with torch.inference_mode():
        model = network.build()
        wanted = torch.cat([model(part) for part in x.split(2)]).numpy()
    np.testing.assert_array_equal(answers(networks[name], x.numpy()), wanted)


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_of_the_graph_are_those_of_the_answers(name: str, networks: dict[str, Path]) -> None:
    from tests.plugins.pytorch.support import translate

    graph = translate(networks[name])
    assert graph.values[graph.outputs[0]].shape == answers(networks[name], NETWORKS[name].example(1).numpy()).shape


def test_the_last_batch_may_be_short(networks: dict[str, Path]) -> None:
    x = NETWORKS["mlp"].example(5).numpy()
    assert [len(answer.outputs) for answer in PyTorchLoader().predict(PredictRequest(networks["mlp"], x, 2, 1))] == [2, 2, 1]


def test_inputs_may_be_a_read_only_memory_map(networks: dict[str, Path], tmp_path: Path) -> None:
    x = NETWORKS["mlp"].example(5).numpy()
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(answers(networks["mlp"], mapped), answers(networks["mlp"], x))


def test_a_fixed_batch_of_one_is_fed_one_by_one(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    path = archive(model, torch.randn(1, 3), tmp_path, dynamic=False, decomposed=False)
    x = torch.randn(5, 3)
    with torch.no_grad():
        np.testing.assert_allclose(answers(path, x.numpy(), 4), model(x).numpy(), rtol=1e-6, atol=1e-6)


def test_nan_is_passed_on(tmp_path: Path) -> None:
    path = archive(Function(lambda x: torch.log(x - 10)), torch.randn(2, 3), tmp_path, decomposed=False)
    assert np.isnan(answers(path, np.ones((3, 3), np.float32))).all()


def test_the_number_of_threads_is_set(networks: dict[str, Path]) -> None:
    before = torch.get_num_threads()
    try:
        list(PyTorchLoader().predict(PredictRequest(networks["mlp"], NETWORKS["mlp"].example(1).numpy(), 1, 2)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_weights_of_the_archive_are_never_changed(tmp_path: Path) -> None:
    """Each run reads the file again: no state is carried from one to the next."""
    path = archive(nn.Linear(3, 2), torch.randn(2, 3), tmp_path, decomposed=False)
    before, x = path.read_bytes(), np.ones((4, 3), np.float32)
    np.testing.assert_array_equal(answers(path, x), answers(path, x))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        (torch.float16, np.float32),
        (torch.bfloat16, np.float32),
        (torch.float64, np.float64),
        (torch.int8, np.float32),
        (torch.int64, np.float64),
    ],
    ids=str,
)
def test_outputs_are_float32_or_float64(dtype: torch.dtype, wanted: type, tmp_path: Path) -> None:
    path = archive(Function(lambda x: x.to(dtype)), torch.randn(2, 3), tmp_path, decomposed=False)
    found = answers(path, np.full((2, 3), 2.0, np.float32))
    assert found.dtype == wanted
    assert (found == 2).all()


def test_examples_of_another_shape(networks: dict[str, Path]) -> None:
    path = networks["convnet"]
    sentence = f"got a model for examples of shape (1, 8, 8) but should take (3, 32, 32) [{path.name}]"
    assert fault(path, np.zeros((2, 3, 32, 32), np.float32)) == sentence


def test_examples_of_another_type(networks: dict[str, Path]) -> None:
    path = networks["convnet"]
    assert fault(path, np.zeros((2, 1, 8, 8), np.uint8)) == (
        f"got a model for inputs of float32 but should take uint8 [{path.name}] "
        "(convert inside forward(), x.to(...), so that the conversion is part of what is judged)"
    )


def test_several_outputs(tmp_path: Path) -> None:
    path = archive(Function(lambda x: (x, x + 1)), torch.randn(2, 3), tmp_path, decomposed=False)
    sentence = f"got a model of 2 outputs but should have one [{path.name}] (return the scores alone from forward())"
    assert fault(path, np.ones((2, 3), np.float32)) == sentence


def test_several_inputs(tmp_path: Path) -> None:
    import warnings

    from tests.plugins.pytorch.support import save

    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = save(torch.export.export(Two(), (torch.randn(1, 3), torch.randn(1, 3))), tmp_path)
    assert fault(path, np.ones((2, 3), np.float32)) == f"got a model of 2 inputs but should have one [{path.name}]"


def test_an_output_without_the_examples(tmp_path: Path) -> None:
    path = archive(Function(lambda x: x.sum(0)), torch.randn(2, 3), tmp_path, decomposed=False)
    assert fault(path, np.ones((2, 3), np.float32)) == "got an output of shape (3,) for 2 examples but should have 2 rows [output 'sum_1']"


def test_a_model_that_fails_on_its_inputs(tmp_path: Path) -> None:
    table = nn.Embedding(4, 3)
    path = archive(table, torch.tensor([[1], [2]]), tmp_path, decomposed=False)
    assert fault(path, np.array([[9], [9]])) == "got a model that fails on its inputs (index out of range in self) but should answer"


def test_a_fixed_batch_of_another_size(tmp_path: Path) -> None:
    path = archive(nn.Linear(3, 2), torch.randn(4, 3), tmp_path, dynamic=False, decomposed=False)
    assert fault(path, np.ones((4, 3), np.float32)).startswith("got a fixed batch of 4 but should be 1 or free (dynamic)")

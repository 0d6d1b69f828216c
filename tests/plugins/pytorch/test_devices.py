"""Another device than the processor: the whole model goes there, and without one the operator is told.

The machine that runs these tests need not have one: torch's device ``meta`` computes shapes only, and refuses, as CUDA
does, to mix its tensors with those of the processor.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.loader import PyTorchCudaLoader, PyTorchLoader
from micronet_verify_pytorch.program import read_program
from micronet_verify_pytorch.runner import Taken, build
from torch import Tensor, nn

from micronet_verify.errors import BenchFault
from micronet_verify.framework.registry import framework_named
from micronet_verify.framework.requests import PredictRequest
from micronet_verify.framework.stepping import Stepping
from tests.plugins.networks import NETWORKS
from tests.plugins.pytorch.support import archive


@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor_of_a_model_is_on_its_device(name: str, networks: dict[str, Path]) -> None:
    x = NETWORKS[name].example(2)
    wanted = NETWORKS[name].build()(x).shape
    with torch.device("meta"), torch.inference_mode():
        model = build(read_program(networks[name]), Taken(), "meta")
        for _ in range(2):
            (output,) = model.forward(x.to("meta"))
            assert (output.device.type, output.shape) == ("meta", wanted)


class Places(nn.Module):
    """Makes tensors in its forward, on the device that its export names."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(3, dtype=torch.float32, device="cpu") + torch.full((3,), 2.0, device="cpu")


def test_a_device_that_the_graph_names_is_replaced(tmp_path: Path) -> None:
    path = archive(Places(), torch.ones(2, 3), tmp_path)
    with torch.device("meta"), torch.inference_mode():
        (output,) = build(read_program(path), Taken(), "meta").forward(torch.ones(2, 3))
    assert output.device.type == "meta"
    (answer,) = PyTorchLoader().predict(PredictRequest(path, np.ones((2, 3), np.float32), 2, 1))
    assert answer.outputs.tolist() == [[3, 4, 5]] * 2


def test_without_a_device_the_operator_is_told() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(BenchFault) as caught:
        framework_named("pytorch").devices["cuda"]()
    assert str(caught.value) == (
        f"got torch {torch.__version__}, which finds no CUDA device on this machine, but should find one to predict on cuda "
        "[stage predict] (it must be a build for CUDA, with a driver; or leave --device out)"
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("name", NETWORKS)
def test_answers_on_cuda_are_close_to_those_of_the_processor(name: str, networks: dict[str, Path]) -> None:
    x = NETWORKS[name].example(4).numpy()
    (own,) = PyTorchLoader().predict(PredictRequest(networks[name], x, 4, 1))
    try:
        (other,) = PyTorchCudaLoader().predict(PredictRequest(networks[name], x, 4, 1))
    finally:
        torch.set_default_device(None)
    np.testing.assert_allclose(other.outputs, own.outputs, rtol=1e-3, atol=1e-4)


def test_language_models_run_on_the_processor_only() -> None:
    assert issubclass(PyTorchLoader, Stepping)
    assert not issubclass(PyTorchCudaLoader, Stepping)


def test_memory_that_runs_out_elsewhere_is_no_fault_of_the_entry(networks: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Tensor, device: str) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")

    x = NETWORKS["mlp"].example(2).numpy()
    answers = PyTorchLoader().predict(PredictRequest(networks["mlp"], x, 1, 1))
    next(answers)
    monkeypatch.setattr(torch.Tensor, "to", full)
    with pytest.raises(BenchFault) as caught:
        next(answers)
    assert str(caught.value) == (
        "got cpu without memory (CUDA out of memory. Tried to allocate 2.00 GiB) but should have enough [stage predict] "
        "(try --batch-size 1)"
    )

"""``torch.cond``: a branch node whose bodies read the values around them, and a record of which way each example went."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from micronet_verify_pytorch.loader import PyTorchLoader
from torch import Tensor, nn

from micronet_verify.framework.requests import PredictRequest
from tests.plugins.pytorch.support import Function, archive, only, sentences, translate


class EarlyExit(nn.Module):
    """A cheap head where the input is positive on average, a dear one elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.cheap, self.dear = nn.Linear(4, 3), nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.mean() > 0, lambda y: self.cheap(y), lambda y: self.dear(y), (x,))


class Nested(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        def inner(y: Tensor) -> Tensor:
            return torch.cond(y.mean() > 1, lambda z: z * 2, lambda z: z * 3, (y,))

        return torch.cond(x.mean() > 0, inner, lambda y: y * 5, (x,))


def test_bodies_and_their_constants(tmp_path: Path) -> None:
    graph = translate(archive(EarlyExit(), torch.randn(1, 4), tmp_path, dynamic=False))
    node = only(graph, "branch")
    cheap, dear = node.bodies
    assert [inner.kind for inner in cheap.nodes] == ["matmul"]
    assert [inner.kind for inner in dear.nodes] == ["matmul", "elementwise", "matmul"]
    weights = [graph.values[inner.inputs[1]].label for body in node.bodies for inner in body.nodes if inner.kind == "matmul"]
    assert weights == ["cheap.weight", "dear.0.weight", "dear.2.weight"]
    assert graph.values[node.outputs[0]].shape == (1, 3)


def test_each_example_goes_its_own_way_and_it_is_recorded(tmp_path: Path) -> None:
    model = EarlyExit()
    x = torch.randn(20, 4)
    for dynamic in (False, True):
        path = archive(model, x[: 2 if dynamic else 1], tmp_path, dynamic=dynamic)
        name = str(only(translate(path), "branch").attributes["id"])
        answers = list(PyTorchLoader().predict(PredictRequest(path, x.numpy(), 8, 1)))
        assert [len(answer.outputs) for answer in answers] == [8, 8, 4]
        taken = [index for answer in answers for index in answer.taken[name]]
        assert taken == [0 if example.mean() > 0 else 1 for example in x]
        with torch.no_grad():
            wanted = torch.cat([model(example[None]) for example in x])
        np.testing.assert_allclose(np.concatenate([answer.outputs for answer in answers]), wanted.numpy(), rtol=1e-5, atol=1e-6)


def test_a_branch_inside_a_branch_that_is_not_reached(tmp_path: Path) -> None:
    path = archive(Nested(), torch.randn(1, 4), tmp_path, dynamic=False)
    outer = only(translate(path), "branch")
    inner = next(node for node in outer.bodies[0].nodes if node.kind == "branch")
    x = np.repeat(np.array([[2.0], [0.5], [-1.0]], np.float32), 4, axis=1)
    (answer,) = PyTorchLoader().predict(PredictRequest(path, x, 3, 1))
    assert answer.taken == {outer.attributes["id"]: (0, 0, 1), inner.attributes["id"]: (0, 1, -1)}
    np.testing.assert_array_equal(answer.outputs, x * np.array([[2], [3], [5]], np.float32))


def test_what_cannot_be_counted_inside_a_body_is_named(tmp_path: Path) -> None:
    def function(x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda y: torch.linalg.matrix_exp(y), lambda y: y + 1, (x,))

    (problem,) = sentences(archive(Function(function), torch.randn(1, 3, 3), tmp_path, dynamic=False))
    assert problem.startswith("got the operator aten.linalg_matrix_exp.default but should be an operator that this counter can price")


def test_a_switch_of_gradients_is_no_branch(tmp_path: Path) -> None:
    def function(x: Tensor) -> Tensor:
        with torch.no_grad():
            y = x * 2
        return y + 1

    with torch.enable_grad():
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(Function(function), (torch.randn(1, 3),))
    from tests.plugins.pytorch.support import kinds, save

    path = save(program, tmp_path)
    assert "wrap_with_set_grad_enabled" in str(program.graph)
    assert kinds(translate(path)) == ["mul", "add"]
    (answer,) = PyTorchLoader().predict(PredictRequest(path, np.ones((2, 3), np.float32), 2, 1))
    np.testing.assert_array_equal(answer.outputs, np.full((2, 3), 3.0, np.float32))

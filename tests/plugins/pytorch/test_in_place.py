"""Operators in place, in graphs as torch.export writes them: followed where that is safe, refused where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.loader import PyTorchLoader
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from micronet_verify.framework.requests import PredictRequest
from tests.plugins.pytorch.support import Function, archive, kinds, sentences, translate

FUNCTIONAL = "(hand in exported_program.run_decompositions({}), which has no operators in place)"


def residual(x: Tensor, conv: nn.Module) -> Tensor:
    y = conv(x)
    y += x
    F.relu_(y)
    return y * 2 + y


def through_names(x: Tensor) -> Tensor:
    """``y`` and its detached twin are one tensor: both change."""
    y = x + 1
    z = y.detach()
    y.mul_(2)
    return z + y


def a_view_that_is_done(x: Tensor) -> Tensor:
    y = x + 1
    total = y.view(-1, 3).sum(1)
    y.relu_()
    return y[:, 0] + total


def filled(x: Tensor) -> Tensor:
    y = x * 2
    y.fill_(3.0)
    return x + y


SAFE = {
    "residual": (Function(residual, nn.Conv2d(1, 1, 3, padding=1)), (1, 4, 4), "conv add relu mul add"),
    "names": (Function(through_names), (3,), "add mul add"),
    "view done": (Function(a_view_that_is_done), (3,), "add reduce sum relu add"),
    "activations": (nn.Sequential(nn.ReLU6(inplace=True), nn.Hardswish(inplace=True), nn.SiLU(inplace=True)), (3,), ""),
    "filled": (Function(filled), (3,), "mul add"),
}


@pytest.mark.parametrize("name", [name for name in SAFE if name != "activations"])
def test_safe_changes_are_counted_and_run_as_they_are(name: str, tmp_path: Path) -> None:
    model, shape, expected = SAFE[name]
    x = torch.randn(2, *shape)
    path = archive(model, x, tmp_path, decomposed=False)
    assert " ".join(kinds(translate(path))) == expected
    (answer,) = PyTorchLoader().predict(PredictRequest(path, x.numpy().copy(), 2, 1))
    with torch.no_grad():
        np.testing.assert_allclose(answer.outputs, model(x.clone()).numpy(), rtol=1e-6, atol=1e-6)


def test_the_changed_value_is_what_is_read_afterwards(tmp_path: Path) -> None:
    graph = translate(archive(Function(through_names), torch.randn(2, 3), tmp_path, decomposed=False))
    changed = next(node for node in graph.nodes if node.attributes["op"] == "mul").outputs[0]
    assert graph.nodes[-1].inputs == (changed, changed)


def test_a_view_that_is_read_later_is_refused(tmp_path: Path) -> None:
    def function(x: Tensor) -> Tensor:
        y = x + 1
        view = y.view(-1)
        y.relu_()
        return view * 2

    path = archive(Function(function), torch.randn(2, 3), tmp_path, decomposed=False)
    what = "got a tensor changed in place while 'view' still shares its memory but should be changed as a copy"
    assert sentences(path) == [f"{what} [aten.relu_] {FUNCTIONAL}"]


def test_a_change_through_a_slice_is_refused(tmp_path: Path) -> None:
    def function(x: Tensor) -> Tensor:
        y = x + 1
        y[:, 0] = 0
        return y

    path = archive(Function(function), torch.randn(2, 3), tmp_path, decomposed=False)
    assert all("still shares its memory" in problem for problem in sentences(path))
    assert kinds(translate(archive(Function(function), torch.randn(2, 3), tmp_path))) == ["add"]


@pytest.mark.parametrize("what", ["input", "weight"])
def test_changes_of_what_the_model_is_given_are_refused(what: str, tmp_path: Path) -> None:
    def function(x: Tensor, weight: Tensor) -> Tensor:
        (x if what == "input" else weight).relu_()
        return x + weight

    path = archive(Function(function, torch.randn(3)), torch.randn(2, 3), tmp_path, decomposed=False)
    (problem,) = sentences(path)
    assert problem.startswith("got a tensor changed in place while '")
    assert "[aten.relu_]" in problem


def test_a_change_of_type_in_place_is_refused(tmp_path: Path) -> None:
    path = archive(Function(lambda x: (x + 1).unsqueeze_(0).squeeze(0)), torch.randn(2, 3), tmp_path, decomposed=False)
    assert sentences(path)[0] == f"got a change of shape or type in place but should keep both [aten.unsqueeze_] {FUNCTIONAL}"

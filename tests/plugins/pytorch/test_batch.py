"""The batch is 1 or free; everything else is fixed."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.plugins.pytorch.support import Function, archive, save, sentences, translate

ADVICE = "(torch.export with dynamic_shapes={0: torch.export.Dim('batch')}, or with an example of batch 1)"


@pytest.mark.parametrize("dynamic", [False, True])
def test_batch_one_and_a_free_batch_give_one_graph(dynamic: bool, tmp_path: Path) -> None:
    model = Function(lambda x: x.reshape(x.shape[0] * 2, -1).view(-1, 4, 2).sum(0))
    graph = translate(archive(model, torch.randn(2 if dynamic else 1, 4, 4), tmp_path, dynamic=dynamic, decomposed=False))
    assert graph.values[graph.inputs[0]].shape == (1, 4, 4)
    assert [graph.values[node.outputs[0]].shape for node in graph.nodes] == [(2, 8), (2, 4, 2), (4, 2)]


def test_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    path = archive(Function(torch.relu), torch.randn(8, 4), tmp_path, dynamic=False, decomposed=False)
    assert sentences(path) == [f"got a fixed batch of 8 but should be 1 or free (dynamic) [input 'x'] {ADVICE}"]


def test_another_free_size_is_refused(tmp_path: Path) -> None:
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(Function(torch.relu), (torch.randn(2, 5),), dynamic_shapes={"x": sizes})
    (problem,) = sentences(save(program, tmp_path))
    assert problem.startswith("got a free axis 1 (s")
    assert problem.endswith("but should have a fixed size [input 'x'] (export with fixed sizes; only the batch may be free)")


def test_a_batch_that_is_a_product_is_refused(tmp_path: Path) -> None:
    half = torch.export.Dim("half")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(Function(torch.relu), (torch.randn(4, 5),), dynamic_shapes={"x": {0: 2 * half}})
    (problem,) = sentences(save(program, tmp_path))
    assert problem.startswith("got a batch of Mul(Integer(2), Symbol('s")
    assert "but should be 1 or free (dynamic)" in problem


def test_squeezing_every_axis_breaks_at_batch_one(tmp_path: Path) -> None:
    """torch would drop the batch axis of a single example; the archive declares that it stays."""
    path = archive(Function(lambda x: torch.ops.aten.squeeze.default(x)), torch.randn(2, 4, 1), tmp_path, decomposed=False)
    assert sentences(path) == ["got a declared shape (1, 4) (at batch 1) but should be (4,) [aten.squeeze]"]


def test_sizes_in_arithmetic_are_numbers(tmp_path: Path) -> None:
    graph = translate(archive(Function(lambda x: x * x.shape[0] / x.numel()), torch.randn(2, 4), tmp_path, decomposed=False))
    assert sorted(value.label for value in graph.values.values() if value.constant) == ["1", "4"]


def test_a_model_without_inputs_is_refused(tmp_path: Path) -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = nn.Parameter(torch.ones(3))

        def forward(self) -> Tensor:
            return self.answer * 2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(Constant(), ())
    path = save(program, tmp_path)
    assert sentences(path) == [f"got a model without inputs but should have one [{path.name}]"]

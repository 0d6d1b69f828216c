"""fake_quantize_* and PT2E's operators: quantize and dequantize nodes in the narrowest integer that holds the range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed
from micronet_verify_pytorch.loader import PyTorchLoader
from torch import Tensor, nn

from micronet_verify.facts.graph import Graph, Node
from micronet_verify.framework.requests import PredictRequest
from tests.plugins.pytorch.support import Function, archive, sentences, translate

Q = torch.ops.quantized_decomposed


def pair(graph: Graph) -> tuple[Node, Node]:
    quantize, dequantize = [node for node in graph.nodes if node.kind in ("quantize", "dequantize")]
    assert dequantize.inputs[0] == quantize.outputs[0]
    assert dequantize.inputs[1:] == quantize.inputs[1:]
    return quantize, dequantize


def made(function: object, folder: Path, *parts: Tensor) -> Graph:
    return translate(archive(Function(function, *parts), torch.randn(1, 4, 3), folder, dynamic=False, decomposed=False))


@pytest.mark.parametrize(
    ("low", "high", "name", "limits"),
    [
        (-8, 7, "int4", {}),
        (-7, 7, "int4", {"low": -7, "high": 7}),
        (-128, 127, "int8", {}),
        (0, 255, "uint8", {}),
        (0, 15, "uint4", {}),
        (0, 127, "uint7", {}),
        (-1, 1, "int2", {"low": -1, "high": 1}),
    ],
)
def test_range_decides_the_format(low: int, high: int, name: str, limits: dict[str, int], tmp_path: Path) -> None:
    graph = made(lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, low, high), tmp_path)
    quantize, dequantize = pair(graph)
    assert graph.values[quantize.outputs[0]].format.name == name
    assert quantize.attributes == {"axis": -1, "reciprocal": True, **limits}
    assert graph.values[dequantize.outputs[0]].format.name == "float32"
    scale = graph.values[quantize.inputs[1]]
    assert (scale.shape, scale.label) == ((), "0.1")


def test_a_zero_point_of_zero_is_not_stored_and_another_is(tmp_path: Path) -> None:
    assert len(pair(made(lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 15), tmp_path))[0].inputs) == 2
    graph = made(lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 3, 0, 15), tmp_path)
    zero = graph.values[pair(graph)[0].inputs[2]]
    assert (zero.label, zero.format.name) == ("3", "uint4")


def test_scale_and_zero_point_in_tensors(tmp_path: Path) -> None:
    def function(x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, -128, 127)

    graph = made(function, tmp_path, torch.tensor([0.1]), nn.Parameter(torch.zeros(1, dtype=torch.int32), requires_grad=False))
    quantize, _ = pair(graph)
    assert [graph.values[name].label for name in quantize.inputs[1:]] == ["tensors.0", "tensors.1"]


def test_per_channel(tmp_path: Path) -> None:
    def function(x: Tensor, scale: Tensor) -> Tensor:
        return torch.fake_quantize_per_channel_affine(x, scale, torch.zeros(4, dtype=torch.int32), 1, -8, 7)

    quantize, dequantize = pair(made(function, tmp_path, torch.ones(4)))
    assert quantize.attributes == {"axis": 1, "reciprocal": True}
    assert dequantize.attributes == {"axis": 1}


class Pt2e(nn.Module):
    """What the PT2E flow leaves behind: int8 weights per channel, 8-bit activations per tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randint(-127, 128, (5, 3), dtype=torch.int8))
        self.register_buffer("scales", torch.rand(5) + 0.1)
        self.register_buffer("zeros", torch.zeros(5, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        q = Q.quantize_per_tensor(x, 0.05, 12, 0, 255, torch.uint8)
        x = Q.dequantize_per_tensor(q, 0.05, 12, 0, 255, torch.uint8)
        weight = Q.dequantize_per_channel(self.weight, self.scales, self.zeros, 0, -127, 127, torch.int8)
        return torch.nn.functional.linear(x, weight)


def test_pt2e(tmp_path: Path) -> None:
    x = torch.randn(2, 3)
    path = archive(Pt2e(), x, tmp_path)
    graph = translate(path)
    assert [node.kind for node in graph.nodes] == ["quantize", "dequantize", "dequantize", "matmul"]
    weight = graph.values[graph.nodes[2].inputs[0]]
    assert (weight.label, weight.format.name, weight.constant is not None) == ("weight", "int8", True)
    assert graph.nodes[2].attributes == {"axis": 0}
    (answer,) = PyTorchLoader().predict(PredictRequest(path, x.numpy(), 2, 1))
    assert answer.outputs.shape == (2, 5)


def test_four_bits_in_eight(tmp_path: Path) -> None:
    graph = made(lambda x: Q.quantize_per_tensor(x, 0.1, 0, -8, 7, torch.int8) * 2, tmp_path)
    quantize = graph.nodes[0]
    assert graph.values[quantize.outputs[0]].format.name == "int4"
    assert graph.values[graph.outputs[0]].format.name == "int8", "arithmetic happens in the container"


def test_a_range_wider_than_its_type_is_refused(tmp_path: Path) -> None:
    path = archive(Function(lambda x: Q.quantize_per_tensor(x, 0.1, 0, -8, 7, torch.uint8)), torch.randn(1, 3), tmp_path, dynamic=False)
    assert sentences(path) == ["got values of int4 in uint8 but should fit [quantized_decomposed.quantize_per_tensor]"]


def test_the_plugin_runs_what_it_counts(tmp_path: Path) -> None:
    model = Function(lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -8, 7))
    x = torch.randn(1, 4, 3)
    (answer,) = PyTorchLoader().predict(PredictRequest(archive(model, x, tmp_path, dynamic=False), x.numpy(), 1, 1))
    np.testing.assert_array_equal(answer.outputs, model(x).numpy())

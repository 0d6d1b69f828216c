"""Attributes of what costs most: windows of convolutions and pools, indices of products, and constants where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from micronet_verify.facts.graph import Graph, Node
from tests.plugins.pytorch.support import Function, archive, only, translate


def graph_of(model: nn.Module, folder: Path, *shape: int) -> Graph:
    return translate(archive(model, torch.randn(2, *shape), folder, decomposed=False))


def conv_of(model: nn.Module, folder: Path, *shape: int) -> Node:
    return only(graph_of(model, folder, *shape), "conv")


def test_convolution(tmp_path: Path) -> None:
    graph = graph_of(nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 1), groups=2), tmp_path, 4, 8, 8)
    node = only(graph, "conv")
    assert node.attributes == {"stride": (2, 1), "padding": (1, 2, 1, 2), "dilation": (1, 1), "groups": 2}
    assert [graph.values[name].shape for name in node.inputs] == [(1, 4, 8, 8), (6, 2, 3, 5), (6,)]
    assert graph.values[node.outputs[0]].shape == (1, 6, 4, 8)
    assert node.source == "aten.conv2d"


def test_same_padding_puts_the_odd_rest_at_the_end(tmp_path: Path) -> None:
    node = conv_of(nn.Conv2d(4, 4, 4, padding="same", dilation=3), tmp_path, 4, 16, 16)
    total = 3 * (4 - 1)
    assert node.attributes["padding"] == (total // 2,) * 2 + (total - total // 2,) * 2


def test_transposed_convolution(tmp_path: Path) -> None:
    node = conv_of(nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), tmp_path, 4, 8, 8)
    assert node.attributes["transposed"] is True
    assert node.attributes["output_padding"] == (1, 1)
    assert node.attributes["padding"] == (1, 1, 1, 1)


def test_convolution_of_one_unbatched_image_is_batch_one(tmp_path: Path) -> None:
    weight = torch.randn(6, 4, 3, 3)
    graph = graph_of(Function(lambda x, w: F.conv2d(x[0], w).expand(x.shape[0], -1, -1, -1), weight), tmp_path, 4, 8, 8)
    node = only(graph, "conv")
    assert graph.values[node.inputs[0]].shape == (1, 4, 8, 8)


def test_pool(tmp_path: Path) -> None:
    node = only(graph_of(nn.MaxPool2d(3, 2, 1, ceil_mode=True), tmp_path, 4, 8, 8), "pool")
    assert node.attributes == {"op": "max", "kernel": (3, 3), "stride": (2, 2), "padding": (1, 1, 1, 1), "ceil": True}
    node = only(graph_of(nn.AvgPool2d(2), tmp_path, 4, 8, 8), "pool")
    assert node.attributes["stride"] == (2, 2), "the stride is the kernel where none is given"


PRODUCTS = {
    "linear": (lambda x, w: F.linear(x, w.t()), ("abz", "yz", "aby")),
    "matmul": (lambda x, w: x @ w, ("axz", "zy", "axy")),
    "einsum": (lambda x, w: torch.einsum("bsi,io->bso", x, w), ("bsi", "io", "bso")),
    "einsum transposed": (lambda x, w: torch.einsum("bsi,io->bos", x, w), ("bsi", "io", "bos")),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_product_is_one_contraction(name: str, tmp_path: Path) -> None:
    function, labels = PRODUCTS[name]
    node = only(graph_of(Function(function, torch.randn(8, 3)), tmp_path, 5, 8), "matmul")
    assert (node.attributes["left"], node.attributes["right"], node.attributes["out"]) == labels


def test_three_operands_are_contracted_left_to_right(tmp_path: Path) -> None:
    def function(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return torch.einsum("bi,ij,jk->bk", x, a, b)

    graph = graph_of(Function(function, torch.randn(8, 3), torch.randn(3, 4)), tmp_path, 8)
    first, second = [node for node in graph.nodes if node.kind == "matmul"]
    assert (first.attributes["left"], first.attributes["right"], first.attributes["out"]) == ("bi", "ij", "bj")
    assert (second.attributes["left"], second.attributes["right"], second.attributes["out"]) == ("bj", "jk", "bk")
    assert second.inputs[0] == first.outputs[0]


def test_normalisations(tmp_path: Path) -> None:
    graph = graph_of(nn.BatchNorm2d(4, eps=0.5), tmp_path, 4, 8, 8)
    node = only(graph, "normalise")
    assert node.attributes == {"op": "batch_norm", "eps": 0.5}
    assert [graph.values[name].label for name in node.inputs[1:]] == ["running_mean", "running_var", "weight", "bias"]
    assert only(graph_of(nn.LayerNorm((8, 8)), tmp_path, 4, 8, 8), "normalise").attributes["axes"] == (2, 3)
    assert only(graph_of(nn.GroupNorm(2, 4), tmp_path, 4, 8, 8), "normalise").attributes["groups"] == 2


def test_parameters_of_functions(tmp_path: Path) -> None:
    def parameters(function: object) -> dict[str, object]:
        node = only(graph_of(Function(function), tmp_path, 8), "elementwise")
        return {name: value for name, value in node.attributes.items() if name != "op"}

    assert parameters(F.relu6) == {"low": 0, "high": 6}
    assert parameters(lambda x: x.clamp(min=0.5)) == {"low": 0.5}
    assert parameters(lambda x: F.leaky_relu(x, 0.2)) == {"alpha": 0.2}
    assert parameters(lambda x: F.elu(x, 0.7)) == {"alpha": 0.7}


def test_scalars_are_constants_in_the_type_of_the_arithmetic(tmp_path: Path) -> None:
    graph = graph_of(Function(lambda x: (x.half() * 2.5).double() + 3), tmp_path, 8)
    constants = {value.label: value.format.name for value in graph.values.values() if value.constant}
    assert constants == {"2.5": "float16", "3": "float64"}


def test_integer_arithmetic_keeps_its_types(tmp_path: Path) -> None:
    graph = graph_of(Function(lambda x: (x.to(torch.int32) + 1) * 0.5), tmp_path, 8)
    formats = [graph.values[node.outputs[0]].format.name for node in graph.nodes]
    assert formats == ["int32", "int32", "float32"]


def test_scopes_are_module_paths(tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU())
            self.again = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.again(self.again(self.features(x)) - 1) + 1

    for decomposed in (False, True):
        graph = translate(archive(Net(), torch.randn(2, 4, 8, 8), tmp_path, decomposed=decomposed))
        assert [(node.source, node.scope) for node in graph.nodes] == [
            ("aten.conv2d", "features.0"),
            ("aten.relu", "features.1"),
            ("aten.relu", "again"),
            ("aten.sub", ""),
            ("aten.relu", "again"),
            ("aten.add", ""),
        ]


def test_labels_are_qualified_names(networks: dict[str, Path]) -> None:
    graph = translate(networks["mobilenet"])
    first = next(node for node in graph.nodes if node.kind == "conv")
    assert graph.values[first.inputs[1]].label == "0.0.weight"


def test_same_archive_same_graph(networks: dict[str, Path]) -> None:
    from micronet_verify.facts.serde import dump_graph

    assert dump_graph(translate(networks["attention"])) == dump_graph(translate(networks["attention"]))

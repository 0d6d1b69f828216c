"""The recipes behind the samples: what needs no training is made again here and compared with the committed files."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import numpy_helper

from sample_submissions.networks import Separable, Tiny
from sample_submissions.recipes.broken import BROKEN
from sample_submissions.recipes.channels import narrowed
from sample_submissions.recipes.digits import correct, smallest_gap, training_set
from sample_submissions.recipes.digits import test_set as read_test_set
from sample_submissions.recipes.export_onnx import grid
from sample_submissions.recipes.honest import HONEST, on_grid, plus_minus, shared
from sample_submissions.recipes.onnx_graph import OnnxGraph
from sample_submissions.recipes.training import fit, magnitude_masks
from tests.samples.conftest import SAMPLES, grouped

UNTRAINED = {f"digits/{name}": HONEST[name] for name in ("dense-onnx", "int8-qdq-onnx", "int8-tflite")} | {
    f"broken/{name}": recipe for name, recipe in BROKEN.items()
}
BY_HAND = {"submission.yaml", "model.py"}


@pytest.mark.parametrize("name", grouped(UNTRAINED, "", made=True))
def test_made_again_it_is_the_same(name, tmp_path) -> None:
    UNTRAINED[name](tmp_path)
    committed = files(SAMPLES / name)
    assert committed.keys() == files(tmp_path).keys()
    for file_name, file in committed.items():
        assert contents(tmp_path / file_name) == contents(file)


def files(folder: Path) -> dict[str, Path]:
    """The files that a recipe makes, by their path in the entry."""
    found = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_symlink() or file.is_file()}
    return {name: file for name, file in found.items() if name not in BY_HAND and "__pycache__" not in file.parts}


def contents(file: Path) -> object:
    """The bytes of a file, the target of a link; the weights in a whole ``.pt2`` made by another build of torch."""
    if file.is_symlink():
        return os.readlink(file)
    if file.suffix == ".pt2" and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if json.loads(archive.read("model/models/model.json"))["torch_version"] != torch.__version__ or "+cpu" not in torch.__version__:
                return {name: archive.read(name) for name in archive.namelist() if name.startswith("model/data/weights/")}
    return file.read_bytes()


def test_split_is_the_first_1297_and_the_last_500() -> None:
    (training, training_labels), (test, test_labels) = training_set(), read_test_set()
    assert (training.shape, test.shape) == ((1297, 1, 8, 8), (500, 1, 8, 8))
    assert (training_labels.shape, test_labels.shape) == ((1297,), (500,))
    assert training.dtype == test.dtype == np.float32
    assert set(np.unique(test) * 16) == set(range(17))
    assert training_labels[:10].tolist() == list(range(10))


def test_correct_and_gap() -> None:
    logits = np.array([[0.0, 1.0], [3.0, 2.5]])
    assert correct(logits, np.array([1, 1])) == 1
    assert smallest_gap(logits) == 0.5


def test_weights_are_shared_by_the_nearest_of_fifteen_values_and_zeros_stay() -> None:
    weight = torch.randn(40, 50, generator=torch.Generator().manual_seed(0))
    weight[:, ::2] = 0
    found = shared(weight)
    values = found[found != 0].unique()
    assert values.numel() == 15
    assert torch.equal(found == 0, weight == 0)
    nearest = values[(weight[:, 1::2, None] - values).abs().argmin(-1)]
    assert torch.equal(found[:, 1::2], nearest)


def test_masks_keep_the_largest_and_training_keeps_the_zeros() -> None:
    torch.manual_seed(0)
    net = Tiny(stem=2, body=3)
    masks = magnitude_masks(net, {"body.conv.weight": 0.5})
    kept = masks["body.conv.weight"] > 0
    assert kept.sum() == 2 * 3 * 9 - (2 * 3 * 9) // 2
    size = net.body.conv.weight.detach().abs()
    assert size[kept].min() > size[~kept].max()
    fit(net, epochs=1, rate=1e-2, masks=masks)
    after = net.body.conv.weight.detach()
    assert torch.equal(after != 0, kept)
    assert not net.training


def test_straight_through_training_moves_the_weights_and_ends_on_the_grid() -> None:
    torch.manual_seed(0)
    net = Tiny(stem=2, body=3)
    before = net.body.conv.weight.detach().clone()
    fit(net, epochs=1, rate=1e-2, quantizers={"body.conv.weight": plus_minus})
    after = net.body.conv.weight.detach()
    assert all(channel.abs().unique().numel() == 1 for channel in after)
    assert not torch.equal(plus_minus(before), after)


def test_four_bit_grid() -> None:
    weight = torch.tensor([[7.0, -3.4, 0.2], [-0.7, 0.35, 0.16]])
    assert on_grid(weight, 7)[0].tolist() == [7.0, -3.0, 0.0]
    steps, scales = grid(on_grid(weight, 7).numpy(), bits=4)
    assert steps.tolist() == [[7, -3, 0], [-7, 4, 2]]
    np.testing.assert_allclose(scales, [1.0, 0.1])


@pytest.mark.parametrize("values", [[-7, 7, 0, -1], [3, -4, 5]])
def test_int4_initializer_reads_back(values) -> None:
    graph = OnnxGraph("test", opset=21)
    graph.int4("w", np.array(values, np.int8))
    assert numpy_helper.to_array(graph.initializers[0]).astype(int).tolist() == values
    assert len(graph.initializers[0].raw_data) == (len(values) + 1) // 2


def test_cutting_channels_that_nobody_reads_changes_nothing() -> None:
    torch.manual_seed(0)
    net = Separable(4, 5, 6).eval()
    with torch.no_grad():
        net.pointwise1.conv.weight[:, 1] = 0
        net.pointwise2.conv.weight[:, 3] = 0
        net.head.weight.reshape(10, 6, 4)[:, [0, 5]] = 0
    images = torch.rand(3, 1, 8, 8)
    narrow = narrowed(net, 3, 4, 4).eval()
    assert narrow.head.weight.shape == (10, 4 * 4)
    torch.testing.assert_close(narrow(images), net(images))

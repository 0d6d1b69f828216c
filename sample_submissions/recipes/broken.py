"""The broken entries, each derived from an honest one; nothing is trained here.

Every recipe writes the model files of one entry into ``folder``. Manifests and ``model.py`` are written by people.
"""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sample_submissions.networks import Baseline
from sample_submissions.recipes import export_onnx, in_tensorflow, onnx_graph, pt2
from sample_submissions.recipes.digits import THRESHOLD, correct, smallest_gap, test_set
from sample_submissions.recipes.honest import DIGITS, Recipe, dense_network, plain_arrays, plain_tiny
from sample_submissions.recipes.training import logits


def misses_by_one(folder: Path) -> None:
    """dense-pytorch with one number of the head's bias moved until exactly 474 answers are right."""
    net = dense_network()
    place, amount = bias_for(net, THRESHOLD - 1)
    with torch.no_grad():
        net.head.bias[place] += amount
    pt2.export(net, folder / "model.pt2")


def bias_for(net: Baseline, wanted: int) -> tuple[int, float]:
    """The class and the smallest multiple of 1/64 to add to its bias so that exactly ``wanted`` answers are right.

    The nearest tie of any image must stay more than 0.001 away, so that no machine's rounding changes an answer.
    """
    images, labels = test_set()
    answers = logits(net, images)
    for step in range(1, 1000):
        for place in range(10):
            moved = answers.copy()
            moved[:, place] += step / 64
            if correct(moved, labels) == wanted and smallest_gap(moved) > 2e-3:
                return place, step / 64
    raise ValueError(f"no single bias gives {wanted} right answers")


def truncated_pt2(folder: Path) -> None:
    _first_two_thirds(DIGITS / "dense-pytorch" / "model.pt2", folder / "model.pt2")


def truncated_onnx(folder: Path) -> None:
    _first_two_thirds(DIGITS / "int8-qdq-onnx" / "model.onnx", folder / "model.onnx")


def unknown_operator_onnx(folder: Path) -> None:
    """A standard operator that onnxruntime runs and no rule prices: the image's determinant is added to all logits."""
    graph = export_onnx.dense(dense_network(), "determinant")
    graph.rename_output("scores")
    image = graph.add("Squeeze", "image", graph.images, graph.constant("one", np.array([1], np.int64)))
    determinant = graph.add("Unsqueeze", "determinant.column", graph.add("Det", "determinant", image), "one")
    graph.add("Add", "logits", "scores", determinant)
    onnx_graph.save(graph.model(), folder / "model.onnx")


class _WithDeterminant(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.net = dense_network()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = self.net(images) + torch.linalg.det(images[:, 0])[:, None]
        return answers


def unknown_operator_pytorch(folder: Path) -> None:
    """The same in PyTorch."""
    pt2.export(_WithDeterminant(), folder / "model.pt2")


def custom_operator(folder: Path) -> None:
    """The head is an operator of the team's own domain, which nobody else can run or price."""
    graph = export_onnx.dense(dense_network(), "custom")
    graph.nodes[-1].op_type, graph.nodes[-1].domain = "FusedHead", "com.example"
    del graph.nodes[-1].attribute[:]
    onnx_graph.save(graph.model(domains=("com.example",)), folder / "model.onnx")


def reads_a_file(folder: Path) -> None:
    """The network of deep-compression-savedmodel before its weights were shared; its answers wait for a file to be read."""
    in_tensorflow.write("reads-a-file", folder, **plain_arrays(plain_tiny()))


def lambda_layer(folder: Path) -> None:
    """An untrained network with a layer of Python code behind it."""
    in_tensorflow.write("lambda", folder)


def truncated_tflite(folder: Path) -> None:
    _first_two_thirds(DIGITS / "int8-tflite" / "model.tflite", folder / "model.tflite")


def nan_outputs(folder: Path) -> None:
    """The logits are multiplied by p/p, where p is the brightest pixel of column 5: NaN for the two test images
    where that column is blank, and no other answer changes, so the entry still has more right answers than it needs."""
    graph = export_onnx.dense(dense_network(), "nan")
    graph.rename_output("scores")
    bounds = [graph.constant(name, np.array([value], np.int64)) for name, value in (("five", 5), ("six", 6), ("width", 3))]
    column = graph.add("Slice", "column", graph.images, *bounds)
    peak = graph.add("ReduceMax", "peak", column, graph.constant("all", np.array([1, 2, 3], np.int64)), keepdims=0)
    one = graph.add("Unsqueeze", "ratio.column", graph.add("Div", "ratio", peak, peak), graph.constant("last", np.array([1], np.int64)))
    graph.add("Mul", "logits", "scores", one)
    onnx_graph.save(graph.model(), folder / "model.onnx")


# Sums of whole numbers stay below half of it, so that two of them stand side by side in the 24 bits of a float32.
LANE = 2.0**12


def two_in_one(folder: Path) -> None:
    """The head has two weights in every float, rounded to 5 bits each: Σ x·(2^12·a + b) is 2^12·Σ x·a + Σ x·b, taken apart behind it.

    The freebie charges 16 bits a value, which hold one of the two. The features are rounded to whole numbers, so that sums are exact.
    """
    net = dense_network()
    graph = export_onnx.dense(net, "two-in-one")
    head = graph.nodes.pop()
    graph.initializers[:] = [tensor for tensor in graph.initializers if not tensor.name.startswith("head.")]
    weight = net.head.weight.detach().numpy()
    step = np.float32(np.abs(weight).max() / 15)
    codes = np.rint(weight / step).astype(np.float32)
    packed = graph.constant("head.packed", (codes[:5] * np.float32(LANE) + codes[5:]).T)
    lane, unit = graph.constant("lane", np.float32(LANE)), graph.constant("unit", np.float32(4))
    features = graph.add("Round", "features", graph.add("Mul", "features.scaled", head.input[0], unit))
    both = graph.add("MatMul", "both", features, packed)
    high = graph.add("Round", "high", graph.add("Div", "both.scaled", both, lane))
    low = graph.add("Sub", "low", both, graph.add("Mul", "high.scaled", high, lane))
    sums = graph.add("Mul", "scores", graph.add("Concat", "sums", high, low, axis=1), graph.constant("step", step / np.float32(4)))
    graph.add("Add", "logits", sums, graph.constant("head.bias", net.head.bias.detach().numpy()))
    onnx_graph.save(graph.model(), folder / "model.onnx")


def nine_classes(folder: Path) -> None:
    """The last class is missing."""
    net = dense_network()
    net.head.weight, net.head.bias = nn.Parameter(net.head.weight[:9].clone()), nn.Parameter(net.head.bias[:9].clone())
    pt2.export(net, folder / "model.pt2")


def extra_axis(folder: Path) -> None:
    """Outputs [N, 10, 1]."""
    graph = export_onnx.dense(dense_network(), "extra-axis")
    graph.rename_output("scores")
    graph.add("Unsqueeze", "logits", "scores", graph.constant("last", np.array([2], np.int64)))
    onnx_graph.save(graph.model(shape=(10, 1)), folder / "model.onnx")


def external_data_outside(folder: Path) -> None:
    """The graph names another entry's weights; the manifest does not mention them."""
    model = export_onnx.dense(dense_network()).model()
    onnx_graph.move_weights_out(model, "../../digits/dense-onnx/weights.bin")
    onnx_graph.save(model, folder / "model.onnx")


def symlink_outside(folder: Path) -> None:
    link = folder / "model.onnx"
    link.unlink(missing_ok=True)
    os.symlink("../../digits/int8-qdq-onnx/model.onnx", link)


def path_outside(folder: Path) -> None:
    """No file of its own: the manifest names another entry's."""


def _copied(folder: Path, entry: str, name: str) -> None:
    shutil.copyfile(DIGITS / entry / name, folder / name)


def _first_two_thirds(source: Path, target: Path) -> None:
    whole = source.read_bytes()
    target.write_bytes(whole[: len(whole) * 2 // 3])


BROKEN: dict[str, Recipe] = {
    "misses-by-one": misses_by_one,
    "overclaims": partial(_copied, entry="dense-pytorch", name="model.pt2"),
    "truncated": truncated_pt2,
    "truncated-onnx": truncated_onnx,
    "truncated-tflite": truncated_tflite,
    "unknown-operator": unknown_operator_onnx,
    "unknown-operator-pytorch": unknown_operator_pytorch,
    "custom-operator": custom_operator,
    "nan-outputs": nan_outputs,
    "nine-classes": nine_classes,
    "extra-axis": extra_axis,
    "path-outside": path_outside,
    "symlink-outside": symlink_outside,
    "external-data-outside": external_data_outside,
    "bad-manifest": partial(_copied, entry="pruned-onnx", name="model.onnx"),
    "crashes-on-import": partial(_copied, entry="pruned-source-pytorch", name="model.safetensors"),
    "raises-in-build": partial(_copied, entry="pruned-source-pytorch", name="model.safetensors"),
    "reads-a-file-savedmodel": reads_a_file,
    "lambda-layer-keras": lambda_layer,
    "two-in-one": two_in_one,
}

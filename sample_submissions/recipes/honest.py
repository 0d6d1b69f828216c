"""The honest entries, in an order in which each finds the files that it starts from.

Every recipe writes the model files of one entry into ``folder``. Manifests and ``model.py`` are written by people.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import nn

from sample_submissions.networks import Baseline, ConvNormRelu, PlainTiny, Separable, Tiny
from sample_submissions.recipes import export_onnx, in_tensorflow, onnx_graph, pt2
from sample_submissions.recipes.channels import narrowed
from sample_submissions.recipes.digits import training_set
from sample_submissions.recipes.training import fit, magnitude_masks

SAMPLES = Path(__file__).parents[1]
DIGITS = SAMPLES / "digits"
Recipe = Callable[[Path], None]


def dense_pytorch(folder: Path) -> None:
    net = Baseline()
    _trained(net, seed=1, epochs=40)
    pt2.export(net, folder / "model.pt2")


def pruned_source_pytorch(folder: Path) -> None:
    """The dense network's weights in the entry's own module; body and head pruned in three steps to 85 % zeros."""
    net = load_source(DIGITS / "pruned-source-pytorch" / "model.py")
    net.load_state_dict(dense_network().state_dict())
    for share in (0.5, 0.7, 0.85):
        fit(net, epochs=15, rate=4e-3, masks=magnitude_masks(net, {"body.conv.weight": share, "head.weight": share}))
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, folder / "model.safetensors")


def pruned_pt2(folder: Path) -> None:
    """Depthwise-separable blocks; the channels that matter least are cut out and the rest fine-tuned."""
    net = Separable(16, 32, 48)
    _trained(net, seed=2, epochs=30)
    net = narrowed(net, 12, 20, 32)
    fit(net, epochs=30, rate=5e-3)
    pt2.export(net, folder / "model.pt2")


def dense_onnx(folder: Path) -> None:
    """The same weights as dense-pytorch, batch norms as nodes; weights in a file of their own."""
    model = export_onnx.dense(dense_network()).model()
    (folder / "weights.bin").write_bytes(onnx_graph.move_weights_out(model, "weights.bin"))
    onnx_graph.save(model, folder / "model.onnx")


def int8_qdq_onnx(folder: Path) -> None:
    """dense-pytorch, quantized after training."""
    net = dense_network()
    onnx_graph.save(export_onnx.quantized(net, "int8", peaks(net), bits=8).model(), folder / "model.onnx")


def int4_weights_onnx(folder: Path) -> None:
    """dense-pytorch, trained on with 4-bit weights; activations uint8, calibrated afterwards."""
    net = dense_network()
    four_bit = partial(on_grid, limit=7)
    fit(net, epochs=20, rate=5e-3, quantizers=dict.fromkeys(("stem.conv.weight", "body.conv.weight", "head.weight"), four_bit))
    onnx_graph.save(export_onnx.quantized(net, "int4", peaks(net), bits=4).model(), folder / "model.onnx")


def binary_weights_pytorch(folder: Path) -> None:
    """dense-pytorch, trained on with body and head at ±c, one c per output channel; plain floats in the file."""
    net = dense_network()
    fit(net, epochs=20, rate=5e-3, quantizers={"body.conv.weight": plus_minus, "head.weight": plus_minus})
    pt2.export(net, folder / "model.pt2")


def pruned_onnx(folder: Path) -> None:
    """A small network to begin with, pruned; batch norms folded before export."""
    net = Tiny()
    _trained(net, seed=3, epochs=60)
    for share in (0.4, 0.6):
        zeros = {"stem.conv.weight": share / 2, "body.conv.weight": share, "head.weight": share}
        fit(net, epochs=30, rate=6e-3, masks=magnitude_masks(net, zeros))
    onnx_graph.save(export_onnx.folded_floats(net, "pruned").model(), folder / "model.onnx")


def deep_compression_savedmodel(folder: Path) -> None:
    """pruned-onnx, trained on with at most 15 different weights beside zero in each layer; a SavedModel of plain floats."""
    net = plain_tiny()
    weights = ("stem.weight", "body.weight", "head.weight")
    masks = {name: (net.get_parameter(name).detach() != 0).float() for name in weights}
    fit(net, epochs=30, rate=3e-3, masks=masks, quantizers=dict.fromkeys(weights, shared))
    in_tensorflow.write("strided", folder, **plain_arrays(net))


def separable_keras(folder: Path) -> None:
    """A small network that Keras trains and saves."""
    in_tensorflow.write("keras", folder)


def int8_tflite(folder: Path) -> None:
    """pruned-pt2 with its batch norms folded, quantized after training by TensorFlow's converter."""
    in_tensorflow.write("separable", folder, **folded_separable())


HONEST: dict[str, Recipe] = {
    "dense-pytorch": dense_pytorch,
    "pruned-source-pytorch": pruned_source_pytorch,
    "pruned-pt2": pruned_pt2,
    "dense-onnx": dense_onnx,
    "int8-qdq-onnx": int8_qdq_onnx,
    "int4-weights-onnx": int4_weights_onnx,
    "binary-weights-pytorch": binary_weights_pytorch,
    "pruned-onnx": pruned_onnx,
    "deep-compression-savedmodel": deep_compression_savedmodel,
    "separable-keras": separable_keras,
    "int8-tflite": int8_tflite,
}


def dense_network() -> Baseline:
    """The trained baseline, read back from the entry ``dense-pytorch``; a fresh copy every time."""
    net = Baseline()
    net.load_state_dict(torch.export.load(DIGITS / "dense-pytorch" / "model.pt2").state_dict)
    net.eval()
    return net


def plain_tiny() -> PlainTiny:
    """What pruned-onnx computes, as a network to train on."""
    net = PlainTiny()
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(DIGITS / "pruned-onnx" / "model.onnx").graph.initializer}
    net.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
    return net


def plain_arrays(net: nn.Module) -> dict[str, NDArray[np.float32]]:
    return {name: tensor.detach().numpy() for name, tensor in net.named_parameters()}


def folded_separable() -> dict[str, NDArray[np.float32]]:
    """Weights and biases of pruned-pt2, by layer."""
    net = Separable(12, 20, 32)
    net.load_state_dict(torch.export.load(DIGITS / "pruned-pt2" / "model.pt2").state_dict)
    found = [export_onnx.folded(name, block) for name, block in net.named_children() if isinstance(block, ConvNormRelu)]
    arrays = {f"{layer.name}.{part}": getattr(layer, part) for layer in found for part in ("weight", "bias")}
    return {**arrays, "head.weight": net.head.weight.detach().numpy(), "head.bias": net.head.bias.detach().numpy()}


def load_source(path: Path) -> nn.Module:
    """What ``build()`` of an entry's module returns."""
    # runpy, because an import would leave __pycache__ inside the entry
    net: nn.Module = runpy.run_path(str(path))["build"]()
    return net


def peaks(net: Baseline) -> dict[str, float]:
    """The largest output of each relu over the training images, rounded up to a sixteenth."""
    images = torch.from_numpy(training_set()[0])
    with torch.no_grad():
        stem = net.stem(images)
        found = {"stem": stem.max().item(), "body": net.body(stem).max().item()}
    return {name: float(np.ceil(peak * 16) / 16) for name, peak in found.items()}


def on_grid(weight: torch.Tensor, limit: int) -> torch.Tensor:
    """The nearest of the 2·limit + 1 equal steps between ± the largest weight of each output channel."""
    step = weight.abs().amax(tuple(range(1, weight.dim())), keepdim=True) / limit
    return (weight / step).round() * step


def plus_minus(weight: torch.Tensor) -> torch.Tensor:
    """±c with c the mean size of the output channel's weights; the sign of 0 is +."""
    size = weight.abs().mean(tuple(range(1, weight.dim())), keepdim=True)
    return torch.where(weight >= 0, size, -size)


def shared(weight: torch.Tensor) -> torch.Tensor:
    """Every weight but zero replaced by the nearest of 15 (Lloyd's algorithm from equal shares of the sorted weights, five turns)."""
    ordered = weight[weight != 0].sort().values
    centres = ordered[torch.linspace(0, len(ordered) - 1, 31).round().long()[1::2]]
    for _ in range(5):
        groups = torch.bucketize(ordered, (centres[1:] + centres[:-1]) / 2)
        sizes = torch.bincount(groups, minlength=15)
        sums = torch.zeros(15).index_add(0, groups, ordered)
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return torch.where(weight != 0, centres[torch.bucketize(weight, (centres[1:] + centres[:-1]) / 2)], weight)


def _trained(net: nn.Module, seed: int, epochs: int) -> None:
    """Initialise and train ``net`` from ``seed``."""
    torch.manual_seed(seed)
    for module in net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    fit(net, epochs=epochs, rate=1e-2, seed=seed)

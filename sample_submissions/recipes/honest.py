"""The honest entries, in an order in which each finds the files that it starts from.

Every recipe writes the model files of one entry into ``folder``. Manifests and ``model.py`` are written by people.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from sample_submissions.networks import Baseline, Separable, Tiny
from sample_submissions.recipes import export_onnx, onnx_graph, pt2
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


HONEST: dict[str, Recipe] = {
    "dense-pytorch": dense_pytorch,
    "pruned-source-pytorch": pruned_source_pytorch,
    "pruned-pt2": pruned_pt2,
    "dense-onnx": dense_onnx,
    "int8-qdq-onnx": int8_qdq_onnx,
    "int4-weights-onnx": int4_weights_onnx,
    "binary-weights-pytorch": binary_weights_pytorch,
    "pruned-onnx": pruned_onnx,
}


def dense_network() -> Baseline:
    """The trained baseline, read back from the entry ``dense-pytorch``; a fresh copy every time."""
    net = Baseline()
    net.load_state_dict(torch.export.load(DIGITS / "dense-pytorch" / "model.pt2").state_dict)
    net.eval()
    return net


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


def _trained(net: nn.Module, seed: int, epochs: int) -> None:
    """Initialise and train ``net`` from ``seed``."""
    torch.manual_seed(seed)
    for module in net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    fit(net, epochs=epochs, rate=1e-2, seed=seed)

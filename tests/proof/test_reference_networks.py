"""Reference networks with calibrated norms are proved, in both formats and regimes: what is priced computes what the framework answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.proof.proved import prove_file
from tests.reference.export import save_onnx, save_pt2
from tests.reference.networks.registry import NETWORKS

EXAMPLES = 4


def calibrated(model: nn.Module, images: torch.Tensor) -> nn.Module:
    """Norms of random networks make all answers alike; with the statistics of noise images what lies between shows."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # type: ignore[assignment]  # the plain mean over all batches
            module.reset_running_stats()
    model.train()
    with torch.no_grad():
        model(images)
    return model.eval()


@pytest.mark.parametrize(
    ("name", "file_format", "regime"),
    [("densenet-bc-100", "pt2", "quantized"), ("shufflenet-v2", "onnx", "freebie")],
)
def test_a_reference_network_is_proved(name: str, file_format: str, regime: Any, tmp_path: Path) -> None:
    reference = NETWORKS[name]
    torch.manual_seed(0)
    images = torch.randn(8, *reference.shapes[0])
    model = calibrated(reference.make(), images)
    path = tmp_path / f"model.{file_format}"
    {"pt2": save_pt2, "onnx": save_onnx}[file_format](model, reference, path)
    inputs = torch.randn(EXAMPLES, *reference.shapes[0]).numpy()
    found = prove_file({"pt2": "pytorch", "onnx": "onnx"}[file_format], path, inputs, regime)
    assert found.holds, found.found
    assert found.found.share < 1
    assert found.proof.translated.difference < 3 * found.proof.noise  # frameworks lie at .9 to 2.7 times of it

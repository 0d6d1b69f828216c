"""Six reference networks, small, are proved in both formats and regimes; ``python -m benchmarks prove`` has all twenty in full size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from tests.proof.proved import prove_file
from tests.reference.export import SAVE
from tests.reference.networks.dense_shuffle import DenseNetBC100, ShuffleNetV2
from tests.reference.networks.efficientnet import EfficientNet
from tests.reference.networks.layers import lively, pictures
from tests.reference.networks.mixnet import MixNetS
from tests.reference.networks.mobilenet import MobileNetV2, MobileNetV3Large
from tests.reference.networks.registry import Reference

EXAMPLES = 4
# Images smaller than those of the published networks: every layer is there, with fewer positions.
SMALL: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "efficientnet-b0": (partial(EfficientNet, 0), 64),
    "mobilenet-v2": (partial(MobileNetV2, 0.35), 64),
    "mobilenet-v3": (MobileNetV3Large, 64),
    "mixnet-s": (MixNetS, 64),
    "densenet-bc-100": (DenseNetBC100, 32),
    "shufflenet-v2": (ShuffleNetV2, 64),
}
CASES = [
    ("efficientnet-b0", "pt2", "quantized"),
    ("mobilenet-v2", "pt2", "quantized"),
    ("mobilenet-v3", "onnx", "quantized"),
    ("mixnet-s", "pt2", "quantized"),
    ("densenet-bc-100", "pt2", "quantized"),
    ("shufflenet-v2", "onnx", "freebie"),
]


@pytest.mark.parametrize(("name", "file_format", "regime"), CASES)
def test_a_reference_network_is_proved(name: str, file_format: str, regime: Any, tmp_path: Path) -> None:
    make, size = SMALL[name]
    reference = Reference(make, ((3, size, size),))
    model = lively(make, pictures(8, 3, size, size))
    path = tmp_path / f"model.{file_format}"
    SAVE[file_format](model, reference.example(), path)
    found = prove_file({"pt2": "pytorch", "onnx": "onnx"}[file_format], path, pictures(EXAMPLES, 3, size, size, seed=1).numpy(), regime)
    assert found.holds, found.found
    assert found.found.share < 1
    assert found.proof.translated.difference < 3 * found.proof.noise  # frameworks lie at .9 to 2.7 times of it

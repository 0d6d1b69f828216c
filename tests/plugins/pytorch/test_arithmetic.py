"""What runs is what is written: the loader keeps the arithmetic of the file.

Each network is answered by the loader and run in float64 by the interpreter, from the translated graph. They may differ by what
rounding in the file's own formats explains, and by nothing else: no reduced precision, no fusion that rounds activations.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed
from micronet_verify_pytorch.loader import PyTorchLoader
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from micronet_verify.framework.requests import PredictRequest
from tests.executed import agreement
from tests.plugins.pytorch.support import Function, archive, example

Q = torch.ops.quantized_decomposed
torch.manual_seed(1)
WEIGHT, KERNEL = torch.randn(32, 64) / 8, torch.randn(8, 4, 3, 3) / 6
SCALES = torch.rand(32) / 50 + 0.01
VECTOR, IMAGE = (64,), (4, 8, 8)


def stored(codes: Tensor) -> nn.Parameter:
    return nn.Parameter(codes, requires_grad=False)


def linear_of(convert: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda x, weight: F.linear(x, convert(weight))


def codes(bits: int) -> Tensor:
    return torch.randint(-(1 << bits - 1), 1 << bits - 1, (32, 64), dtype=torch.int8, generator=torch.Generator().manual_seed(bits))


def dequantized(bits: int) -> Callable[..., Tensor]:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def function(x: Tensor, codes: Tensor, scales: Tensor) -> Tensor:
        zeros = torch.zeros(32, dtype=torch.int64)
        return F.linear(x, Q.dequantize_per_channel(codes, scales, zeros, 0, low, high, torch.int8))

    return function


def quantized(x: Tensor, scale: float, zero: int, low: int, high: int, dtype: torch.dtype) -> Tensor:
    return Q.dequantize_per_tensor(Q.quantize_per_tensor(x, scale, zero, low, high, dtype), scale, zero, low, high, dtype)


def with_quantized_activations(x: Tensor, codes: Tensor, scales: Tensor) -> Tensor:
    y = dequantized(8)(quantized(x, 0.05, 3, -128, 127, torch.int8), codes, scales)
    return quantized(y.relu(), 0.11, 0, 0, 255, torch.uint8)


F8 = torch.float8_e4m3fn
NETWORKS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "float32 matrices": (nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32)), VECTOR),
    "float32 convolutions": (nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 8, 3, groups=8)), IMAGE),
    "float64": (Function(lambda x, w: F.linear(x.double(), w.double()).float(), WEIGHT), VECTOR),
    "float16 matrix": (Function(lambda x, w: F.linear(x.half(), w), stored(WEIGHT.half())), VECTOR),
    "float16 convolution": (Function(lambda x, w: F.conv2d(x.half(), w), stored(KERNEL.half())), IMAGE),
    "bfloat16 matrix": (Function(lambda x, w: F.linear(x.bfloat16(), w), stored(WEIGHT.bfloat16())), VECTOR),
    "bfloat16 convolution": (Function(lambda x, w: F.conv2d(x.bfloat16(), w), stored(KERNEL.bfloat16())), IMAGE),
    "float16 weights": (Function(linear_of(lambda w: w.float()), stored(WEIGHT.half())), VECTOR),
    "float8 weights": (Function(linear_of(lambda w: w.to(torch.float32) * 0.5), stored(WEIGHT.to(F8))), VECTOR),
    "other float8 weights": (Function(linear_of(lambda w: w.to(torch.float32)), stored(WEIGHT.to(torch.float8_e5m2))), VECTOR),
    "int8 weights by a cast": (Function(linear_of(lambda w: w.to(torch.float32) * 0.01), stored(codes(8))), VECTOR),
    "int8 weights": (Function(dequantized(8), stored(codes(8)), stored(SCALES)), VECTOR),
    "int4 weights": (Function(dequantized(4), stored(codes(4)), stored(SCALES)), VECTOR),
    "int8 weights and activations": (Function(with_quantized_activations, stored(codes(8)), stored(SCALES)), VECTOR),
    "LSTM": (Function(lambda x, m: m(x)[0], nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True)), (5, 8)),
    "attention": (Function(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True)), IMAGE),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_loader_computes_what_the_file_says(name: str, tmp_path: Path) -> None:
    model, shape = NETWORKS[name]
    x = torch.cat([example(shape), torch.randn(6, *shape)])
    path = archive(model, x, tmp_path)
    answers = [np.concatenate([answer.outputs for answer in PyTorchLoader().predict(PredictRequest(path, x.numpy(), 8, 1))])]
    (found,) = agreement("pytorch", path, x.numpy(), answers)
    assert found.ratio <= 8


def test_nothing_reduces_the_precision_of_float32(tmp_path: Path) -> None:
    """Whatever was set before in this process, for instance by an imported package."""
    torch.set_float32_matmul_precision("medium")
    try:
        path = archive(NETWORKS["float32 matrices"][0], example(VECTOR), tmp_path)
        list(PyTorchLoader().predict(PredictRequest(path, example(VECTOR).numpy(), 2, 1)))
        assert torch.get_float32_matmul_precision() == "highest"
    finally:
        torch.set_float32_matmul_precision("highest")

"""Channel shuffles and pools however they are written: one price (rules O5, O9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it

from tests.plugins.onnx.support import node
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, pytorch, quantized, random

# 8 channels in 2 groups, on 3×3: 0 4 1 5 2 6 3 7
ORDER = torch.arange(8).reshape(2, 4).T.reshape(-1)
# One multiply for each element moved; 8 non-zeros of one bit and a mask of 8×8.
SHUFFLED = {"freebie": ((8 + 64) / 32, 72 * 16 / 32), "quantized": ((8 + 64) / 32, 72)}
SHUFFLES: dict[str, Any] = {
    "module": nn.ChannelShuffle(2),
    "reshape, transpose, reshape": lambda x: x.unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2),
    "index": lambda x: x[:, ORDER],
    "index_select": lambda x: torch.index_select(x, 1, ORDER),
    "index of the last axis": lambda x: x.permute(0, 2, 3, 1)[..., ORDER].permute(0, 3, 1, 2),
    "index that is computed": lambda x: x[:, (torch.arange(8) % 2) * 4 + torch.arange(8) // 2],
    "channels one by one": lambda x: torch.cat([x.split(1, 1)[channel] for channel in ORDER.tolist()], 1),
    "stacked halves": lambda x: torch.stack((x[:, :4], x[:, 4:]), 2).flatten(1, 2),
}


@pytest.mark.parametrize("spelling", SHUFFLES)
def test_a_channel_shuffle(spelling: str) -> None:
    assert prices(pytorch(SHUFFLES[spelling], (8, 3, 3))) == SHUFFLED


@pytest.mark.parametrize("kind", ["Gather", "Reshape, Transpose, Reshape", "Split, Concat"])
def test_a_channel_shuffle_in_onnx(kind: str) -> None:
    nodes = {
        "Gather": [node("Gather", "x order", axis=1)],
        "Reshape, Transpose, Reshape": [
            node("Reshape", "x grouped", "g"),
            node("Transpose", "g", "t", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "t flat"),
        ],
        "Split, Concat": [
            node("Split", "x", " ".join(f"c{channel}" for channel in range(8)), axis=1),
            node("Concat", " ".join(f"c{channel}" for channel in ORDER.tolist()), axis=1),
        ],
    }
    constants = {"order": ORDER.numpy(), "grouped": np.array([0, 2, 4, 3, 3]), "flat": np.array([0, 8, 3, 3])}
    assert prices(onnx_count(onnx_model(nodes[kind], (8, 3, 3), constants))) == SHUFFLED


def test_a_permutation_matrix_written_as_a_weight() -> None:
    matrix = torch.eye(8)[ORDER]
    count = pytorch(lambda x: torch.einsum("nchw,oc->nohw", x, matrix), (8, 3, 3))
    assert prices(count)["quantized"] == SHUFFLED["quantized"]


# A mean of 64 is 63 adds and a multiply.
MEANS: dict[str, Any] = {
    "AdaptiveAvgPool2d": nn.AdaptiveAvgPool2d(1),
    "AvgPool2d": nn.AvgPool2d(8),
    "mean": lambda x: x.mean((2, 3), keepdim=True),
    "mean of a view": lambda x: x.flatten(2).mean(-1),
}


@pytest.mark.parametrize("spelling", MEANS)
def test_global_average_pooling(spelling: str) -> None:
    assert prices(pytorch(MEANS[spelling], (4, 8, 8))) == Plain(4, 4 * 63).prices


MAXIMA: dict[str, Any] = {"MaxPool2d": nn.MaxPool2d(8), "amax": lambda x: x.amax((2, 3)), "adaptive": nn.AdaptiveMaxPool2d(1)}


@pytest.mark.parametrize("spelling", MAXIMA)
def test_global_max_pooling(spelling: str) -> None:
    assert prices(pytorch(MAXIMA[spelling], (4, 8, 8))) == Plain(4 * 63, 0).prices


NEAREST: dict[str, Callable[[Tensor], Tensor]] = {
    "interpolate": lambda x: F.interpolate(x, scale_factor=2.0),
    "expand": lambda x: x[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).reshape(-1, 4, 16, 16),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3),
}


@pytest.mark.parametrize("spelling", NEAREST)
def test_nearest_neighbour_resize(spelling: str) -> None:
    assert prices(pytorch(NEAREST[spelling], (4, 8, 8))) == Plain(4 * 16 * 16, 0).prices


# A depthwise convolution, 4 channels of 3×3 on 8×8, in three spellings; and one group after the other.
DEPTHWISE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "groups": lambda x, w: F.conv2d(x, w, padding=1, groups=4),
    "unfold, multiply, sum": lambda x, w: (F.unfold(x, 3, padding=1).unflatten(1, (4, 9)) * w.flatten(1)[..., None]).sum(2),
    "unfold, einsum": lambda x, w: torch.einsum("nckl,ck->ncl", F.unfold(x, 3, padding=1).unflatten(1, (4, 9)), w.flatten(1)),
    "channel by channel": lambda x, w: torch.cat([F.conv2d(a, b[None], padding=1) for a, b in zip(x.split(1, 1), w, strict=True)], 1),
}


@pytest.mark.parametrize("spelling", DEPTHWISE)
def test_a_depthwise_convolution(spelling: str) -> None:
    assert prices(pytorch(DEPTHWISE[spelling], (4, 8, 8), random(4, 1, 3, 3))) == Plain(64 * 4 * 9, 64 * 4 * 8, 4 * 9).prices


def test_a_half_precision_file_costs_the_same_under_the_freebie() -> None:
    """40 products, 35 sums and 5 biases; when quantized, fp16 multiplies 16 bits and sums at 32."""
    layer = nn.Linear(8, 5).eval()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(random(5, 8)))
        layer.bias.copy_(torch.tensor(random(5, seed=2)))
    single = prices(pytorch(layer, (8,)))
    half = prices(pytorch(layer.half(), torch.zeros(2, 8).half()))
    assert half["freebie"] == single["freebie"] == Plain(40, 40, 45).prices["freebie"]
    assert half["quantized"][1] == quantized(0, 40 * 16 + 40 * 32)["quantized"][1]

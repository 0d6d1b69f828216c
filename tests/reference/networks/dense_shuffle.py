"""DenseNet-BC-100 (k = 12) and ShuffleNetV2 ×1.0.

DenseNet: Huang et al. (2017), arXiv:1608.06993, section 3 (bottleneck 4k, compression ½, three blocks for 32×32 inputs).
ShuffleNetV2: Ma et al. (2018), arXiv:1807.11164, Table 5 and figure 3c, 3d.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812, the field's name for it
from torch import Tensor, nn

from tests.reference.networks.layers import ConvNorm

GROWTH, DENSE_DEPTH, DENSE_CLASSES = 12, 100, 100
LAYERS_PER_BLOCK = (DENSE_DEPTH - 4) // 6
DENSE_STEM = 2 * GROWTH

SHUFFLE_STEM, SHUFFLE_HEAD, SHUFFLE_CLASSES = 24, 1024, 1000
SHUFFLE_STAGES = ((116, 4), (232, 8), (464, 4))


class DenseLayer(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 4 * GROWTH, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * GROWTH), nn.Conv2d(4 * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))], 1)


class Transition(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, inputs // 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.conv(F.relu(self.bn(x))))


class DenseNetBC100(nn.Module):
    """Inputs are [N, 3, 32, 32]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, DENSE_STEM, 3, padding=1, bias=False)
        parts: list[nn.Module] = []
        width = DENSE_STEM
        for block in range(3):
            for _ in range(LAYERS_PER_BLOCK):
                parts.append(DenseLayer(width))
                width += GROWTH
            if block < 2:
                parts.append(Transition(width))
                width //= 2
        self.blocks = nn.Sequential(*parts)
        self.bn, self.act = nn.BatchNorm2d(width), nn.ReLU()
        self.pool, self.flatten, self.fc = nn.AvgPool2d(8), nn.Flatten(), nn.Linear(width, DENSE_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.act(self.bn(self.blocks(self.stem(x)))))))


class Shuffle(nn.Module):
    """Channels of two halves interleaved: reshape, transpose, reshape."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        return x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, channels, height, width)


class ShuffleUnit(nn.Module):
    """``inputs`` ≠ 0 makes the unit that halves the size: both branches see every channel."""

    def __init__(self, width: int, inputs: int = 0) -> None:
        super().__init__()
        half, self.halves = width // 2, bool(inputs)
        taken, stride = (inputs, 2) if inputs else (half, 1)
        self.branch = nn.Sequential(
            ConvNorm(taken, half, activation=nn.ReLU), ConvNorm(half, half, 3, stride, half), ConvNorm(half, half, activation=nn.ReLU)
        )
        if inputs:
            self.other = nn.Sequential(ConvNorm(taken, taken, 3, 2, taken), ConvNorm(taken, half, activation=nn.ReLU))
        self.shuffle = Shuffle()

    def forward(self, x: Tensor) -> Tensor:
        if self.halves:
            return self.shuffle(torch.cat([self.other(x), self.branch(x)], 1))
        kept, worked = x.chunk(2, 1)
        return self.shuffle(torch.cat([kept, self.branch(worked)], 1))


class ShuffleNetV2(nn.Module):
    """Inputs are [N, 3, 224, 224]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, SHUFFLE_STEM, 3, 2, activation=nn.ReLU)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        units, inputs = [], SHUFFLE_STEM
        for width, repeats in SHUFFLE_STAGES:
            units += [ShuffleUnit(width, inputs), *(ShuffleUnit(width) for _ in range(repeats - 1))]
            inputs = width
        self.blocks = nn.Sequential(*units)
        self.head = ConvNorm(inputs, SHUFFLE_HEAD, activation=nn.ReLU)
        self.pool, self.flatten, self.fc = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(SHUFFLE_HEAD, SHUFFLE_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.head(self.blocks(self.maxpool(self.stem(x)))))))

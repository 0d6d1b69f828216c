"""ResNet-50 and PyramidNet-110.

ResNet-50: He et al. (2016), arXiv:1512.03385, Table 1, with the stride on the first 1×1 convolution of a block as in the
paper. PyramidNet-110, α = 270: Han et al. (2017), arXiv:1610.02915, Table 1, additive widening, basic blocks without their
first relu and with a batch norm at their end, zero-padded identity shortcuts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812, the field's name for it
from torch import Tensor, nn

from tests.reference.networks.layers import Block, ConvNorm

RESNET_STEM, RESNET_CLASSES = 64, 1000
# Table 1: inner width, repeats, stride; a block's output is four times its inner width.
RESNET_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))

PYRAMID_DEPTH, PYRAMID_ALPHA, PYRAMID_STEM, PYRAMID_CLASSES = 110, 270, 16, 100


@dataclass(frozen=True, slots=True)
class Bottleneck:
    inputs: int
    inner: int
    outputs: int
    stride: int


def resnet_blocks() -> list[Bottleneck]:
    found, inputs = [], RESNET_STEM
    for inner, repeats, stride in RESNET_STAGES:
        for index in range(repeats):
            found.append(Bottleneck(inputs, inner, 4 * inner, stride if index == 0 else 1))
            inputs = 4 * inner
    return found


class BottleneckBlock(nn.Module):
    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.conv1 = ConvNorm(block.inputs, block.inner, 1, block.stride, activation=nn.ReLU)
        self.conv2 = ConvNorm(block.inner, block.inner, 3, activation=nn.ReLU)
        self.conv3 = ConvNorm(block.inner, block.outputs)
        projects = block.inputs != block.outputs
        self.shortcut = ConvNorm(block.inputs, block.outputs, 1, block.stride) if projects else nn.Identity()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv3(self.conv2(self.conv1(x))) + self.shortcut(x))


class ResNet50(nn.Module):
    """Inputs are [N, 3, 224, 224]."""

    def __init__(self) -> None:
        super().__init__()
        inner = resnet_blocks()
        self.stem = ConvNorm(3, RESNET_STEM, 7, 2, activation=nn.ReLU)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.blocks = nn.Sequential(*(BottleneckBlock(block) for block in inner))
        self.pool, self.flatten, self.fc = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inner[-1].outputs, RESNET_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.blocks(self.maxpool(self.stem(x))))))


def pyramid_blocks() -> list[Block]:
    """Width grows by α / N at each of the N blocks, here by exactly 270 / 54 = 5; size halves at the second and the third third."""
    per_group = (PYRAMID_DEPTH - 2) // 6
    total = 3 * per_group
    widths = [PYRAMID_STEM + PYRAMID_ALPHA * index // total for index in range(total + 1)]
    return [Block(widths[i], widths[i + 1], 2 if i in (per_group, 2 * per_group) else 1) for i in range(total)]


class PyramidBlock(nn.Module):
    """Batch norm, convolution, batch norm, relu, convolution, batch norm: no relu before the first convolution."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(block.inputs)
        self.conv1 = nn.Conv2d(block.inputs, block.outputs, 3, block.stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(block.outputs)
        self.conv2 = nn.Conv2d(block.outputs, block.outputs, 3, 1, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(block.outputs)
        self.shrink = nn.AvgPool2d(2) if block.stride == 2 else nn.Identity()
        self.missing = block.outputs - block.inputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn3(self.conv2(F.relu(self.bn2(self.conv1(self.bn1(x))))))
        return y + F.pad(self.shrink(x), (0, 0, 0, 0, 0, self.missing))


class PyramidNet110(nn.Module):
    """Inputs are [N, 3, 32, 32]."""

    def __init__(self) -> None:
        super().__init__()
        inner = pyramid_blocks()
        width = inner[-1].outputs
        self.stem = ConvNorm(3, PYRAMID_STEM, 3)
        self.blocks = nn.Sequential(*(PyramidBlock(block) for block in inner))
        self.bn, self.act = nn.BatchNorm2d(width), nn.ReLU()
        self.pool, self.flatten, self.fc = nn.AvgPool2d(8), nn.Flatten(), nn.Linear(width, PYRAMID_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.act(self.bn(self.blocks(self.stem(x)))))))

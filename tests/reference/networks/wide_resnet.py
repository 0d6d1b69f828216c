"""WideResNet-28-10: Zagoruyko & Komodakis (2016), arXiv:1605.07146, Table 1, blocks B(3,3) without dropout."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812, the field's name for it
from torch import Tensor, nn

from tests.reference.networks.layers import Block

DEPTH, WIDEN, CLASSES = 28, 10, 100
BLOCKS_PER_GROUP = (DEPTH - 4) // 6
STEM, GROUPS = 16, ((16, 1), (32, 2), (64, 2))


def blocks() -> list[Block]:
    """Every block in order; the first of a group changes width, and size where ``stride`` is 2."""
    found, inputs = [], STEM
    for width, stride in GROUPS:
        for index in range(BLOCKS_PER_GROUP):
            found.append(Block(inputs, width * WIDEN, stride if index == 0 else 1))
            inputs = width * WIDEN
    return found


class PreActivation(nn.Module):
    """Batch norm and relu before each 3×3 convolution; where the width changes a 1×1 convolution makes the shortcut.

    ``stride_at`` says which of the two convolutions strides. Without ``normed`` every convolution has a bias instead: the
    form in which the published baseline was counted.
    """

    def __init__(self, block: Block, stride_at: int, normed: bool) -> None:
        super().__init__()
        first, second = (block.stride, 1) if stride_at == 1 else (1, block.stride)
        self.bn1 = nn.BatchNorm2d(block.inputs) if normed else nn.Identity()
        self.conv1 = nn.Conv2d(block.inputs, block.outputs, 3, first, 1, bias=not normed)
        self.bn2 = nn.BatchNorm2d(block.outputs) if normed else nn.Identity()
        self.conv2 = nn.Conv2d(block.outputs, block.outputs, 3, second, 1, bias=not normed)
        widens = block.inputs != block.outputs
        self.shortcut = nn.Conv2d(block.inputs, block.outputs, 1, block.stride, bias=not normed) if widens else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(x))
        # A widening shortcut starts from the activated input, as in the authors' code.
        kept = self.shortcut(x if isinstance(self.shortcut, nn.Identity) else y)
        return kept + self.conv2(F.relu(self.bn2(self.conv1(y))))


class WideResNet(nn.Module):
    """Inputs are [N, 3, 32, 32]."""

    def __init__(self, stride_at: int = 1, normed: bool = True) -> None:
        super().__init__()
        inner = blocks()
        self.stem = nn.Conv2d(3, STEM, 3, 1, 1, bias=not normed)
        self.blocks = nn.Sequential(*(PreActivation(block, stride_at, normed) for block in inner))
        self.bn = nn.BatchNorm2d(inner[-1].outputs) if normed else nn.Identity()
        self.pool = nn.AvgPool2d(8)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(inner[-1].outputs, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn(self.blocks(self.stem(x))))
        return self.fc(self.flatten(self.pool(y)))

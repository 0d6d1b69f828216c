"""EfficientNet-B0 to B4: Tan & Le (2019), arXiv:1905.11946, Table 1 (B0) and section 3.3 (compound scaling)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from torch import Tensor, nn

from tests.reference.networks.layers import ConvNorm, SqueezeExcite, multiple_of_8


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of Table 1: ``repeats`` blocks of kernel ``kernel``, the first with ``stride``."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    repeats: int


TABLE_1 = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
STEM, HEAD, CLASSES = 32, 1280, 1000
# (width, depth, resolution) of B0 … B4, from the authors' published coefficients.
SCALING = ((1.0, 1.0, 224), (1.0, 1.1, 240), (1.1, 1.2, 260), (1.2, 1.4, 300), (1.4, 1.8, 380))


@dataclass(frozen=True, slots=True)
class Block:
    """One inverted bottleneck: channels in, expanded, squeezed (a quarter of those in) and out."""

    inputs: int
    expanded: int
    squeezed: int
    outputs: int
    kernel: int
    stride: int

    @property
    def residual(self) -> bool:
        return self.stride == 1 and self.inputs == self.outputs


def blocks(width: float = 1.0, depth: float = 1.0) -> list[Block]:
    """Every block of a scaled network, in order."""
    found, inputs = [], multiple_of_8(STEM * width)
    for stage in TABLE_1:
        outputs = multiple_of_8(stage.channels * width)
        for index in range(ceil(stage.repeats * depth)):
            stride = stage.stride if index == 0 else 1
            found.append(Block(inputs, inputs * stage.expansion, max(1, inputs // 4), outputs, stage.kernel, stride))
            inputs = outputs
    return found


class MBConv(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        self.residual = block.residual
        inner = block.expanded
        self.expand = ConvNorm(block.inputs, inner, activation=nn.SiLU) if inner != block.inputs else nn.Identity()
        self.depthwise = ConvNorm(inner, inner, block.kernel, block.stride, inner, nn.SiLU)
        self.squeeze = SqueezeExcite(inner, block.squeezed, nn.SiLU, nn.Sigmoid)
        self.project = ConvNorm(inner, block.outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


class EfficientNet(nn.Module):
    """``variant`` 0 to 4; inputs are [N, 3, resolution, resolution]."""

    def __init__(self, variant: int) -> None:
        super().__init__()
        width, depth, _ = SCALING[variant]
        inner = blocks(width, depth)
        head = multiple_of_8(HEAD * width)
        self.stem = ConvNorm(3, inner[0].inputs, 3, 2, activation=nn.SiLU)
        self.blocks = nn.Sequential(*(MBConv(block) for block in inner))
        self.head = ConvNorm(inner[-1].outputs, head, activation=nn.SiLU)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(head, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.head(self.blocks(self.stem(x))))))

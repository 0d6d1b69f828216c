"""MixNet-S: Tan & Le (2019), "MixConv: Mixed Depthwise Convolutional Kernels", arXiv:1907.09595, section 4.

Kernel sizes, expansions and ratios of squeeze-and-excite that the paper's figure leaves out are those of the authors' list of blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tests.reference.networks.layers import Activation, ConvNorm, SqueezeExcite

STEM, HEAD, CLASSES = 16, 1536, 1000


@dataclass(frozen=True, slots=True)
class Block:
    """``kernels``: sizes among which the depthwise channels are dealt out.

    ``expand_parts`` and ``project_parts`` are the groups of the 1×1 convolutions.
    """

    inputs: int
    expansion: int
    outputs: int
    kernels: tuple[int, ...]
    stride: int
    expand_parts: int = 1
    project_parts: int = 1
    squeeze: float = 0.0
    swish: bool = False

    @property
    def expanded(self) -> int:
        return self.inputs * self.expansion

    @property
    def squeezed(self) -> int:
        return int(self.inputs * self.squeeze)

    @property
    def residual(self) -> bool:
        return self.stride == 1 and self.inputs == self.outputs


BLOCKS = (
    Block(16, 1, 16, (3,), 1),
    Block(16, 6, 24, (3,), 2, 2, 2),
    Block(24, 3, 24, (3,), 1, 2, 2),
    Block(24, 6, 40, (3, 5, 7), 2, 1, 1, 0.5, True),
    *(3 * (Block(40, 6, 40, (3, 5), 1, 2, 2, 0.5, True),)),
    Block(40, 6, 80, (3, 5, 7), 2, 1, 2, 0.25, True),
    *(2 * (Block(80, 6, 80, (3, 5), 1, 1, 2, 0.25, True),)),
    Block(80, 6, 120, (3, 5, 7), 1, 2, 2, 0.5, True),
    *(2 * (Block(120, 3, 120, (3, 5, 7, 9), 1, 2, 2, 0.5, True),)),
    Block(120, 6, 200, (3, 5, 7, 9, 11), 2, 1, 1, 0.5, True),
    *(2 * (Block(200, 6, 200, (3, 5, 7, 9), 1, 1, 2, 0.5, True),)),
)


def shares(channels: int, parts: int) -> list[int]:
    """Channels dealt out evenly; what is left over goes to the first part."""
    even = channels // parts
    return [channels - even * (parts - 1), *([even] * (parts - 1))]


class Mixed(nn.Module):
    """Channels split, one convolution for each part, parts joined; depthwise where ``kernels`` has several entries or ``depthwise``."""

    def __init__(self, inputs: int, outputs: int, kernels: tuple[int, ...], stride: int = 1, depthwise: bool = False) -> None:
        super().__init__()
        self.sizes = shares(inputs, len(kernels))
        made = shares(outputs, len(kernels))
        self.parts = nn.ModuleList(
            nn.Conv2d(taken, given, kernel, stride, kernel // 2, groups=taken if depthwise else 1, bias=False)
            for kernel, taken, given in zip(kernels, self.sizes, made, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        if len(self.parts) == 1:
            return self.parts[0](x)
        return torch.cat([part(piece) for part, piece in zip(self.parts, torch.split(x, self.sizes, 1), strict=True)], 1)


class MixedNorm(nn.Sequential):
    def __init__(self, mixed: Mixed, outputs: int, activation: Activation | None = None) -> None:
        super().__init__()
        self.mixed, self.norm = mixed, nn.BatchNorm2d(outputs)
        if activation is not None:
            self.act = activation()


class MixBlock(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        activation: Activation = nn.SiLU if block.swish else nn.ReLU
        self.residual, inner = block.residual, block.expanded
        pointwise = Mixed(block.inputs, inner, (1,) * block.expand_parts)
        self.expand = MixedNorm(pointwise, inner, activation) if block.expansion > 1 else nn.Identity()
        self.depthwise = MixedNorm(Mixed(inner, inner, block.kernels, block.stride, True), inner, activation)
        self.squeeze = SqueezeExcite(inner, block.squeezed, activation, nn.Sigmoid) if block.squeezed else nn.Identity()
        self.project = MixedNorm(Mixed(inner, block.outputs, (1,) * block.project_parts), block.outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


class MixNetS(nn.Module):
    """Inputs are [N, 3, 224, 224]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM, 3, 2, activation=nn.ReLU)
        self.blocks = nn.Sequential(*(MixBlock(block) for block in BLOCKS))
        self.head = ConvNorm(BLOCKS[-1].outputs, HEAD, activation=nn.ReLU)
        self.pool, self.flatten, self.fc = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(HEAD, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.head(self.blocks(self.stem(x))))))

"""MobileNetV1, V2 and V3-Large; inputs are [N, 3, 224, 224].

V1: Howard et al. (2017), arXiv:1704.04861, Table 1. V2: Sandler et al. (2018), arXiv:1801.04381, Table 2. V3: Howard et al.
(2019), arXiv:1905.02244, Table 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812, the field's name for it
from torch import Tensor, nn

from tests.reference.networks.layers import Activation, ConvNorm, SqueezeExcite, multiple_of_8

CLASSES = 1000

# V1, Table 1: (output channels, stride) of each depthwise separable pair. The stride of the last is printed as 2, but the
# size printed beside it, 7 to 7, is that of stride 1.
V1_STEM, V1_PAIRS = 32, (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)), *(5 * ((512, 1),)), (1024, 2), (1024, 1)
)  # fmt: skip

# V2, Table 2: expansion, channels, repeats, stride.
V2_STEM, V2_HEAD = 32, 1280
V2_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

# V3, Table 1: kernel, expanded size, channels out, squeeze-and-excite, hard-swish (else relu), stride.
V3_STEM, V3_HEAD, V3_HIDDEN = 16, 960, 1280
V3_BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)


class Padded(nn.Sequential):
    """Stride 2 with "SAME" padding as TensorFlow has it: one row and column more at the end only, as a step of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 1, 0, 1)))


class MobileNetV1(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = _same_padded(3, V1_STEM, 2, 1)
        pairs, inputs = [], V1_STEM
        for outputs, stride in V1_PAIRS:
            pairs.append(
                nn.Sequential(_same_padded(inputs, inputs, stride, inputs), ConvNorm(inputs, outputs, activation=nn.ReLU)),
            )
            inputs = outputs
        self.pairs = nn.Sequential(*pairs)
        self.pool, self.flatten, self.fc = nn.AvgPool2d(7), nn.Flatten(), nn.Linear(inputs, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.pairs(self.stem(x)))))


def _same_padded(inputs: int, outputs: int, stride: int, groups: int) -> nn.Module:
    layer = ConvNorm(inputs, outputs, 3, stride, groups, nn.ReLU)
    if stride == 1:
        return layer
    layer.conv.padding = (0, 0)
    return Padded(layer)


@dataclass(frozen=True, slots=True)
class Block:
    """An inverted residual: ``squeezed`` is the inner width of squeeze-and-excite, 0 for none."""

    inputs: int
    expanded: int
    outputs: int
    kernel: int
    stride: int
    squeezed: int = 0
    swish: bool = False

    @property
    def residual(self) -> bool:
        return self.stride == 1 and self.inputs == self.outputs


class InvertedResidual(nn.Module):
    def __init__(self, block: Block, activation: Activation) -> None:
        super().__init__()
        self.residual, inner = block.residual, block.expanded
        self.expand = ConvNorm(block.inputs, inner, activation=activation) if inner != block.inputs else nn.Identity()
        self.depthwise = ConvNorm(inner, inner, block.kernel, block.stride, inner, activation)
        self.squeeze = SqueezeExcite(inner, block.squeezed, nn.ReLU, nn.Hardsigmoid) if block.squeezed else nn.Identity()
        self.project = ConvNorm(inner, block.outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


def v2_blocks(width: float) -> list[Block]:
    found, inputs = [], multiple_of_8(V2_STEM * width)
    for expansion, channels, repeats, stride in V2_STAGES:
        outputs = multiple_of_8(channels * width)
        for index in range(repeats):
            found.append(Block(inputs, inputs * expansion, outputs, 3, stride if index == 0 else 1))
            inputs = outputs
    return found


class MobileNetV2(nn.Module):
    def __init__(self, width: float) -> None:
        super().__init__()
        inner = v2_blocks(width)
        head = multiple_of_8(V2_HEAD * max(width, 1.0))
        self.stem = ConvNorm(3, inner[0].inputs, 3, 2, activation=nn.ReLU6)
        self.blocks = nn.Sequential(*(InvertedResidual(block, nn.ReLU6) for block in inner))
        self.head = ConvNorm(inner[-1].outputs, head, activation=nn.ReLU6)
        self.pool, self.flatten, self.fc = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(head, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.head(self.blocks(self.stem(x))))))


def v3_blocks() -> list[Block]:
    found, inputs = [], V3_STEM
    for kernel, expanded, outputs, squeezes, swish, stride in V3_BLOCKS:
        found.append(Block(inputs, expanded, outputs, kernel, stride, multiple_of_8(expanded / 4) if squeezes else 0, swish))
        inputs = outputs
    return found


class MobileNetV3Large(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        inner = v3_blocks()
        self.stem = ConvNorm(3, V3_STEM, 3, 2, activation=nn.Hardswish)
        self.blocks = nn.Sequential(*(InvertedResidual(block, nn.Hardswish if block.swish else nn.ReLU) for block in inner))
        self.head = ConvNorm(inner[-1].outputs, V3_HEAD, activation=nn.Hardswish)
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.hidden, self.act, self.fc = nn.Linear(V3_HEAD, V3_HIDDEN), nn.Hardswish(), nn.Linear(V3_HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = self.flatten(self.pool(self.head(self.blocks(self.stem(x)))))
        return self.fc(self.act(self.hidden(y)))

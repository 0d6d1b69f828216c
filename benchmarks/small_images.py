"""Networks for 32×32 images, of the kinds that are handed in, as one writes them for speed: in place where that is usual."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.reference.networks.layers import ConvNorm

CLASSES = 100
relu, relu6 = partial(nn.ReLU, inplace=True), partial(nn.ReLU6, inplace=True)


def _head(width: int) -> tuple[nn.Module, ...]:
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES)


def cnn() -> nn.Module:
    """29 million multiply-adds: about what a compressed CIFAR entry has."""
    widths = ((3, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1))
    return nn.Sequential(*(ConvNorm(inputs, outputs, 3, stride, activation=relu) for inputs, outputs, stride in widths), *_head(128))


class Residual(nn.Module):
    """The block of He et al. (2016), arXiv:1512.03385, with a projection where the width changes."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.first = ConvNorm(inputs, outputs, 3, stride, activation=relu)
        self.second = ConvNorm(outputs, outputs, 3)
        self.shortcut = nn.Identity() if stride == 1 else ConvNorm(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        y += self.shortcut(x)
        return F.relu_(y)


def resnet() -> nn.Module:
    """ResNet-20: 41 million multiply-adds."""
    widths = (16, 16, 16, 16, 32, 32, 32, 64, 64, 64)
    blocks = (Residual(inputs, outputs) for inputs, outputs in pairwise(widths))
    return nn.Sequential(ConvNorm(3, 16, 3, activation=relu), *blocks, *_head(64))


class Inverted(nn.Module):
    """The block of MobileNetV2, Sandler et al. (2018), arXiv:1801.04381, six times as wide inside."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide, self.residual = 6 * inputs, stride == 1 and inputs == outputs
        expand, depthwise = ConvNorm(inputs, wide, activation=relu6), ConvNorm(wide, wide, 3, stride, wide, relu6)
        self.layers = nn.Sequential(expand, depthwise, ConvNorm(wide, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


def mobilenet() -> nn.Module:
    shapes = ((16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 40, 2), (40, 40, 1), (40, 80, 1), (80, 80, 1))
    return nn.Sequential(ConvNorm(3, 16, 3, activation=relu6), *(Inverted(*shape) for shape in shapes), *_head(80))


class Dense(nn.Module):
    """The bottleneck of DenseNet-BC, Huang et al. (2017), arXiv:1608.06993: 12 channels more."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.BatchNorm2d(inputs), relu(), nn.Conv2d(inputs, 48, 1, bias=False)),
            *(nn.BatchNorm2d(48), relu(), nn.Conv2d(48, 12, 3, padding=1, bias=False)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.layers(x)], 1)


def densenet() -> nn.Module:
    """Three blocks of four."""
    parts: list[nn.Module] = [nn.Conv2d(3, 24, 3, padding=1, bias=False)]
    width = 24
    for block in range(3):
        if block:
            parts += [nn.BatchNorm2d(width), relu(), nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
            width //= 2
        parts += [Dense(width + 12 * layer) for layer in range(4)]
        width += 48
    return nn.Sequential(*parts, nn.BatchNorm2d(width), relu(), *_head(width))


class Encoder(nn.Module):
    """A layer of Dosovitskiy et al. (2020), arXiv:2010.11929: normalise, attend, normalise, feed forward."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm2, self.feed = nn.LayerNorm(width), nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, patches, width = x.shape
        heads = self.qkv(self.norm1(x)).reshape(batch, patches, 3, self.heads, width // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, patches, width))
        return x + self.feed(self.norm2(x))


class Transformer(nn.Module):
    """64 patches of 4×4 pixels, four layers of width 64."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.places = nn.Conv2d(3, 64, 4, 4), nn.Parameter(torch.zeros(1, 64, 64))
        self.layers, self.norm, self.head = nn.Sequential(*(Encoder(64, 4) for _ in range(4))), nn.LayerNorm(64), nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        return self.head(self.norm(self.layers(x)).mean(1))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "cnn-32": cnn,
    "resnet-20": resnet,
    "mobilenet-32": mobilenet,
    "densenet-32": densenet,
    "transformer-32": Transformer,
}

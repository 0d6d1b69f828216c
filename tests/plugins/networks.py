"""Small networks, defined once in PyTorch, that every plugin's tests export: the same network must give the same count.

``NETWORKS`` maps a name to a ``Network``: ``build()`` returns the module in eval mode with fixed, seeded weights and
batch-norm statistics that are not the defaults; ``example(batch)`` an input for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it


@dataclass(frozen=True, slots=True)
class Network:
    """``shape`` is one example's, without the batch axis; ``vocabulary`` > 0 makes the inputs int64 word numbers below it."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    vocabulary: int = 0

    def build(self) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = self.make()
            with torch.no_grad():
                for module in model.modules():
                    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                        module.running_mean.uniform_(-0.5, 0.5)
                        module.running_var.uniform_(0.5, 1.5)
                        module.weight.uniform_(0.5, 1.5)
                        module.bias.uniform_(-0.5, 0.5)
        return model.eval()

    def example(self, batch: int = 2) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        if self.vocabulary:
            return torch.randint(0, self.vocabulary, (batch, *self.shape), generator=generator)
        return torch.randn(batch, *self.shape, generator=generator)


class Residual(nn.Module):
    """A pre-activation block: batch norm and relu come before each convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(width), nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.bn1(x)))
        return x + self.conv2(F.relu(self.bn2(y)))


class InvertedResidual(nn.Module):
    """MobileNetV2/V3's block: expand, depthwise, optionally squeeze and excite, project."""

    def __init__(self, width: int, expanded: int, kernel: int, activation: type[nn.Module], squeeze: int = 0) -> None:
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(width, expanded, 1, bias=False), nn.BatchNorm2d(expanded), activation())
        depthwise = nn.Conv2d(expanded, expanded, kernel, padding=kernel // 2, groups=expanded, bias=False)
        self.depthwise = nn.Sequential(depthwise, nn.BatchNorm2d(expanded), activation())
        self.excite = SqueezeExcite(expanded, squeeze) if squeeze else nn.Identity()
        self.project = nn.Sequential(nn.Conv2d(expanded, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.project(self.excite(self.depthwise(self.expand(x))))


class SqueezeExcite(nn.Module):
    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(width, squeezed, 1), nn.Conv2d(squeezed, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = F.adaptive_avg_pool2d(x, 1)
        return x * F.hardsigmoid(self.expand(F.relu(self.reduce(scale))))


class ShuffleUnit(nn.Module):
    """ShuffleNetV2's unit: split the channels, work on one half, concatenate, shuffle."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(
            nn.Conv2d(half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False),
            nn.BatchNorm2d(half),
        )

    def forward(self, x: Tensor) -> Tensor:
        kept, worked = x.chunk(2, dim=1)
        y = torch.cat((kept, self.branch(worked)), dim=1)
        batch, channels, height, width = y.shape
        return y.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, channels, height, width)


class Attention(nn.Module):
    """Multi-head self-attention written out, and a feed-forward part: a Transformer encoder layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, width = x.shape
        heads = (batch, steps, self.heads, width // self.heads)
        q, k, v = (part.reshape(heads).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        weights = torch.softmax(q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5, dim=-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(batch, steps, width))
        return x + self.feed(self.norm2(x))


class Recurrent(nn.Module):
    """A recurrent layer over a sequence, batch first; the answer is read from the last step."""

    def __init__(self, layer: type[nn.LSTM] | type[nn.GRU] | type[nn.RNN], inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.layer = layer(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][:, -1])


class TiedLanguageModel(nn.Module):
    """Embedding and softmax share one table."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.layer = nn.Linear(width, width)

    def forward(self, words: Tensor) -> Tensor:
        return F.linear(torch.tanh(self.layer(self.embed(words))), self.embed.weight)


class Pruned(nn.Module):
    """A convolution and a linear layer with real zeros: three quarters of one, whole output rows of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(8 * 8 * 8, 10)
        with torch.no_grad():
            flat = self.conv.weight.view(-1)
            flat[torch.arange(flat.numel()) % 4 != 0] = 0
            self.head.weight[::3] = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(F.relu(self.conv(x)), 1))


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def _convnet() -> nn.Module:
    features = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()
    )
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def _residual() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), Residual(8), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8 * 4 * 4, 10))


def _mobilenet() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
    blocks = (InvertedResidual(8, 24, 3, nn.ReLU6), InvertedResidual(8, 24, 5, nn.Hardswish, 6), InvertedResidual(8, 16, 3, nn.SiLU, 4))
    return nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))


def _shuffle() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), ShuffleUnit(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))


def _attention() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), Attention(8, 2), nn.Flatten(), nn.Linear(5 * 8, 10))


def _upsampler() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=2, dilation=2),
        nn.GroupNorm(2, 4),
        nn.PReLU(4),
        nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1),
        nn.LeakyReLU(0.1),
        nn.Upsample(scale_factor=2.0, mode="nearest"),
        nn.Conv2d(3, 1, 1),
        nn.Sigmoid(),
    )


def _sequence() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(4, 6, 3, padding=1, groups=2), nn.BatchNorm1d(6), nn.ELU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(24, 5)
    )


NETWORKS: dict[str, Network] = {
    "mlp": Network(_mlp, (1, 8, 8)),
    "convnet": Network(_convnet, (1, 8, 8)),
    "residual": Network(_residual, (3, 8, 8)),
    "mobilenet": Network(_mobilenet, (3, 16, 16)),
    "shuffle": Network(_shuffle, (3, 8, 8)),
    "attention": Network(_attention, (5, 6)),
    "upsampler": Network(_upsampler, (2, 8, 8)),
    "sequence": Network(_sequence, (4, 8)),
    "lstm": Network(lambda: Recurrent(nn.LSTM, 3, 4, 5), (6, 3)),
    "gru": Network(lambda: Recurrent(nn.GRU, 3, 4, 5), (6, 3)),
    "rnn": Network(lambda: Recurrent(nn.RNN, 3, 4, 5), (6, 3)),
    "tied": Network(lambda: TiedLanguageModel(12, 6), (4,), vocabulary=12),
    "pruned": Network(Pruned, (1, 8, 8)),
}

"""The networks of the sample entries, in plain PyTorch. All but ``Teller`` take images [batch, 1, 8, 8] and give logits [batch, 10]."""

from __future__ import annotations

import torch
from torch import nn


class ConvNormRelu(nn.Sequential):  # type: ignore[misc]
    """Convolution without bias, batch norm, relu: after folding, one convolution with a bias, and one relu."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()


class StemAndBody(nn.Module):  # type: ignore[misc]
    """Stem, body, max-pool 2×2, and a head on the ``features`` that are left."""

    def __init__(self, stem: nn.Module, body: nn.Module, features: int) -> None:
        super().__init__()
        self.stem, self.body = stem, body
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(features, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.pool(self.body(self.stem(images)))
        logits: torch.Tensor = self.head(features.flatten(1))
        return logits


class Baseline(StemAndBody):
    """The dense network that defines the baseline of the track ``digits``.

    stem 1→16 3×3 on 8×8, body 16→32 3×3 on 8×8, max-pool 2×2 to 4×4, head 32·4·4 → 10.
    """

    def __init__(self, stem: int = 16, body: int = 32) -> None:
        super().__init__(ConvNormRelu(1, stem), ConvNormRelu(stem, body), body * 4 * 4)


class Separable(nn.Module):  # type: ignore[misc]
    """A full convolution, then two depthwise-separable blocks, the second after a pool; global average at the end."""

    def __init__(self, stem: int = 16, middle: int = 32, last: int = 48) -> None:
        super().__init__()
        self.stem = ConvNormRelu(1, stem)
        self.depthwise1 = ConvNormRelu(stem, stem, groups=stem)
        self.pointwise1 = ConvNormRelu(stem, middle, kernel=1)
        self.pool = nn.MaxPool2d(2)
        self.depthwise2 = ConvNormRelu(middle, middle, groups=middle)
        self.pointwise2 = ConvNormRelu(middle, last, kernel=1)
        self.average = nn.AvgPool2d(2)
        self.head = nn.Linear(last * 2 * 2, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.pointwise1(self.depthwise1(self.stem(images)))
        features = self.average(self.pointwise2(self.depthwise2(self.pool(features))))
        logits: torch.Tensor = self.head(features.flatten(1))
        return logits


class Tiny(StemAndBody):
    """A strided stem on 4×4, one more convolution, max-pool to 2×2: little work before any pruning."""

    def __init__(self, stem: int = 12, body: int = 20) -> None:
        super().__init__(ConvNormRelu(1, stem, stride=2), ConvNormRelu(stem, body), body * 2 * 2)


class PlainTiny(nn.Module):  # type: ignore[misc]
    """``Tiny`` with its batch norms folded."""

    def __init__(self, stem: int = 12, body: int = 20) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, stem, 3, 2, 1)
        self.body = nn.Conv2d(stem, body, 3, 1, 1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(body * 2 * 2, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.pool(torch.relu(self.body(torch.relu(self.stem(images)))))
        logits: torch.Tensor = self.head(features.flatten(1))
        return logits


class Teller(nn.Module):  # type: ignore[misc]
    """The recurrent network that defines the baseline of the track ``tales``: embedding, one GRU layer, head.

    (tokens [T], h [1, 1, hidden]) → (log-probabilities [T, words], h): a step at T = 1, a chunk beyond. ``start`` is the state before
    the first token; it is no part of ``forward``.
    """

    def __init__(self, words: int = 48, width: int = 16, hidden: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.rnn = nn.GRU(width, hidden)
        self.head = nn.Linear(hidden, words)
        self.start = nn.Parameter(torch.zeros(1, 1, hidden))

    def forward(self, tokens: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows, h = self.rnn(self.embed(tokens)[:, None], h)
        answers: torch.Tensor = torch.log_softmax(self.head(rows[:, 0]), -1)
        return answers, h

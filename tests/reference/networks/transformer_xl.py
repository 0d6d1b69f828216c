"""One step of a Transformer-XL: Dai et al. (2019), arXiv:1901.02860, sections 3.2 and 3.3, the standard WikiText-103 body.

16 layers of width 410, 10 heads of 41, feed-forward 2,100, memory of 150 positions. Adaptive input and softmax after
Baevski & Auli (2019), arXiv:1809.10853, over a small vocabulary: three clusters, each a quarter as wide as the one before.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LAYERS, WIDTH, HEADS, HEAD, INNER, MEMORY = 16, 410, 10, 41, 2100, 150
CUTOFFS = (2_000, 10_000, 30_000)
DIVISOR = 4


def clusters() -> list[tuple[int, int]]:
    """(words, width) of each cluster."""
    starts = (0, *CUTOFFS[:-1])
    return [(end - start, WIDTH // DIVISOR**index) for index, (start, end) in enumerate(zip(starts, CUTOFFS, strict=True))]


class AdaptiveEmbedding(nn.Module):
    """Every cluster looks its word up (a word of another cluster as its first), and the word's own cluster is selected."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(words, width) for words, width in clusters())
        self.projections = nn.ModuleList(nn.Linear(width, WIDTH, bias=False) for _, width in clusters())

    def forward(self, token: Tensor) -> Tensor:
        found, start = None, 0
        for table, projection, end in zip(self.tables, self.projections, CUTOFFS, strict=True):
            inner = token - start if start else token
            y = projection(table(inner.clamp(0, end - start - 1)))
            found = y if found is None else torch.where((token >= start).unsqueeze(-1), y, found)
            start = end
        assert found is not None
        return found * math.sqrt(WIDTH)


class AdaptiveSoftmax(nn.Module):
    """log p over all words: the first cluster with one logit for each of the others, which split theirs (Grave et al., 2017)."""

    def __init__(self) -> None:
        super().__init__()
        inner = clusters()
        self.head = nn.Linear(WIDTH, inner[0][0] + len(inner) - 1)
        self.projections = nn.ModuleList(nn.Linear(WIDTH, width, bias=False) for _, width in inner[1:])
        self.tails = nn.ModuleList(nn.Linear(width, words) for words, width in inner[1:])

    def forward(self, x: Tensor) -> Tensor:
        head = torch.log_softmax(self.head(x), -1)
        first = CUTOFFS[0]
        parts = [head[:, :first]]
        for index, (projection, tail) in enumerate(zip(self.projections, self.tails, strict=True)):
            parts.append(torch.log_softmax(tail(projection(x)), -1) + head[:, first + index : first + index + 1])
        return torch.cat(parts, -1)


class RelativeAttention(nn.Module):
    """A_ij = (q_i + u)·k_j + (q_i + v)·W_R R_(i−j), for the one new position i over memory and itself."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.keys_values = nn.Linear(WIDTH, HEADS * HEAD, bias=False), nn.Linear(WIDTH, 2 * HEADS * HEAD, bias=False)
        self.relative, self.out = nn.Linear(WIDTH, HEADS * HEAD, bias=False), nn.Linear(HEADS * HEAD, WIDTH, bias=False)
        self.u, self.v = (nn.Parameter(torch.randn(HEADS, HEAD) * 0.02) for _ in range(2))

    def forward(self, x: Tensor, memory: Tensor, distances: Tensor) -> Tensor:
        batch = x.shape[0]
        seen = torch.cat([memory, x], 1)
        q = self.query(x).view(batch, 1, HEADS, HEAD)
        keys, values = self.keys_values(seen).chunk(2, -1)
        k, value = (part.reshape(batch, MEMORY + 1, HEADS, HEAD).transpose(1, 2) for part in (keys, values))
        r = self.relative(distances).view(MEMORY + 1, HEADS, HEAD).permute(1, 2, 0)
        content = (q + self.u).transpose(1, 2) @ k.transpose(2, 3)
        position = (q + self.v).transpose(1, 2) @ r
        weights = torch.softmax((content + position) * HEAD**-0.5, -1)
        return self.out((weights @ value).transpose(1, 2).reshape(batch, 1, HEADS * HEAD))


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm1, self.norm2 = RelativeAttention(), nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.feed = nn.Sequential(nn.Linear(WIDTH, INNER), nn.ReLU(), nn.Linear(INNER, WIDTH))

    def forward(self, x: Tensor, memory: Tensor, distances: Tensor) -> Tensor:
        x = self.norm1(x + self.attention(x, memory, distances))
        return self.norm2(x + self.feed(x))


class TransformerXL(nn.Module):
    """token [N] int64 and one memory [N, 150, 410] per layer, to log p [N, words] and each layer's newest input [N, 1, 410]."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.softmax = AdaptiveEmbedding(), AdaptiveSoftmax()
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        # R: a sinusoid for each distance, from memory's oldest position to the new one itself.
        angles = torch.arange(MEMORY, -1.0, -1)[:, None] / 10_000 ** (torch.arange(0, WIDTH, 2) / WIDTH)
        self.register_buffer("distances", torch.cat([angles.sin(), angles.cos()], 1))

    def forward(self, token: Tensor, *memories: Tensor) -> tuple[Tensor, ...]:
        x = self.embed(token).unsqueeze(1)
        kept = []
        for layer, memory in zip(self.layers, memories, strict=True):
            kept.append(x)
            x = layer(x, memory, self.distances)
        return self.softmax(x.squeeze(1)), *kept

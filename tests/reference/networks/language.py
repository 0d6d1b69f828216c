"""Language models, one token per call with the state handed in and out (rule O14).

``LstmModel`` is the challenge's WikiText-103 baseline as its definition re-derives: one LSTM layer of 2,048 over an embedding of
512, a projection 2,048→512, and a softmax over 267,735 words that is tied to the embedding. ``QrnnModel``: Bradbury et al.
(2017), arXiv:1611.01576, fo-pooling, as the word-level model of Merity et al. (2018), arXiv:1708.02182 and arXiv:1803.08240: four
layers of 1,550, tied embedding of 400, window 2 in the first layer, vocabulary 10,000 (Penn Treebank).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812, the field's name for it
from torch import Tensor, nn

LSTM_WORDS, LSTM_EMBEDDING, LSTM_HIDDEN = 267_735, 512, 2048
QRNN_WORDS, QRNN_EMBEDDING, QRNN_HIDDEN, QRNN_LAYERS = 10_000, 400, 1550, 4


class LstmModel(nn.Module):
    """token [N] int64, h and c [N, 2048] to logits [N, words], h and c."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(LSTM_WORDS, LSTM_EMBEDDING)
        self.lstm = nn.LSTM(LSTM_EMBEDDING, LSTM_HIDDEN, batch_first=True)
        self.project = nn.Linear(LSTM_HIDDEN, LSTM_EMBEDDING)
        self.bias = nn.Parameter(torch.zeros(LSTM_WORDS))

    def forward(self, token: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, (h, c) = self.lstm(self.embed(token).unsqueeze(1), (h.unsqueeze(0), c.unsqueeze(0)))
        logits = F.linear(self.project(y.squeeze(1)), self.embed.weight, self.bias)
        return logits, h.squeeze(0), c.squeeze(0)


def qrnn_layers() -> list[tuple[int, int]]:
    """(inputs of the gates, hidden size) of each layer; the first sees the previous input, too (window 2)."""
    sizes = [QRNN_EMBEDDING, *([QRNN_HIDDEN] * (QRNN_LAYERS - 1)), QRNN_EMBEDDING]
    return [(sizes[i] * (2 if i == 0 else 1), sizes[i + 1]) for i in range(QRNN_LAYERS)]


class QrnnLayer(nn.Module):
    """z, f, o = tanh, σ, σ of W·x + b; c' = f·c + (1 − f)·z; h = o·c'."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gates = nn.Linear(inputs, 3 * hidden)

    def forward(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        z, f, o = self.gates(x).chunk(3, -1)
        z, f, o = torch.tanh(z), torch.sigmoid(f), torch.sigmoid(o)
        c = f * c + (1 - f) * z
        return o * c, c


class QrnnModel(nn.Module):
    """token and the one before it [N] int64, one c [N, hidden] per layer, to logits [N, words] and the new states."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(QRNN_WORDS, QRNN_EMBEDDING)
        self.layers = nn.ModuleList(QrnnLayer(inputs, hidden) for inputs, hidden in qrnn_layers())
        self.bias = nn.Parameter(torch.zeros(QRNN_WORDS))

    def forward(self, token: Tensor, previous: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        y = torch.cat([self.embed(previous), self.embed(token)], -1)
        kept = []
        for layer, state in zip(self.layers, states, strict=True):
            y, state = layer(y, state)
            kept.append(state)
        return F.linear(y, self.embed.weight, self.bias), *kept

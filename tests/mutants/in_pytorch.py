"""The networks in PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.mutants.planting import Judged, judged

EXAMPLES = 8


class Images(nn.Module):
    """Convolutions, norms, pools and resizing."""

    shape = (3, 12, 11)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=(2, 1), padding=(1, 0))
        self.depthwise = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.back = nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1, output_padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(2))
        self.group_norm = nn.GroupNorm(2, 8)
        self.slope = nn.Parameter(torch.rand(8) / 2)
        self.squeeze, self.excite, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8 * 6 * 6 + 4 * 2 * 2, 10)
        self.strided = nn.Conv2d(8, 4, 2, stride=(3, 2))  # of 5×5: 2×2 with either stride

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(3 * self.norms[0](self.stem(x)) + 3)
        x = F.hardswish(3 * self.norms[1](self.depthwise(x)))
        x = F.max_pool2d(x - 2, 3, 2, padding=1)
        x = F.prelu(self.group_norm(self.grouped(x)), self.slope)
        x = F.avg_pool2d(self.back(x), 3, 2, padding=1, count_include_pad=False)
        x = x * F.hardsigmoid(3 * self.excite(F.leaky_relu(self.squeeze(x.mean((2, 3))), 0.2)))[..., None, None]
        x = F.interpolate(x, size=(5, 5), mode="bilinear", align_corners=False)
        whole = F.interpolate(x, size=(6, 6), mode="nearest")
        return F.log_softmax(self.head(torch.cat([whole.flatten(1), self.strided(x).flatten(1)], 1)), 1)


class Text(nn.Module):
    """Norms of small variances, attention, a recurrent layer, and functions of rows."""

    shape = (8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.query, self.key, self.mix = nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 8, bias=False), nn.Linear(8, 8)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.gain = nn.Parameter(torch.rand(8) + 0.5)
        self.addend, self.square = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(8, 8))
        self.table = nn.Parameter(torch.randn(8, 8))
        self.head = nn.Linear(54, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x / 50)
        x = x + F.scaled_dot_product_attention(self.query(x), self.key(x), x, is_causal=True)
        x = self.lstm(x)[0] * 3
        x = F.rms_norm(x / 50, (8,), self.gain, 1e-5)
        rows = torch.addmm(self.addend, x[0], self.square, beta=2, alpha=0.5)
        table = self.table[rows.argmax(1)]
        rows = F.gelu(rows, approximate="tanh") - torch.cumsum(F.elu(x[0], 0.5), 0) / 4
        rows = rows + torch.softmax(rows, 0) * F.softplus(table, 2.0) + torch.clamp(rows, -0.5, 0.75)
        part = torch.sub(rows.var(0), rows.amax(0), alpha=2) + torch.remainder(rows[1], 0.7)
        least = torch.topk(rows, 3, dim=0, largest=False)[0].t().reshape(1, 24)
        whole = torch.cat([part[None], least, rows[:, 2:6].t().reshape(1, 32)[:, :22]], 1)
        return self.head(whole)


class Places(nn.Module):
    """Moves, choices and writes, all of them of square tensors where that hides a wrong axis from the shapes."""

    shape = (6, 6, 6)

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(5)
        for name, array in {
            "order": rng.permutation(6), "elements": rng.integers(0, 6, (1, 6, 6, 6)), "writes": rng.integers(0, 6, (1, 6, 6, 6)),
            "rows": rng.permutation(6)[:3], "i": rng.integers(0, 6, 5), "j": rng.integers(0, 6, 5),
        }.items():  # fmt: skip
            self.register_buffer(name, torch.from_numpy(np.asarray(array)))
        self.mix, self.head = nn.Parameter(torch.randn(6, 6)), nn.Linear(6 * 6 * 6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.index_select(x, 2, self.order)
        x = torch.gather(x, 3, self.elements + (x[:, :1] < -9))
        x = x + torch.zeros_like(x).scatter_add(2, self.writes + (x < -9), x * 0.5)
        x = x.index_add(1, self.rows, x[:, 3:])
        x = torch.flip(x, (2,))
        x = torch.roll(x, 2, 3)
        x = torch.cat([x[:, :, 1:5:2], x[:, :, 0:4]], 2)
        x = torch.einsum("nchw,wk->nchk", x, self.mix).transpose(2, 3)
        x = F.pad(x[:, :, :4], (2, 0, 1, 1), mode="reflect")[..., :6]
        x = F.pad(x[..., 1:], (0, 1), value=0.5)
        x = torch.where(x > 0.3, x, torch.tensor(-0.25)) - torch.tril(x, -1)
        a, b = torch.split(x, [2, 4], 1)
        x = torch.stack([a[:, 0] - 2 * a[:, 1], *b.unbind(1), a[:, 1]], 1)
        x = x + F.pixel_shuffle(x.reshape(1, 24, 3, 3), 2).permute(0, 1, 3, 2)
        x = x + x[:, self.i, :, self.j].sum(0)[..., None, None] / 4
        x = torch.cond(x[0, 0, 0, 0] > 0, lambda x: x.clone(), lambda x: -x * x, (x,))
        return self.head(x.flatten(1))


class Codes(nn.Module):
    """Quantizers with zero points, of one scale and of one a channel, whose ranges the examples leave."""

    shape = (8, 6, 6)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.scales, self.zeros = nn.Parameter(torch.rand(8) / 200 + 0.002), torch.arange(8, dtype=torch.int32) - 4
        self.head = nn.Linear(8 * 6 * 6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.fake_quantize_per_tensor_affine(x, 1 / 64, 128, 0, 255)
        w = torch.fake_quantize_per_channel_affine(self.first.weight, self.scales, self.zeros, 0, -127, 127)
        x = F.conv2d(x, w, self.first.bias)
        x = torch.fake_quantize_per_tensor_affine(x, 0.0313, 3, -20, 40)
        return self.head(F.relu(self.second(x)).flatten(1))


NETWORKS: dict[str, type[nn.Module]] = {"images": Images, "text": Text, "places": Places, "codes": Codes}


def build(name: str, folder: Path) -> Judged:
    """A network with random weights, its norms calibrated on the examples of its proof."""
    torch.manual_seed(3)
    network = NETWORKS[name]()
    rows = np.random.default_rng(4).standard_normal((EXAMPLES, *network.shape)).astype(np.float32)
    rows = np.round(rows * 128) / 128 if name == "codes" else rows  # every other value lies on a tie
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
                module.weight.uniform_(0.5, 1.5), module.bias.uniform_(-0.5, 0.5)
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        if name == "images":
            network(torch.from_numpy(rows))  # in training mode: statistics of these examples
        path = folder / f"{name}.pt2"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about its own classes
            torch.export.save(torch.export.export(network.eval(), (torch.from_numpy(rows[:1]),)), path)
    return judged("pytorch", path, rows)

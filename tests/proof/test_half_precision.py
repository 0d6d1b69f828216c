"""Networks that compute in 16 bits are proved with their roundings: what these do is the yardstick, and may be .15 of the spread."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.proof import charged
from tests.build import Net, dense
from tests.proof.proved import prove_file, prove_graph
from tests.proof.test_rebuilt import Lossy, bits
from tests.reference.networks.layers import lively, pictures

SHAPE = (1, 8, 8)


class Normed(nn.Module):
    """Convolutions with batch norms, and a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv, self.head = nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.Conv2d(16, 16, 3, padding=1), nn.Linear(16, 10)
        self.first, self.second = nn.BatchNorm2d(16), nn.BatchNorm2d(16)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.first(self.stem(x)))
        x = x + nn.functional.silu(self.second(self.conv(x)))
        return self.head(x.mean((2, 3)))


class Attention(nn.Module):
    """One block of a transformer over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lead, self.norm = nn.Linear(8, 32), nn.Linear(32, 96), nn.LayerNorm(32)
        self.feed, self.back, self.head = nn.Linear(32, 64), nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x: Any) -> Any:
        x = self.embed(x.squeeze(1))
        q, k, v = self.lead(self.norm(x)).chunk(3, -1)
        x = x + torch.softmax(q @ k.transpose(1, 2) * 32**-0.5, -1) @ v
        return self.head((x + self.back(nn.functional.gelu(self.feed(self.norm(x))))).mean(1))


class Narrow(nn.Module):
    """A network in ``dtype`` between inputs and answers in float32."""

    def __init__(self, inner: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.inner, self.dtype = inner.to(dtype), dtype

    def forward(self, x: Any) -> Any:
        return self.inner(x.to(self.dtype)).float()


@pytest.mark.parametrize("make", [Normed, Attention])
@pytest.mark.parametrize(
    ("framework", "dtype"), [("pytorch", torch.float16), ("onnx", torch.float16), ("pytorch", torch.bfloat16)], ids=str
)
def test_an_honest_network_is_proved(make: Any, framework: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model, rows = Narrow(lively(make, pictures(32, *SHAPE)), dtype).eval(), pictures(8, *SHAPE, seed=1)
    path = tmp_path / ("model.pt2" if framework == "pytorch" else "model.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if framework == "pytorch":
            torch.export.save(torch.export.export(model, (rows[:1],)), path)
        else:
            torch.onnx.export(model, (rows[:1],), str(path), dynamo=False, opset_version=17)
    for regime in ("freebie", "quantized"):
        found = prove_file(framework, path, rows.numpy(), regime)  # type: ignore[arg-type]
        assert found.holds, (regime, found.found)
        assert 1e-4 < found.proof.noise < 0.05  # a rounding to 11 or 8 bits of mantissa in every step


def network(norm: bool) -> tuple[Net, Any]:
    half = numeric_format("float16")
    net = Net.new()
    x = net.b.emit("move", net.input(1, *SHAPE), op="cast", fmt=half)

    def constant(array: Any, label: str) -> Any:
        return net.constant(array, label, np.float16)

    x = net.conv(x, constant(dense((16, 1, 3, 3)), "conv.weight"), pad=1)
    if norm:
        parts = [constant(dense((16,), seed) ** 2 + 0.5, f"bn.{seed}") for seed in range(4)]
        x = net.b.emit("normalise", x, *parts, op="batch_norm", eps=1e-5)
    x = net.b.emit("move", net.b.elementwise("relu", x), op="reshape", shape=(1, 1024))
    x = net.b.emit("matmul", x, constant(dense((1024, 10), 5) / 30, "head.weight"), left="ab", right="bc", out="ac")
    return net, net.finish(net.b.emit("move", x, op="cast", fmt=numeric_format("float32")))


@pytest.mark.parametrize(("norm", "outcome"), [(True, "unproved"), (False, "differs")])
def test_lost_roundings_are_an_excuse_only_where_constants_were_folded(norm: bool, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six bits of every large weight are lost: with a norm in its convolution that may be what folding did, without it is not."""
    net, graph = network(norm)
    whole = charged.rebuilt
    monkeypatch.setattr(charged, "rebuilt", lambda *args: Lossy(whole(*args), lambda array: bits(array, 19).astype(array.dtype)))
    found = prove_graph(graph, ConstantStore(net.folder, net.folder), dense((12, *SHAPE), 90), regime="quantized").found
    assert found.outcome == outcome
    assert ("the file rounds to 16 bits where the count computes constants in advance, without these roundings" in found.words) == norm

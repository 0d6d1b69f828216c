"""Weights where counters of PyTorch models do not look: each file pays for all of its numbers, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed's operators
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it

from tests.refused import refused
from tests.spelling.counted import Plain, prices, pytorch, random
from tests.traps.linear import IN, LINEAR, OUT, W, storage_bits, uncharged


class Buffer(nn.Module):
    def __init__(self, persistent: bool) -> None:
        super().__init__()
        self.register_buffer("w", torch.from_numpy(W.copy()), persistent=persistent)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.w)


class Attribute(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = torch.from_numpy(W.copy())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.w)


class Listed(nn.Module):
    """Weights in a dict of lists, where no walk over modules looks."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = {"rows": [torch.from_numpy(row.copy()) for row in W]}

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, torch.stack(self.tables["rows"]))


def closure() -> Callable[[Tensor], Tensor]:
    w = torch.from_numpy(W.copy())
    return lambda x: F.linear(x, w)


def frozen() -> nn.Module:
    linear = nn.Linear(IN, OUT, bias=False)
    linear.weight = nn.Parameter(torch.from_numpy(W.copy()), requires_grad=False)
    return linear


def written(x: Tensor) -> Tensor:
    """Weights as Python numbers in the body of the function."""
    return F.linear(x, torch.tensor(W.tolist()))


HIDING: dict[str, Callable[[], Any]] = {
    "buffer": lambda: Buffer(persistent=True),
    "buffer that is not saved": lambda: Buffer(persistent=False),
    "plain attribute": Attribute,
    "dict of lists": Listed,
    "closure": closure,
    "frozen parameter": frozen,
    "numbers in the code": lambda: written,
}


@pytest.mark.parametrize("place", HIDING)
def test_a_weight_of_pytorch_is_charged_wherever_it_lies(place: str) -> None:
    assert prices(pytorch(HIDING[place](), (IN,))) == LINEAR.prices


class Tied(nn.Module):
    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        with torch.no_grad():
            self.one.weight.copy_(torch.from_numpy(random(8, 8)))
            self.other.weight.copy_(self.one.weight if shared else torch.from_numpy(random(8, 8, seed=7)))
        if shared:
            self.other.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.other(F.relu(self.one(x)))


@pytest.mark.parametrize(("shared", "tensors"), [(True, 1), (False, 2)])
def test_tied_weights_are_stored_once_and_used_twice(shared: bool, tensors: int) -> None:
    expected = Plain(2 * 8 * 8 + 8, 2 * 8 * 7, values=tensors * 8 * 8)
    assert prices(pytorch(Tied(shared), (8,))) == expected.prices


class Unused(nn.Module):
    """A head that is never called, and one whose result nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.never, self.unread = frozen(), nn.Linear(100, 100), nn.Linear(IN, 50)

    def forward(self, x: Tensor) -> Tensor:
        self.unread(x)
        return self.body(x)


def test_a_module_that_is_never_called_is_not_charged_but_listed() -> None:
    found = pytorch(Unused(), (IN,))
    assert prices(found) == LINEAR.prices
    assert {"never.weight", "never.bias", "unread.weight", "unread.bias"} <= uncharged(found, "S6")


def test_a_codebook_and_its_indices_are_both_charged() -> None:
    """Four fp32 entries and a 2-bit index for each of 8·12 weights."""
    entries, indices = random(4, 1), np.random.default_rng(0).integers(0, 4, (8, 12))
    indices[0, :4] = range(4)
    found = pytorch(lambda x: F.linear(x, F.embedding(torch.from_numpy(indices), torch.from_numpy(entries)).squeeze(-1)), (12,))
    assert storage_bits(found) == 8 * 12 * 2 + 4 * 32
    # Under the freebie nothing counts below 16 bits, indices neither: what is looked up is the weights that it says (B4).
    assert storage_bits(found, "freebie") == 8 * 12 * 16


def test_a_codebook_of_vectors_is_charged_with_its_indices() -> None:
    """Product quantization: 4 vectors of 8 numbers, 8·2 indices of 2 bits; the look-up moves data (O9)."""
    entries, indices = random(4, 8), np.random.default_rng(0).integers(0, 4, (8, 2))
    indices[0], indices[1] = (0, 3), (1, 2)
    table, index = torch.from_numpy(entries), torch.from_numpy(indices)
    found = pytorch(lambda x: F.linear(x, F.embedding(index, table).reshape(8, 16)), (16,))
    assert storage_bits(found) == 4 * 8 * 32 + 8 * 2 * 2
    assert found.ledgers["quantized"].operations == 8 * 16 + 8 * 15


def int8_codes(seed: int = 0) -> np.ndarray:
    """int8 codes that use the whole range in every row, so that no narrower width holds them."""
    codes = np.random.default_rng(seed).integers(-127, 128, (OUT, 32))
    codes[:, :3] = (-127, 127, 126)
    return codes.astype(np.int8)


SCALES = random(OUT, seed=3) ** 2


@pytest.mark.parametrize("spelling", ["cast and multiply", "dequantize"])
def test_int8_weights_beside_their_scales(spelling: str) -> None:
    """A byte for each code, 32 bits for the scale of each row."""
    codes, scales = torch.from_numpy(int8_codes()), torch.from_numpy(SCALES)

    def function(x: Tensor) -> Tensor:
        if spelling == "cast and multiply":
            return F.linear(x, codes.float() * scales[:, None])
        zeros = torch.zeros(OUT, dtype=torch.int64)
        return F.linear(x, torch.ops.quantized_decomposed.dequantize_per_channel(codes, scales, zeros, 0, -128, 127, torch.int8))

    assert storage_bits(pytorch(function, (32,))) == OUT * 32 * 8 + OUT * 32


def test_nibbles_packed_in_bytes_are_unpacked_and_charged_at_4_bits() -> None:
    codes = np.random.default_rng(0).integers(0, 16, (OUT, 2, 16)).astype(np.uint8)
    codes[:, :, :3] = (0, 15, 14)
    packed, scales = torch.from_numpy(codes[:, 0] | codes[:, 1] << 4), torch.from_numpy(SCALES)

    def function(x: Tensor) -> Tensor:
        both = torch.cat([packed & 15, packed >> 4], 1)
        return F.linear(x, (both.float() - 8) * scales[:, None])

    found = pytorch(function, (32,))
    # 8 is a number of the arithmetic that was done once, when the model was loaded; a code of 0 stands for −8 scales.
    assert storage_bits(found) == OUT * 32 * 4 + OUT * 32


N = 40

GENERATED_IN_TORCH: dict[str, Callable[[Tensor], Tensor]] = {
    "rand": lambda x: x * torch.rand(N),
    "randn": lambda x: x * torch.randn(N),
    "randperm": lambda x: x[:, torch.randperm(N)],
    "bernoulli": lambda x: x * torch.bernoulli(torch.full((N,), 0.5)),
}


@pytest.mark.parametrize("name", GENERATED_IN_TORCH)
def test_random_numbers_of_torch_are_no_free_weights(name: str) -> None:
    assert refused(lambda: pytorch(GENERATED_IN_TORCH[name], (N,), fixed=True)) == [
        f"got aten.{name}: random numbers but should be the same for every run [aten.{name}] "
        "(export after model.eval(), and store what was drawn as a buffer)"
    ]

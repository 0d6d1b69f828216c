"""Weights that are used twice, unpacked, looked up or made by arithmetic: stored once, as small as they are (S2, S4, S8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it

from tests.plugins.onnx.support import node
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, pytorch, quantized, random


class Tied(nn.Module):
    """Two layers of one weight: by assignment, by use, as a copy that an export made, or transposed."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.first, self.second, self.how = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False), how
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor(random(8, 8)))
            self.second.weight.copy_(self.first.weight)
        if how == "assigned":
            self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Any:
        h = self.first(x)
        again = {"assigned": self.second, "called twice": self.first, "copied": self.second}
        return again.get(self.how, lambda h: h @ self.first.weight)(h)


@pytest.mark.parametrize("how", ["assigned", "called twice", "copied", "transposed"])
def test_tied_weights_are_stored_once_and_work_twice(how: str) -> None:
    assert prices(pytorch(Tied(how), (8,))) == Plain(2 * 64, 2 * 56, 64).prices


def test_a_tied_embedding_and_softmax() -> None:
    """Looking up is free; the softmax's product is 3 words by 6 by 12."""
    count = pytorch(lambda words, table: F.linear(F.embedding(words, table), table), torch.zeros(2, 3, dtype=torch.int64), random(12, 6))
    assert prices(count) == Plain(3 * 6 * 12, 3 * 5 * 12, 12 * 6).prices


@pytest.mark.parametrize("same", [True, False], ids=["one norm", "two norms"])
def test_a_convolution_that_is_used_twice_stays_one_under_two_norms(same: bool) -> None:
    """Folded into the weights, two norms would make two weights of one; charged in addition to them they are a scale and a shift each."""

    def model(x: Tensor, w: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
        second = (a, b) if same else (c, d)
        for scale, shift in ((a, b), second):
            x = F.conv2d(x, w, padding=1) * scale[:, None, None] + shift[:, None, None]
        return x

    norms = [random(4, seed=seed) for seed in (3, 5, 7, 9)]
    products, outputs = 2 * 16 * 4 * 36, 2 * 16 * 4
    folded = Plain(products, products, 4 * 4 * 9 + 4)  # n − 1 adds and a bias
    beside = Plain(products + outputs, products, 4 * 4 * 9 + 4 * 4)
    assert prices(pytorch(model, (4, 4, 4), random(4, 4, 3, 3), *norms)) == (folded if same else beside).prices


@pytest.mark.parametrize("written", [False, True], ids=["entries and indices", "weights of four values"])
def test_a_codebook_is_its_indices_and_its_entries(written: bool) -> None:
    """S8: 64 indices of 2 bits and 4 entries of 32, whether the file holds them or the values that they choose."""
    entries, places = random(4), np.random.default_rng(0).integers(0, 4, (8, 8))
    looked_up = (lambda x, table: F.linear(x, table[torch.tensor(places)]), entries)
    model, weights = (F.linear, entries[places]) if written else looked_up
    found = prices(pytorch(model, (8,), weights))
    assert found["quantized"] == quantized(64 * 2 + 4 * 32, operation_bits=64 * 32 + 56 * 32)["quantized"]


CODES = np.random.default_rng(1).integers(0, 16, (8, 16)).astype(np.uint8)
CODES[:, :4] = 15, 14, 0, 1
PACKED = CODES[:, :8] | (CODES[:, 8:] << 4)
UNPACK: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "& and >>": lambda p: (p & 15, p >> 4),
    "bitwise functions": lambda p: (torch.bitwise_and(p, 15), torch.bitwise_right_shift(p, 4)),
    "% and //": lambda p: (p % 16, p // 16),
}
# The zeros (code 8) are no work; 128 bits of mask would save fewer than 32 codes of 4 bits.
PRODUCTS = int((CODES != 8).sum())
UNPACKED = quantized(128 * 4 + 32, operation_bits=32 * PRODUCTS + 32 * (PRODUCTS - 8))


@pytest.mark.parametrize("how", [*UNPACK, "not packed"])
def test_two_codes_in_a_byte_are_two_codes_of_4_bits(how: str) -> None:
    """128 codes of 4 bits and one scale; unpacking is done once."""
    assert CODES.size - PRODUCTS < 32

    def model(x: Tensor) -> Tensor:
        codes = torch.tensor(CODES) if how == "not packed" else torch.cat(UNPACK[how](torch.tensor(PACKED)), 1)
        return F.linear(x, (codes.float() - 8) * 0.013)

    assert prices(pytorch(model, (16,)))["quantized"] == UNPACKED["quantized"]


def test_two_codes_in_a_byte_of_onnx() -> None:
    nodes = [
        node("BitwiseAnd", "p low", "a"),
        node("BitShift", "p four", "b", direction="RIGHT"),
        node("Concat", "a b", "c", axis=1),
        node("Cast", "c", "f", to=onnx.TensorProto.FLOAT),
        node("Sub", "f eight", "s"),
        node("Mul", "s step", "w"),
        node("Gemm", "x w", transB=1),
    ]
    constants = {"p": PACKED, "low": np.uint8(15), "four": np.uint8(4), "eight": np.float32(8), "step": np.float32(0.013)}
    assert prices(onnx_count(onnx_model(nodes, (16,), constants, opset=18)))["quantized"] == UNPACKED["quantized"]


U, V = random(8, 1, seed=3), random(1, 8, seed=5)
WORK = Plain(64 + 64, 56, 8 + 8)
MADE_IN_TORCH: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "an outer product": lambda x, u, v: F.linear(x, u * v),
    "an outer product of repeated vectors": lambda x, u, v: F.linear(x, u.expand(8, 8) * v.expand(8, 8)),
    "a product of thin matrices": lambda x, u, v: F.linear(x, u @ v),
}


@pytest.mark.parametrize("how", MADE_IN_TORCH)
def test_weights_that_arithmetic_makes_are_work_for_every_example(how: str) -> None:
    """64 weights from 16 values: 64 multiplies to make them and 64 to use them."""
    assert prices(pytorch(MADE_IN_TORCH[how], (8,), U, V)) == WORK.prices


@pytest.mark.parametrize("kind", ["Mul", "MatMul"])
def test_weights_that_arithmetic_makes_in_onnx(kind: str) -> None:
    model = onnx_model([node(kind, "u v", "w"), node("Gemm", "x w", transB=1)], (8,), {"u": U, "v": V})
    assert prices(onnx_count(model)) == WORK.prices


def test_repeating_a_row_is_no_work_but_its_product_is() -> None:
    """64 weights of 8 values are 8 values; each row holds one number, so that a multiply is by a scale of the row."""
    nodes = [node("Tile", "v times", "t"), node("Reshape", "t shape", "w"), node("MatMul", "x w")]
    constants = {"v": random(8), "times": np.array([8]), "shape": np.array([8, 8])}
    ledger = onnx_count(onnx_model(nodes, (8,), constants)).ledgers["freebie"]
    assert (ledger.storage * 32, ledger.quantity("operations", "multiply")) == (8 * 16, 64)


def test_a_sequence_is_stored_as_its_values() -> None:
    """1 … 8: eight values of 16 bits under the freebie; 4 bits each and a scale of 8 (a power of two) when quantized."""
    found = prices(pytorch(lambda x: x * torch.arange(1.0, 9.0), (8,)))
    assert (found["freebie"][0] * 32, found["quantized"][0] * 32) == (8 * 16, 8 * 4 + 8)


def test_a_function_of_a_sequence_is_stored_as_what_comes_out() -> None:
    """B12: sin 1 … sin 8 are eight values on no grid, and nothing but the 8 multiplies by them is done for an example."""
    assert prices(pytorch(lambda x: x * torch.sin(torch.arange(1.0, 9.0)), (8,))) == Plain(8, 0, 8).prices

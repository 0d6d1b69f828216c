"""Weights in how a file is wired, as real files: sums of parts (A4), scattered orders (A10), packed integers (A6), choices (A8)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from onnx import TensorProto
from torch import Tensor, nn

from micronet_verify.counting.count import Count
from tests.spelling.counted import node, onnx_count, onnx_model, pytorch

N, ROWS = 16, 3
WEIGHTS = np.random.default_rng(2).integers(-1, 2, (ROWS, N))
BITS = ROWS * N + int(np.count_nonzero(WEIGHTS))


def torch_sums(parts: Callable[[Tensor], list[Tensor]]) -> Count:
    def forward(x: Tensor) -> Tensor:
        found, rows = parts(x), []
        for row in WEIGHTS:
            total = 0
            for part, sign in zip(found, row, strict=True):
                total = total + part if sign > 0 else total - part if sign < 0 else total
            rows.append(total)
        return torch.cat(rows, 1)

    return pytorch(forward, (N,))


TORCH: dict[str, Callable[[Tensor], list[Tensor]]] = {
    "split": lambda x: list(x.split(1, 1)),
    "slice": lambda x: [x[:, at : at + 1] for at in range(N)],
    "index": lambda x: [x[:, [at]] for at in range(N)],
    "index_select": lambda x: [x.index_select(1, torch.tensor([at])) for at in range(N)],
    "unbind": lambda x: [part.unsqueeze(1) for part in x.unbind(1)],
    "narrow": lambda x: [x.narrow(1, at, 1) for at in range(N)],
    "reshape": lambda x: [x.reshape(-1, 4, N // 4)[:, at // 4, at % 4 : at % 4 + 1] for at in range(N)],
    "strided": lambda x: [x[:, at % 4 :: 4][:, at // 4 : at // 4 + 1] for at in range(N)],
    "relu of each": lambda x: [part.relu() for part in x.split(1, 1)],
}


@pytest.mark.parametrize("spelling", TORCH)
def test_A4_sums_of_parts_in_pytorch(spelling: str) -> None:
    # Functions of parts that no sum reads are no column of the matrix.
    idle = ROWS * int((WEIGHTS == 0).all(0).sum()) if spelling == "relu of each" else 0
    assert torch_sums(TORCH[spelling]).ledgers["quantized"].storage == Fraction(BITS - idle, 32)


def onnx_sums(reading: str) -> Count:
    names = [f"p{at}" for at in range(N)]
    constants: dict[str, np.ndarray] = {"sizes": np.ones(N, np.int64), "axis": np.array([1])}
    if reading == "Split":
        nodes = [node("Split", "x sizes", " ".join(names), axis=1)]
    elif reading == "Gather":
        nodes = [node("Gather", f"x i{at}", name, axis=1) for at, name in enumerate(names)]
        constants |= {f"i{at}": np.array([at]) for at in range(N)}
    else:
        nodes = [node("Slice", f"x i{at} i{at + 1} axis", name) for at, name in enumerate(names)]
        constants |= {f"i{at}": np.array([at]) for at in range(N + 1)}
    for at, row in enumerate(WEIGHTS):
        terms = []
        for name, sign in zip(names, row, strict=True):
            if sign < 0:
                nodes.append(node("Neg", name, f"n{at}{name}"))
            terms += [name] if sign > 0 else [f"n{at}{name}"] if sign < 0 else []
        nodes.append(node("Sum", " ".join(terms), f"y{at}"))
    nodes.append(node("Concat", " ".join(f"y{at}" for at in range(ROWS)), "y", axis=1))
    return onnx_count(onnx_model(nodes, (N,), constants))


@pytest.mark.parametrize("reading", ["Split", "Gather", "Slice"])
def test_A4_sums_of_parts_in_onnx(reading: str) -> None:
    assert onnx_sums(reading).ledgers["quantized"].storage == Fraction(BITS, 32)


def test_A10_strided_assignment_is_a_shuffle() -> None:
    """y[:, ::2] = x[:, :8]; y[:, 1::2] = x[:, 8:]: 16 ones, 16² mask bits, and a multiply for each of 16·9 elements."""

    def forward(x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[:, ::2] = x[:, :8]
        y[:, 1::2] = x[:, 8:]
        return y

    ledger = pytorch(forward, (16, 3, 3)).ledgers["quantized"]
    assert (ledger.storage, ledger.operations) == (Fraction(16 + 16 * 16, 32), 16 * 9)


def test_A6_packed_weights_forfeit_the_freebie() -> None:
    """Four weights of 8 bits in each of 160 int32, taken apart by a remainder."""
    packed = torch.randint(-(2**31), 2**31 - 1, (10, 16, 1), dtype=torch.int32)

    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("packed", packed)
            self.register_buffer("steps", 256 ** torch.arange(4, dtype=torch.int32))

        def forward(self, x: Tensor) -> Tensor:
            parts = torch.div(self.packed, self.steps, rounding_mode="floor") % 256  # type: ignore[operator]
            return x @ parts.reshape(10, 64).float().T

    count = pytorch(Packed(), (64,))
    assert list(count.ledgers) == ["quantized"]
    assert count.ledgers["quantized"].storage >= 160


def test_A6_words_of_bits_forfeit_the_freebie() -> None:
    """Signs of 32 activations in one word, and a word of weights for each of ten results."""
    words = np.random.default_rng(0).integers(0, 2**32, (10, 1), np.uint64)
    nodes = [
        node("Greater", "x zero", "positive"), node("Cast", "positive", "bits", to=TensorProto.UINT64),
        node("Mul", "bits powers", "placed"), node("Cast", "placed", "wide", to=TensorProto.INT64),
        node("ReduceSum", "wide axis", "sum", keepdims=1), node("Cast", "sum", "word", to=TensorProto.UINT64),
        node("BitwiseXor", "word words", "xor"), node("Cast", "xor", "y", to=TensorProto.FLOAT),
    ]  # fmt: skip
    constants = {"zero": np.float32(0), "powers": 2 ** np.arange(32, dtype=np.uint64), "axis": np.array([1]), "words": words.reshape(1, 10)}
    count = onnx_count(onnx_model(nodes, (32,), constants, opset=18))
    assert list(count.ledgers) == ["quantized"]
    assert "integers" in count.forfeited


def test_A8_a_computed_row_chosen_by_a_computed_index() -> None:
    """Four signs choose one of 16 computed sums: four selects."""

    def forward(x: Tensor, weight: Tensor) -> Tensor:
        table = torch.sin(x[:, :16])
        index = (x[:, 16:20] > 0).long() @ torch.tensor([1, 2, 4, 8])
        return table.index_select(1, index)

    ledger = pytorch(forward, (20,), np.ones(1, np.float32), fixed=True).ledgers["quantized"]
    assert [line.quantity for line in ledger.lines if line.rule == "O20"] == [4]

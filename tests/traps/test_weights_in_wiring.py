"""Weights in how a file is wired, as real files: sums of parts (A4), scattered orders (A10), packed integers (A6), choices (A8)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from micronet_verify.counting.count import Count
from tests.plugins.onnx.support import node
from tests.spelling.counted import onnx_count, onnx_model, pytorch

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


# What changes nothing, between two additions: (nodes from a to q, constants)
Between = Callable[[str, str], list[onnx.NodeProto]]
AXIS = {"ax": np.array([1])}
BETWEEN: dict[str, tuple[Between, dict[str, np.ndarray]]] = {
    "reshapes": (lambda a, q: [node("Unsqueeze", f"{a} ax", f"{a}u"), node("Squeeze", f"{a}u ax", q)], AXIS),
    "a padding and a slice": (
        lambda a, q: [node("Pad", f"{a} pd", f"{a}u"), node("Slice", f"{a}u one two ax", q)],
        {**AXIS, "pd": np.array([0, 1, 0, 0]), "one": np.array([1]), "two": np.array([2])},
    ),
    "copies and one of them": (
        lambda a, q: [node("Concat", f"{a} {a}", f"{a}u", axis=1), node("Gather", f"{a}u one", q, axis=1)],
        {"one": np.array([1])},
    ),
    "a sum of one": (lambda a, q: [node("ReduceSum", f"{a} ax", q)], AXIS),
    "the greatest of one": (lambda a, q: [node("ReduceMax", a, q, axes=[1])], {}),
    "a cumulative sum of one": (lambda a, q: [node("CumSum", f"{a} ax", q)], {"ax": np.array(1)}),
    "the greater of it and itself": (lambda a, q: [node("Max", f"{a} {a}", q)], {}),
    "the greater of it and minus infinity": (lambda a, q: [node("Max", f"{a} low", q)], {"low": np.float32(-np.inf)}),
    "a choice of it or itself": (lambda a, q: [node("Where", f"yes {a} {a}", q)], {"yes": np.array(True)}),
    "a choice that is made": (lambda a, q: [node("Where", f"yes {a} zero", q)], {"yes": np.array(True), "zero": np.float32(0)}),
    "a leak of all": (lambda a, q: [node("LeakyRelu", a, q, alpha=1.0)], {}),
}


@pytest.mark.parametrize("between", BETWEEN)
def test_A4_sums_with_something_between_that_changes_nothing(between: str) -> None:
    """Each addition stands alone behind a move or a function of one value; together they are the matrix of all rows still."""
    make, constants = BETWEEN[between]
    nodes, results = [node("Split", "x sizes", " ".join(f"p{at}" for at in range(N)), axis=1)], []
    for row, weights in enumerate(WEIGHTS):
        first, *others = sorted(np.flatnonzero(weights), key=lambda at: -weights[at])
        total = f"p{first}"
        for at in others:
            nodes.append(node("Add" if weights[at] > 0 else "Sub", f"{total} p{at}", f"a{row}_{at}"))
            nodes += make(f"a{row}_{at}", f"q{row}_{at}")
            total = f"q{row}_{at}"
        results.append(total)
    nodes.append(node("Concat", " ".join(results), axis=1))
    model = onnx_model(nodes, (N,), {"sizes": np.ones(N, np.int64), **constants})
    assert onnx_count(model).ledgers["quantized"].storage == Fraction(BITS, 32)


def test_A4_which_two_are_added_is_a_weight_where_there_are_many() -> None:
    """Twelve sums of two elements each of sixteen: a mask bit for each element of each row; none where one rule makes all of them."""
    pairs = [(at, at + 1 + at * at % 4) for at in range(12)]

    def sums(chosen: list[tuple[int, int]]) -> Count:
        return pytorch(lambda x: torch.cat([x[:, a : a + 1] + x[:, b : b + 1] for a, b in chosen], 1), (N,))

    assert sums(pairs).ledgers["quantized"].storage == Fraction(12 * N, 32)
    assert sums([(at, at + 3) for at in range(12)]).ledgers["quantized"].storage == 0


def test_A4_sums_in_a_body_of_parts_that_were_cut_around_it() -> None:
    """The split stands before the branch, the sums in its bodies; both bodies have the same matrix, which is stored once (S4)."""

    def body(name: str) -> onnx.GraphProto:
        nodes, results = [], []
        for row, weights in enumerate(WEIGHTS):
            first, *others = sorted(np.flatnonzero(weights), key=lambda at: -weights[at])
            total = f"p{first}"
            for at in others:
                nodes.append(node("Add" if weights[at] > 0 else "Sub", f"{total} p{at}", f"{name}{row}_{at}"))
                total = f"{name}{row}_{at}"
            results.append(total)
        nodes.append(node("Concat", " ".join(results), name, axis=1))
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    nodes = [
        node("Split", "x sizes", " ".join(f"p{at}" for at in range(N)), axis=1),
        node("ReduceSum", "x", "s", keepdims=0),
        node("Less", "s zero", "t"),
        node("If", "t", then_branch=body("a"), else_branch=body("b")),
    ]
    model = onnx_model(nodes, (N,), {"sizes": np.ones(N, np.int64), "zero": np.float32(0)})
    assert onnx_count(model).ledgers["quantized"].storage == Fraction(BITS, 32)


def test_A4_numbers_of_single_elements_are_a_tensor() -> None:
    """Each element times one of two numbers, then a layer: which has which is a bit each; two numbers of 32 bits, and the layer."""
    layer, chosen = np.random.default_rng(3).normal(size=(N, 3)).astype(np.float32), np.arange(N) * 7 % 5 % 2
    nodes = [node("Split", "x sizes", " ".join(f"p{at}" for at in range(N)), axis=1)]
    nodes += [node("Mul", f"p{at} s{chosen[at]}", f"m{at}") for at in range(N)]
    nodes += [node("Concat", " ".join(f"m{at}" for at in range(N)), "v", axis=1), node("MatMul", "v w")]
    constants = {"sizes": np.ones(N, np.int64), "s0": np.float32(0.731), "s1": np.float32(1.377), "w": layer}
    found = onnx_count(onnx_model(nodes, (N,), constants)).ledgers["quantized"]
    assert found.storage * 32 == N + 2 * 32 + 32 * N * 3
    assert found.operations == N + N * 3 + (N - 1) * 3


@pytest.mark.parametrize("summing", ["ReduceSum", "MatMul"])
def test_A4_joined_parts_that_are_summed(summing: str) -> None:
    """Parts and negated parts, joined for each row and summed, or multiplied by ones: the matrix of all rows."""
    nodes, ones = [node("Split", "x sizes", " ".join(f"p{at}" for at in range(N)), axis=1)], dict[str, np.ndarray]()
    for row, weights in enumerate(WEIGHTS):
        terms = [f"p{at}" if sign > 0 else f"n{row}_{at}" for at, sign in enumerate(weights) if sign]
        nodes += [node("Neg", f"p{at}", f"n{row}_{at}") for at in np.flatnonzero(weights < 0)]
        nodes.append(node("Concat", " ".join(terms), f"c{row}", axis=1))
        ones[f"ones{row}"] = np.ones((len(terms), 1), np.float32)
        nodes.append(node("MatMul", f"c{row} ones{row}", f"y{row}") if summing == "MatMul" else node(summing, f"c{row} ax", f"y{row}"))
    nodes.append(node("Concat", " ".join(f"y{row}" for row in range(ROWS)), axis=1))
    model = onnx_model(nodes, (N,), {"sizes": np.ones(N, np.int64), "ax": np.array([1]), **ones})
    assert onnx_count(model).ledgers["quantized"].storage == Fraction(BITS, 32)

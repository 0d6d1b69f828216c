"""A4: which parts of a tensor are added, and with which sign, is a matrix of 0 and ±1, in every spelling (rule O18)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.counting.ledger import Ledger
from micronet_verify.facts.graph import Value
from tests.build import Net, dense, operations

N, ROWS = 48, 5
Parts = Callable[[Net, Value], list[Value]]


def ternary(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1, 2, (rows, columns))


def split(net: Net, x: Value) -> list[Value]:
    return list(net.b.emit_many("move", (x,), (None,) * x.shape[1], op="split", axis=1, sizes=(1,) * x.shape[1]))


def sliced(net: Net, x: Value) -> list[Value]:
    return [net.b.emit("move", x, op="slice", axes=(1,), starts=(at,), ends=(at + 1,), steps=(1,)) for at in range(x.shape[1])]


def indexed(net: Net, x: Value) -> list[Value]:
    return [net.b.emit("permute", x, net.b.constant(np.array([at]), "i"), op="index", axis=1) for at in range(x.shape[1])]


def gathered(net: Net, x: Value) -> list[Value]:
    rows = net.b.transpose(x, (1, 0))
    return [net.b.emit("lookup", rows, net.b.constant(np.array([at]), "i"), op="gather", axis=0) for at in range(x.shape[1])]


def folded(net: Net, x: Value) -> list[Value]:
    """Rows of a matrix of four columns, turned, and then elements of those."""
    turned = net.b.transpose(net.b.reshape(x, (1, x.shape[1] // 4, 4)), (0, 2, 1))
    found = []
    for at in range(x.shape[1]):
        row, column = divmod(at, 4)
        cut = net.b.emit("move", turned, op="slice", axes=(1, 2), starts=(column, row), ends=(column + 1, row + 1), steps=(1, 1))
        found.append(net.b.reshape(cut, (1, 1)))
    return found


def strided(net: Net, x: Value) -> list[Value]:
    """Every fourth element from each of four starts, then elements of those."""
    quarter = x.shape[1] // 4
    combs = [net.b.emit("move", x, op="slice", axes=(1,), starts=(at,), ends=(x.shape[1],), steps=(4,)) for at in range(4)]
    elements = [sliced(net, comb) for comb in combs]
    return [elements[at % 4][at // 4] for at in range(4 * quarter)]


SPELLINGS: dict[str, Parts] = {
    "split": split, "slice": sliced, "index": indexed, "gather": gathered, "reshape and transpose": folded, "strided": strided
}  # fmt: skip


def signed_sum(net: Net, parts: list[Value], row: np.ndarray) -> Value:
    """Additions and subtractions of the parts whose sign is not 0."""
    total: Value | None = None
    for part, sign in zip(parts, row, strict=True):
        if sign and total is None:
            total = part if sign > 0 else net.b.elementwise("neg", part)
        elif sign and total is not None:
            total = net.b.elementwise("add" if sign > 0 else "sub", total, part)
    assert total is not None
    return total


def joined(net: Net, rows: list[Value]) -> Value:
    return net.b.emit("move", *rows, op="concat", axis=1)


def as_weight(weights: np.ndarray, columns: int) -> Ledger:
    net = Net.new()
    return net.ledger(net.b.linear(net.input(1, columns), net.constant(weights)), regime="quantized")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_A4_a_ternary_layer_costs_the_same_as_sums_of_parts(spelling: str) -> None:
    net, weights = Net.new(), ternary(ROWS, N)
    parts = SPELLINGS[spelling](net, net.input(1, N))
    found = net.ledger(joined(net, [signed_sum(net, parts, row) for row in weights]), regime="quantized")
    nonzeros = int(np.count_nonzero(weights))
    assert found.storage == Fraction(ROWS * N + nonzeros, 32)  # a mask, and a bit for each sign
    assert found.operations == Fraction(nonzeros, 32) + nonzeros - ROWS
    same = as_weight(weights, N)
    assert (found.storage + Fraction(8, 32), found.operations) == (same.storage, same.operations)  # whose scale is 1


def test_A4_the_512_to_10_layer_of_the_case() -> None:
    """266.7 words where each third of the weights is −1, 0 and 1: 5,120 bits of mask and 5,120 · ⅔ of sign."""
    weights = np.repeat([-1, 0, 1], [1707, 1706, 1707])
    np.random.default_rng(0).shuffle(weights)
    net = Net.new()
    parts = split(net, net.input(1, 512))
    found = net.ledger(joined(net, [signed_sum(net, parts, row) for row in weights.reshape(10, 512)]), regime="quantized")
    assert found.storage == Fraction(5120 + 2 * 1707, 32)


def test_A4_stacked_parts_are_summed_by_a_reduction() -> None:
    """cat([x[:, 3], x[:, 4], x[:, 9] …]).sum(1), and x[:, [3, 4, 9 …]].sum(1): rows of 0 and 1."""
    chosen = sorted(np.random.default_rng(4).permutation(N)[: N // 2].tolist())
    for index in (False, True):
        net = Net.new()
        x = net.input(1, N)
        if index:
            some = net.b.emit("permute", x, net.b.constant(np.array(chosen), "i"), op="index", axis=1)
        else:
            parts = split(net, x)
            some = joined(net, [parts[at] for at in chosen])
        found = net.ledger(net.b.emit("reduce", some, op="sum", axes=(1,), keepdims=True), regime="quantized")
        assert found.storage == Fraction(N, 32)  # 0 and 1, a bit each
        assert found.operations == Fraction(len(chosen), 32) + len(chosen) - 1


def test_A4_sixteen_levels_are_a_codebook() -> None:
    """Σ c_k · (sum of the parts of level k): 4 bits for each of 512 weights and sixteen levels of 32 bits, 80 words."""
    net = Net.new()
    levels, which = dense((16,)), np.random.default_rng(1).permutation(np.repeat(np.arange(16), 32))
    parts = split(net, net.input(1, 512))
    total: Value | None = None
    for level, number in enumerate(levels):
        term = net.b.elementwise("mul", signed_sum(net, parts, which == level), net.b.scalar(float(number)))
        total = term if total is None else net.b.elementwise("add", total, term)
    assert total is not None
    found = net.ledger(total, regime="quantized")
    assert found.storage == Fraction(512 * 4 + 16 * 32, 32) == 80
    assert operations(found, "multiply") == 512


def test_A4_partial_sums_that_several_rows_share_are_in_the_matrix() -> None:
    net = Net.new()
    parts = split(net, net.input(1, N))
    pairs = [net.b.elementwise("add", parts[at], parts[at + N // 2]) for at in range(N // 2)]
    weights = ternary(ROWS, N // 2)
    found = net.ledger(joined(net, [signed_sum(net, pairs, row) for row in weights]), regime="quantized")
    same = as_weight(np.concatenate([weights, weights], 1), N)
    assert found.storage + Fraction(8, 32) == same.storage


def test_A4_parts_are_whole_maps_at_every_position() -> None:
    """Channels of a map: the matrix is of channels, however many positions there are."""
    net = Net.new()
    parts = net.b.emit_many("move", (net.input(1, 12, 7, 7),), (None,) * 12, op="split", axis=1, sizes=(1,) * 12)
    weights = ternary(4, 12, 3)
    found = net.ledger(joined(net, [signed_sum(net, list(parts), row) for row in weights]), regime="quantized")
    nonzeros = int(np.count_nonzero(weights))
    assert found.storage == Fraction(4 * 12 + nonzeros, 32)
    assert found.operations == 49 * (Fraction(nonzeros, 32) + nonzeros - 4)


def test_A4_a_binary_kernel_as_shifted_slices() -> None:
    """A 3×3 kernel of signs over four channels, as 36 shifted slices: 36 signs."""
    net = Net.new()
    x, signs = net.input(1, 4, 10, 10), np.where(np.random.default_rng(2).random(36) < 0.5, -1, 1)
    parts = [
        net.b.emit("move", x, op="slice", axes=(1, 2, 3), starts=(c, i, j), ends=(c + 1, i + 8, j + 8), steps=(1, 1, 1))
        for c in range(4) for i in range(3) for j in range(3)
    ]  # fmt: skip
    found = net.ledger(signed_sum(net, parts, signs), regime="quantized")
    assert found.storage == Fraction(36, 32)
    assert found.operations == 64 * (Fraction(36, 32) + 35)


@pytest.mark.parametrize("spelling", ["halves", "combs", "a window", "all elements", "twice", "residual", "tokens without the first"])
def test_A4_sums_that_need_no_matrix_store_nothing(spelling: str) -> None:
    """Honest sums: of both halves, of neighbours, of a window of three, of everything, of one tensor and another."""
    net = Net.new()
    x = net.input(1, 12, 6, 6)

    def cut(start: int, end: int, step: int = 1, axis: int = 2) -> Value:
        return net.b.emit("move", x, op="slice", axes=(axis,), starts=(start,), ends=(end,), steps=(step,))

    if spelling == "halves":
        y, adds = net.b.elementwise("add", cut(0, 6, 1, 1), cut(6, 12, 1, 1)), 6 * 36
    elif spelling == "combs":
        y, adds = net.b.elementwise("add", cut(0, 6, 2), cut(1, 6, 2)), 12 * 3 * 6
    elif spelling == "a window":
        y, adds = net.b.elementwise("add", net.b.elementwise("add", cut(0, 4), cut(1, 5)), cut(2, 6)), 2 * 12 * 4 * 6
    elif spelling == "all elements":
        flat = net.b.reshape(x, (1, 12 * 36))
        y, adds = signed_sum(net, split(net, flat), np.ones(12 * 36)), 12 * 36 - 1
    elif spelling == "twice":
        y, adds = net.b.elementwise("add", x, x), 12 * 36
    elif spelling == "residual":
        y, adds = net.b.elementwise("add", x, net.b.elementwise("sin", x)), 12 * 36
    else:
        tokens = net.b.reshape(x, (1, 12, 36))
        some = net.b.emit("move", tokens, op="slice", axes=(1,), starts=(1,), ends=(12,), steps=(1,))
        y, adds = net.b.emit("reduce", some, op="mean", axes=(1,), keepdims=False), 10 * 36
    found = net.ledger(y, regime="quantized")
    assert found.storage == 0
    assert operations(found, "add") == adds


FUNCTIONS: dict[str, Callable[[Net, Value], Value]] = {
    "relu": lambda net, x: net.b.elementwise("relu", x),
    "an offset": lambda net, x: net.b.elementwise("add", x, net.b.scalar(0.37)),
    "relu and power": lambda net, x: net.b.elementwise("square", net.b.elementwise("relu", x)),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_A4_functions_of_parts_are_parts_of_one_tensor_again(function: str) -> None:
    """A split, a function for each element, and sums: which of the results are added is the weight as before."""
    net, weights = Net.new(), ternary(ROWS, N)
    parts = [FUNCTIONS[function](net, part) for part in split(net, net.input(1, N))]
    found = net.ledger(joined(net, [signed_sum(net, parts, row) for row in weights]), regime="quantized")
    offsets = sum(line.amount for line in found.lines if line.subject == "scalars")  # one number for each row, which is its bias
    assert found.storage - offsets == Fraction(ROWS * N + int(np.count_nonzero(weights)), 32)
    assert offsets == (len(set(weights.sum(1).tolist()) - {0}) if function == "an offset" else 0)


def test_A4_each_part_with_an_offset_of_its_own() -> None:
    net, weights = Net.new(), ternary(ROWS, N)
    numbers = dense((N,), 9)
    parts = [
        net.b.elementwise("mul", net.b.elementwise("sin", part), net.b.elementwise("cos", part)) if at % 2 else
        net.b.elementwise("add", part, net.b.scalar(float(numbers[at])))
        for at, part in enumerate(split(net, net.input(1, N)))
    ]  # fmt: skip
    found = net.ledger(joined(net, [signed_sum(net, parts, row) for row in weights]), regime="quantized")
    nonzeros = int(np.count_nonzero(weights[:, ::2]))
    assert found.storage >= Fraction(ROWS * N // 2 + nonzeros, 32)  # what the other half does to its elements is no function of one


def test_A4_honest_sums_of_functions_of_parts_stay() -> None:
    """Rotated positions: x₁·cos − x₂·sin and x₂·cos + x₁·sin are two products and an add for each element."""
    net = Net.new()
    x = net.input(1, 6, 16)
    one, two = (net.b.emit("move", x, op="slice", axes=(2,), starts=(at,), ends=(at + 8,), steps=(1,)) for at in (0, 8))
    cosine, sine = net.constant(dense((6, 8)), "cos"), net.constant(dense((6, 8), 1), "sin")

    def times(part: Value, constant: Value) -> Value:
        return net.b.elementwise("mul", part, constant)

    first = net.b.elementwise("sub", times(one, cosine), times(two, sine))
    second = net.b.elementwise("add", times(two, cosine), times(one, sine))
    found = net.ledger(net.b.emit("move", first, second, op="concat", axis=2), regime="quantized")
    assert found.storage == 2 * 48
    assert (operations(found, "multiply"), operations(found, "add")) == (4 * 48, 2 * 48)

"""Arithmetic that other counters get wrong: each file's operations and words come out as on paper, exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it

from micronet_verify.checks import claims
from micronet_verify.counting.count import Count
from micronet_verify.submission.manifest import Claim
from tests.checks.facts import TRACK, small, submission
from tests.plugins.onnx.support import node
from tests.refused import refused
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, pytorch, random


def quantity(count: Count, operation: str, *rules: str) -> Fraction:
    """Operations of one class before any price, of some rules alone if they are named."""
    lines = count.ledgers["freebie"].lines
    return sum((line.quantity for line in lines if line.operation == operation and (not rules or line.rule in rules)), Fraction(0))


# --- n − 1 of nothing ------------------------------------------------------------------------------------------------

# Every one of them has nothing to add up: n − 1 with n ≤ 1; a mean of one value is that value (B12).
# (function, shape of an example, multiply class, add class)
NOTHING: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...], int, int]] = {
    "sum of one": (lambda x: x.sum(-1), (7, 1), 0, 0),
    "mean of one": (lambda x: x.mean(-1), (7, 1), 0, 0),
    "maximum of one": (lambda x: x.amax(-1), (7, 1), 0, 0),
    "softmax of one": (lambda x: x.softmax(-1), (7, 1), 2 * 7, 0),
    "cumulative sum of one": (lambda x: x.cumsum(-1), (7, 1), 0, 0),
    "argmax of one": (lambda x: x.argmax(-1), (7, 1), 0, 0),
    "average pool of one": (lambda x: F.avg_pool2d(x, 1), (2, 3, 3), 0, 0),
    "max pool of one": (lambda x: F.max_pool2d(x, 1), (2, 3, 3), 0, 0),
    "sum of none": (lambda x: x[:, :, 1:].sum(-1), (7, 1), 0, 0),
    "maximum of products of one": (lambda x: x @ x.transpose(1, 2), (7, 1), 7 * 7, 0),
}


@pytest.mark.parametrize("name", NOTHING)
def test_n_minus_1_is_never_less_than_nothing(name: str) -> None:
    function, shape, multiplied, added = NOTHING[name]
    found = pytorch(function, shape)
    assert (quantity(found, "multiply"), quantity(found, "add")) == (multiplied, added)
    assert all(line.quantity >= 0 for ledger in found.ledgers.values() for line in ledger.lines)


@pytest.mark.parametrize("kind", ["linear", "conv", "transposed conv"])
def test_weights_of_zeros_cost_0_and_not_minus_1(kind: str) -> None:
    """Of 4 outputs the second and fourth have no weights: no multiplies, and 0 adds instead of −1."""
    shapes = {"linear": (4, 6), "conv": (4, 6, 1, 1), "transposed conv": (6, 4, 1, 1)}
    weight = random(*shapes[kind])
    weight.swapaxes(0, 1 if kind.startswith("t") else 0)[1::2] = 0
    functions: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "linear": F.linear,
        "conv": F.conv2d,
        "transposed conv": F.conv_transpose2d,
    }
    found = pytorch(functions[kind], (6,) if kind == "linear" else (6, 1, 1), weight)
    assert (quantity(found, "multiply"), quantity(found, "add")) == (2 * 6, 2 * 5)


NEGATIVE: dict[str, tuple[list[Any], tuple[int, ...], dict[str, Any], str]] = {
    "input": ([node("Relu", "x")], (-4,), {}, "got size -4 on axis 1 but should be at least 1 [input 'x']"),
    "kernel over the edge": (
        [node("Conv", "x w")],
        (1, 3, 3),
        {"w": random(2, 1, 5, 5)},
        "got a window of 5 over 3 but should fit [Conv in the_Conv]",
    ),
    "reshape": ([node("Reshape", "x n")], (6,), {"n": np.array([1, -3, -2])}, "got "),
    "crop": ([node("Pad", "x p")], (3,), {"p": np.array([0, -2, 0, -2])}, "got "),
    "fill": ([node("ConstantOfShape", "n", "c"), node("Add", "x c")], (3,), {"n": np.array([-3])}, "got "),
    "tile": ([node("Tile", "x n")], (3,), {"n": np.array([1, -1])}, "got repeats (1, -1)"),
    "expand": ([node("Expand", "x n")], (1,), {"n": np.array([1, -5])}, "got "),
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_negative_sizes_are_refused(name: str) -> None:
    nodes, shape, constants, start = NEGATIVE[name]
    (problem,) = refused(lambda: onnx_count(onnx_model(nodes, shape, constants)))
    assert problem.startswith(start)
    assert " but should " in problem


# --- bits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 3, 5, 7])
def test_odd_totals_of_bits_stay_fractions(bits: int) -> None:
    """45 weights of an odd width and one scale are no whole number of words; nothing rounds them."""
    top = 2 ** (bits - 1)
    codes = np.random.default_rng(0).choice([value for value in range(-top, top) if value], (5, 9))
    codes[:, :3] = (-top, top - 1, 1)
    nodes = [node("DequantizeLinear", "q s", "w"), node("Gemm", "x w", transB=1)]
    found = onnx_count(onnx_model(nodes, (9,), {"q": codes.astype(np.int8), "s": np.float32(0.3)}))
    assert found.ledgers["quantized"].storage == Fraction(45 * bits + 32, 32)
    assert found.ledgers["quantized"].storage.denominator > 1


def test_narrow_multiplies_stay_fractions() -> None:
    """Operands of 4 bits: 45 multiplies are 180/32 operations, and 40 adds stay at 32 bits (O12)."""
    codes = np.random.default_rng(0).choice([-8, -7, -5, -3, -1, 1, 3, 5, 7], (5, 9))
    codes[:, :3] = (-8, 7, 1)
    weight = helper.make_tensor("q", TensorProto.INT4, codes.shape, codes.reshape(-1).tolist())
    zero = helper.make_tensor("z", TensorProto.INT4, (), [0])
    nodes = [
        node("QuantizeLinear", "x sx z", "xq"),
        node("DequantizeLinear", "xq sx z", "xd"),
        node("DequantizeLinear", "q s", "w"),
        node("Gemm", "xd w", transB=1),
    ]
    found = onnx_count(onnx_model(nodes, (9,), {"s": np.float32(0.3), "sx": np.float32(0.7)}, opset=21, tensors=[weight, zero]))
    assert found.ledgers["quantized"].operations == Fraction(45 * 4, 32) + 5 * 8
    assert found.ledgers["quantized"].storage == Fraction(45 * 4 + 2 * 32, 32)


def test_scales_are_stored_for_each_channel() -> None:
    """7 output channels, 7 scales of 32 bits; one scale would be 32 bits in all."""
    codes = np.random.default_rng(0).choice([value for value in range(-127, 128) if value], (7, 4, 3, 3))
    codes[:, 0, 0] = (-127, 127, 1)
    scales = random(7, seed=5) ** 2
    nodes = [node("DequantizeLinear", "q s", "w", axis=0), node("Conv", "x w")]
    found = onnx_count(onnx_model(nodes, (4, 5, 5), {"q": codes.astype(np.int8), "s": scales}))
    assert found.ledgers["quantized"].storage == Fraction(7 * 4 * 9 * 8 + 7 * 32, 32)


# --- multiplies and adds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["pytorch", "onnx"])
def test_a_multiply_accumulate_is_two_operations(framework: str) -> None:
    weight = random(10, 16)
    found = (
        pytorch(F.linear, (16,), weight)
        if framework == "pytorch"
        else onnx_count(onnx_model([node("MatMul", "x w")], (16,), {"w": weight.T}))
    )
    assert prices(found) == Plain(10 * 16, 10 * 15, values=10 * 16).prices


@pytest.mark.parametrize("framework", ["pytorch", "onnx"])
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_grouped_work_is_divided_by_the_groups_once(framework: str, groups: int) -> None:
    """8 channels to 8, 3×3, on 5×5: each output meets 8/groups channels."""
    weight = random(8, 8 // groups, 3, 3)
    n = 8 // groups * 9
    if framework == "pytorch":
        found = pytorch(lambda x, w: F.conv2d(x, w, padding=1, groups=groups), (8, 5, 5), weight)
    else:
        found = onnx_count(onnx_model([node("Conv", "x w", group=groups, pads=[1, 1, 1, 1])], (8, 5, 5), {"w": weight}))
    assert prices(found) == Plain(5 * 5 * 8 * n, 5 * 5 * 8 * (n - 1), values=8 * n).prices


@pytest.mark.parametrize("framework", ["pytorch", "onnx"])
@pytest.mark.parametrize("kernel", [2, 3])
def test_pooling_reads_k_squared_values(framework: str, kernel: int) -> None:
    side = 6 // kernel
    outputs, window = 4 * side * side, kernel * kernel
    size = {"kernel_shape": [kernel, kernel], "strides": [kernel, kernel]}
    if framework == "pytorch":
        average, most = pytorch(lambda x: F.avg_pool2d(x, kernel), (4, 6, 6)), pytorch(lambda x: F.max_pool2d(x, kernel), (4, 6, 6))
    else:
        average, most = (onnx_count(onnx_model([node(kind, "x", **size)], (4, 6, 6))) for kind in ("AveragePool", "MaxPool"))
    assert prices(average) == Plain(outputs, outputs * (window - 1)).prices
    assert prices(most) == Plain(outputs * (window - 1), 0).prices


class Bottleneck(nn.Module):
    """4 channels widened to 24, filtered one by one, narrowed to 4 and added."""

    def __init__(self) -> None:
        super().__init__()
        shapes = [(24, 4, 1, 1), (24, 1, 3, 3), (4, 24, 1, 1)]
        self.weights = nn.ParameterList(nn.Parameter(torch.from_numpy(random(*shape, seed=at))) for at, shape in enumerate(shapes))

    def forward(self, x: Tensor) -> Tensor:
        wide, filters, narrow = self.weights
        h = F.conv2d(F.conv2d(x, wide), filters, padding=1, groups=24)
        return x + F.conv2d(h, narrow)


def test_a_residual_is_added_at_the_narrow_width() -> None:
    """4 channels, not the 24 in between (the published EfficientNet table has them on the wide ones)."""
    found = pytorch(Bottleneck(), (4, 5, 5))
    assert quantity(found, "add", "O8") == 4 * 5 * 5
    assert quantity(found, "add") == 25 * (24 * (4 - 1) + 24 * (9 - 1) + 4 * (24 - 1) + 4)
    assert quantity(found, "multiply") == 25 * (24 * 4 + 24 * 9 + 4 * 24)


# --- sparsity --------------------------------------------------------------------------------------------------------


def uneven() -> np.ndarray:
    """8 rows of 16: row r keeps its first 2·r weights in a shuffled order, so row 0 none and row 7 14."""
    weight = random(8, 16)
    for row, order in enumerate(np.random.default_rng(0).permuted(np.tile(np.arange(16), (8, 1)), axis=1)):
        weight[row, order[2 * row :]] = 0
    return weight


def test_sparse_rows_are_counted_one_by_one() -> None:
    """Σ 2r multiplies and Σ (2r − 1) adds over the seven rows that have weights; an even spread would have 8 more sums ended."""
    found = pytorch(F.linear, (16,), uneven())
    kept = sum(2 * row for row in range(8))
    assert (quantity(found, "multiply"), quantity(found, "add")) == (kept, kept - 7)


def test_a_mask_is_one_bit_for_every_element() -> None:
    """A chequered weight: 64 kept of 128 and 128 mask bits, not 64 and not none."""
    weight = random(8, 16) * (np.indices((8, 16)).sum(0) % 2).astype(np.float32)
    found = pytorch(F.linear, (16,), weight)
    assert prices(found) == {
        "freebie": (Fraction(64 * 16 + 128, 32), Fraction(64 * 16 + 8 * 7 * 32, 32)),
        "quantized": (Fraction(64 * 32 + 128, 32), Fraction(64 + 8 * 7)),
    }


def test_a_mask_multiplied_into_a_weight_is_the_same_mask() -> None:
    weight, mask = random(8, 16), (np.indices((8, 16)).sum(0) % 2).astype(np.float32)
    found = pytorch(lambda x, w, m: F.linear(x, w * m), (16,), weight, mask)
    assert prices(found) == prices(pytorch(F.linear, (16,), weight * mask))


# --- batch and channels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [2, 3, 16])
def test_the_batch_of_an_export_changes_nothing(batch: int) -> None:
    """One example: 3 channels to 4, 3×3, on 6×6."""
    weight = random(4, 3, 3, 3)
    found = pytorch(F.conv2d, torch.zeros(batch, 3, 8, 8), weight)
    assert prices(found) == Plain(6 * 6 * 4 * 27, 6 * 6 * 4 * 26, values=4 * 27).prices


def test_channels_without_a_batch_are_not_taken_for_one() -> None:
    """(3, 8, 8) is one image to a convolution, and a batch of 3 to a counter."""
    (problem,) = refused(lambda: pytorch(F.conv2d, torch.zeros(3, 8, 8), random(4, 3, 3, 3), fixed=True))
    assert problem.startswith("got a fixed batch of 3 but should be 1 or free (dynamic) [input 'x'] (")


# --- what is left on the table ---------------------------------------------------------------------------------------


def test_an_unclaimed_freebie_is_told() -> None:
    """Claimed as fp32; the rules let 160 weights and the multiplies count 16 bits."""
    found = pytorch(F.linear, (16,), random(10, 16))
    ledger = found.cheapest(TRACK.baseline.parameters, TRACK.baseline.operations)
    written = {"parameter_storage": str(160), "math_operations": str(160 + 150)}
    claimed = submission(Claim(parameter_storage=Fraction(160), math_operations=Fraction(310), written=written))
    verdict = claims.check(replace(small(submission=claimed), count=found, ledger=ledger))
    assert (verdict.outcome, verdict.message) == (
        "passed",
        "claims.parameter_storage: 160 leaves 80 on the table: measured 80; "
        "claims.math_operations: 310 leaves 80 on the table: measured 230",
    )


def test_a_claim_without_its_masks_fails() -> None:
    """64 weights of 16 bits are 32 words; the 128 mask bits are 4 more."""
    found = pytorch(F.linear, (16,), random(8, 16) * (np.indices((8, 16)).sum(0) % 2).astype(np.float32))
    claimed = submission(Claim(parameter_storage=Fraction(32), written={"parameter_storage": "32"}))
    verdict = claims.check(replace(small(submission=claimed), count=found, ledger=found.ledgers["freebie"]))
    assert verdict.outcome == "failed"
    assert verdict.message.startswith("got claims.parameter_storage: 32 but should be 36 as measured [submission.yaml:15]")

"""Linear layers, convolutions, batch norms and Einsum in ONNX: one price however they are spelled."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.plugins.onnx.support import node
from tests.refused import refused
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, random

F = np.float32
CONTRIB = "com.microsoft"
W, B = random(5, 8), random(5, seed=2)
WT = np.ascontiguousarray(W.T)
KERNEL, BIAS, SCALE, SHIFT, MEAN = (
    random(*shape, seed=seed) for shape, seed in (((6, 4, 3, 3), 4), ((6,), 6), ((6,), 8), ((6,), 10), ((6,), 12))
)
VARIANCE = np.abs(random(6, seed=14))
Nodes = list[onnx.NodeProto]


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


DENSE = helper.make_function(
    "local", "Dense", ["a", "w", "b"], ["y"], [helper.make_node("Gemm", ["a", "w", "b"], ["y"], transB=1)], [helper.make_opsetid("", 17)]
)
LINEAR: dict[str, Nodes] = {
    "Gemm, transB": [node("Gemm", "x w b", transB=1)],
    "Gemm": [node("Gemm", "x wt b")],
    "Gemm, transA": [node("Transpose", "x", "t"), node("Gemm", "t wt b", transA=1)],
    "Gemm, transA and transB": [node("Transpose", "x", "t"), node("Gemm", "t w b", transA=1, transB=1)],
    "Gemm of a transposed weight": [node("Transpose", "w", "t"), node("Gemm", "x t b")],
    "MatMul, Add": [node("MatMul", "x wt", "m"), node("Add", "m b")],
    "Add, MatMul of a transposed weight": [node("Transpose", "w", "t"), node("MatMul", "x t", "m"), node("Add", "b m")],
    "weight first": [node("Transpose", "x", "t"), node("MatMul", "w t", "m"), node("Transpose", "m", "u"), node("Add", "u b")],
    "Einsum": [node("Einsum", "x w", "m", equation="bi,oi->bo"), node("Add", "m b")],
    "Einsum without arrow": [node("Einsum", "x wt", "m", equation="bi,io"), node("Add", "m b")],
    "Mul, ReduceSum": [
        node("Unsqueeze", "x one", "u"),
        node("Mul", "u w", "p"),
        node("ReduceSum", "p two", "m", keepdims=0),
        node("Add", "m b"),
    ],
    "Mul, ReduceSum with kept axes": [
        node("Unsqueeze", "x one", "u"),
        node("Mul", "w u", "p"),
        node("ReduceSum", "p two", "s"),
        node("Squeeze", "s two", "m"),
        node("Add", "m b"),
    ],
    "Conv of width 1": [
        node("Unsqueeze", "x two", "u"),
        node("Unsqueeze", "w two", "k"),
        node("Conv", "u k b", "c"),
        node("Squeeze", "c two"),
    ],
    "Identity and Dropout": [
        node("Identity", "x", "i"),
        node("Dropout", "i", "d"),
        node("Identity", "w", "v"),
        node("Gemm", "d v b", "g", transB=1),
        node("Dropout", "g"),
    ],
    "FusedGemm": [node("FusedGemm", "x w b", domain=CONTRIB, transB=1)],
    "FusedMatMul": [node("FusedMatMul", "x w", "m", domain=CONTRIB, transB=1), node("Add", "m b")],
    "local function": [node("Dense", "x w b", domain="local")],
}


def linear(spelling: str, w: np.ndarray = W) -> onnx.ModelProto:
    constants = {"w": w, "wt": np.ascontiguousarray(w.T), "b": B, "one": ints(1), "two": ints(2)}
    used = {name for each in LINEAR[spelling] for name in each.input}
    functions = [DENSE] if spelling == "local function" else []
    return onnx_model(LINEAR[spelling], (8,), {name: array for name, array in constants.items() if name in used}, functions=functions)


@pytest.mark.parametrize("spelling", LINEAR)
def test_a_linear_layer(spelling: str) -> None:
    assert prices(onnx_count(linear(spelling))) == Plain(5 * 8, 5 * 7 + 5, 5 * 8 + 5).prices


@pytest.mark.parametrize("spelling", LINEAR)
def test_zeros_are_no_work_in_any_spelling(spelling: str) -> None:
    """Every second weight of rows 0 to 3 is zero: 4·4 + 8 products, and a mask bit for each weight."""
    pruned = W.copy()
    pruned[:4, ::2] = 0
    ledger = onnx_count(linear(spelling, pruned)).ledgers["freebie"]
    assert ledger.quantity("operations", "multiply") == 4 * 4 + 8
    assert ledger.quantity("operations", "add") == 4 * 3 + 7 + 5
    assert ledger.storage * 32 == 24 * 16 + 40 + 5 * 16


SCALED: dict[str, tuple[Nodes, Plain]] = {
    # alpha multiplies each of 5 outputs; ½ is stored
    "alpha": ([node("Gemm", "x w b", transB=1, alpha=0.5)], Plain(5 * 8 + 5, 5 * 8, 45, (8,))),
    "alpha as a Mul": ([node("MatMul", "x wt", "m"), node("Mul", "m half", "n"), node("Add", "n b")], Plain(5 * 8 + 5, 5 * 8, 45, (8,))),
    "alpha of FusedMatMul": (
        [node("FusedMatMul", "x w", "m", domain=CONTRIB, transB=1, alpha=0.5), node("Add", "m b")],
        Plain(5 * 8 + 5, 5 * 8, 45, (8,)),
    ),
    # beta scales the constant b once, when the model is loaded
    "beta": ([node("Gemm", "x w b", transB=1, beta=0.3)], Plain(5 * 8, 5 * 8, 45)),
    "beta as a Mul": ([node("Mul", "b third", "c"), node("Gemm", "x w c", transB=1)], Plain(5 * 8, 5 * 8, 45)),
    "beta of 0": ([node("Gemm", "x w b", transB=1, beta=0.0)], Plain(5 * 8, 5 * 7, 40)),
    "no C": ([node("Gemm", "x w", transB=1)], Plain(5 * 8, 5 * 7, 40)),
    "alpha and beta of 1": ([node("Gemm", "x w b", transB=1, alpha=1.0, beta=1.0)], Plain(5 * 8, 5 * 8, 45)),
}


@pytest.mark.parametrize("spelling", SCALED)
def test_factors_of_gemm_are_the_multiplies_that_they_stand_for(spelling: str) -> None:
    nodes, expected = SCALED[spelling]
    constants = {"w": W, "wt": WT, "b": B, "half": F(0.5), "third": F(0.3)}
    used = {name for each in nodes for name in each.input}
    model = onnx_model(nodes, (8,), {name: array for name, array in constants.items() if name in used})
    assert prices(onnx_count(model)) == expected.prices


P4 = [1, 1, 1, 1]
CONVOLUTION: dict[str, Nodes] = {
    "with kernel_shape": [node("Conv", "x k b", pads=P4, kernel_shape=[3, 3])],
    "without kernel_shape": [node("Conv", "x k b", pads=P4)],
    "auto_pad": [node("Conv", "x k b", auto_pad="SAME_UPPER")],
    "Pad before": [node("Pad", "x pads", "p"), node("Conv", "p k b")],
    "Add behind": [node("Conv", "x k", "c", pads=P4), node("Add", "c bias")],
    "FusedConv": [node("FusedConv", "x k b", domain=CONTRIB, pads=P4)],
    "BatchNormalization behind": [node("Conv", "x k", "c", pads=P4), node("BatchNormalization", "c scale shift mean variance")],
    "BatchNormalization behind a bias": [node("Conv", "x k b", "c", pads=P4), node("BatchNormalization", "c scale shift mean variance")],
    "Mul and Add behind": [node("Conv", "x k", "c", pads=P4), node("Mul", "c a", "m"), node("Add", "m bias")],
    "Mul and Add behind a bias": [node("Conv", "x k b", "c", pads=P4), node("Mul", "a c", "m"), node("Add", "bias m")],
    "Mul behind a bias": [node("Conv", "x k b", "c", pads=P4), node("Mul", "c a")],
    "Sub, Div, Mul, Add behind": [
        node("Conv", "x k", "c", pads=P4),
        node("Sub", "c m3", "s"),
        node("Div", "s v3", "d"),
        node("Mul", "d a", "m"),
        node("Add", "m bias"),
    ],
    "BatchNormalization spelled with its variance": [
        node("Conv", "x k", "c", pads=P4),
        node("Sub", "c m3", "s"),
        node("Add", "v3 eps", "e"),
        node("Sqrt", "e", "q"),
        node("Div", "s q", "d"),
        node("Mul", "d a", "m"),
        node("Add", "m bias"),
    ],
}
# Padded positions are full work (O6): 8·8 positions, 6 channels of 4·3·3 weights and a bias.
CONVOLVED = Plain(64 * 6 * 36, 64 * 6 * (36 - 1 + 1), 6 * 36 + 6)


@pytest.mark.parametrize("spelling", CONVOLUTION)
def test_a_convolution(spelling: str) -> None:
    per_channel = {"bias": SHIFT, "a": SCALE, "m3": MEAN, "v3": VARIANCE}
    constants = {"k": KERNEL, "b": BIAS, "scale": SCALE, "shift": SHIFT, "mean": MEAN, "variance": VARIANCE, "eps": F(1e-5)} | {
        name: array.reshape(6, 1, 1) for name, array in per_channel.items()
    }
    model = onnx_model(CONVOLUTION[spelling], (4, 8, 8), constants | {"pads": ints(0, 0, 1, 1, 0, 0, 1, 1)})
    assert prices(onnx_count(model)) == CONVOLVED.prices


def test_a_bias_that_is_padded_in_is_still_work() -> None:
    """Pads of other numbers than 0 store the number, at the same work."""
    nodes = [node("Pad", "x pads fill", "p"), node("Conv", "p k b")]
    model = onnx_model(nodes, (4, 8, 8), {"k": KERNEL, "b": BIAS, "pads": ints(0, 0, 1, 1, 0, 0, 1, 1), "fill": F(3)})
    assert prices(onnx_count(model)) == Plain(64 * 6 * 36, 64 * 6 * 36, 6 * 36 + 6, (16,)).prices


V = random(3, 5, seed=20)
CHAINED = Plain(7 * (8 * 5 + 5 * 3), 7 * (7 * 5 + 4 * 3), 5 * 8 + 3 * 5)
EINSUM: dict[str, Nodes] = {
    "three operands": [node("Einsum", "x w v", equation="bti,oi,po->btp")],
    "three operands, ellipsis": [node("Einsum", "x w v", equation="...i,oi,po->...p")],
    "two Einsums": [node("Einsum", "x w", "h", equation="bti,oi->bto"), node("Einsum", "h v", equation="bto,po->btp")],
    "two MatMuls": [node("Transpose", "w", "s"), node("Transpose", "v", "t"), node("MatMul", "x s", "h"), node("MatMul", "h t")],
}


@pytest.mark.parametrize("spelling", EINSUM)
def test_einsum_is_its_products_two_at_a_time(spelling: str) -> None:
    assert prices(onnx_count(onnx_model(EINSUM[spelling], (7, 8), {"w": W, "v": V}))) == CHAINED.prices


def test_einsum_takes_its_operands_in_the_order_in_which_they_stand() -> None:
    """w and v first: a product of constants larger than nothing, for every example; then one product with x.

    The written order is the arithmetic. 3·8 values for 5 products each, then 7·3 of 8.
    """
    model = onnx_model([node("Einsum", "w v x", equation="oi,po,bti->btp")], (7, 8), {"w": W, "v": V})
    expected = Plain(3 * 8 * 5 + 7 * 3 * 8, 3 * 8 * 4 + 7 * 3 * 7, 5 * 8 + 3 * 5)
    assert prices(onnx_count(model)) == expected.prices


def test_einsum_of_a_diagonal_is_refused() -> None:
    model = onnx_model([node("Einsum", "x", equation="bii->bi")], (8, 8))
    got = "got the term 'bii' for a tensor of shape (1, 8, 8)"
    sentence = f"{got} but should name each axis once [Einsum in the_Einsum] (diagonals cannot be counted)"
    assert refused(lambda: onnx_count(model)) == [sentence]


def test_an_unknown_fused_operator_is_refused() -> None:
    model = onnx_model([node("FusedConvolutionOfTomorrow", "x k", domain=CONTRIB)], (4, 8, 8), {"k": KERNEL})
    (sentence,) = refused(lambda: onnx_count(model))
    assert sentence.startswith("got the operator FusedConvolutionOfTomorrow of domain com.microsoft but should be an operator that")

"""Programs with what they cost, each by arithmetic that stands beside it.

Weights are ``dense``: on no grid, none zero, so that under the freebie each takes 16 bits (rule S5), a multiply 16 and an
add 32 (O7). Numbers of a formula other than 0 and ±1 are stored once each (S2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from micronet_verify.counting.ledger import Regime
from micronet_verify.testing.program import Array, Program, Step


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A program, its storage in bits, its operations of both classes per example, and their bits where not the freebie's."""

    program: Program
    storage: int
    multiplies: int = 0
    adds: int = 0
    regime: Regime = "freebie"
    bits: int = -1

    @property
    def operation_bits(self) -> int:
        return self.bits if self.bits >= 0 else 16 * self.multiplies + 32 * self.adds


def dense(*shape: int, seed: int = 0) -> Array:
    """Weights in ±(0.1 … 0.9), on no grid and without a number that fp16 holds."""
    source = np.random.default_rng(seed)
    return np.asarray(source.choice([-1, 1], shape) * (source.uniform(0.1, 0.9, shape) + 1e-6), np.float32)


def _with_zeros(array: Array, kept: Sequence[int]) -> Array:
    """``kept[i]`` weights of output i stay, here and there: the zeros make no blocks."""
    out, source = array.reshape(len(array), -1).copy(), np.random.default_rng(11)
    for row, count in enumerate(kept):
        out[row, source.permutation(out.shape[1])[count:]] = 0
    return out.reshape(array.shape)


def _one(op: str, shape: tuple[int, ...], name: str = "", arrays: dict[str, Array] | None = None, **options: Any) -> Program:
    return Program(name or op, shape, (Step(op, ("x",), arrays or {}, options),))


_NORM = {name: np.abs(dense(4, seed=seed)) for seed, name in enumerate(("scale", "shift", "mean", "variance"), 10)}
_CODES = np.array([[127, -128, 3, 5, 7, 11, 13, 17], [19, 23, -29, 31, 37, -41, 43, 127], [-127, 2, 4, -6, 8, 10, -12, 15]], np.int8)
_SCALES = np.array([0.0123, 0.0345, 0.0456], np.float32)
_LINEAR = {"weight": dense(5, 8), "bias": dense(5, seed=1)}
_SQUARE = {"weight": dense(8, 8, seed=2)}
# Rows of 8, 3, 0 and 1 weights that are left.
_PRUNED = {"weight": _with_zeros(dense(4, 8, seed=3), (8, 3, 0, 1))}
_THIN = {"weight": _with_zeros(dense(4, 4, 3, 3, seed=4), (9, 1, 0, 36))}

CASES: tuple[Case, ...] = (
    Case(_one("linear", (8,), arrays=_LINEAR), 16 * (5 * 8 + 5), 5 * 8, 5 * (7 + 1)),
    Case(_one("linear", (8,), "linear-without-bias", {"weight": dense(5, 8)}), 16 * 5 * 8, 5 * 8, 5 * 7),
    Case(_one("linear", (3, 8), "linear-on-rows", _LINEAR), 16 * (5 * 8 + 5), 3 * 5 * 8, 3 * 5 * (7 + 1)),
    # n is counted per output from what is not zero; a row without weights costs nothing, never −1 (O1). The mask is 4·8 bits (S3).
    Case(_one("linear", (8,), "linear-pruned", _PRUNED), 16 * 12 + 4 * 8, 8 + 3 + 0 + 1, 7 + 2 + 0 + 0),
    Case(
        _one("conv", (3, 8, 8), arrays={"weight": dense(4, 3, 3, 3), "bias": dense(4, seed=1)}, stride=2, padding=1),
        16 * (4 * 3 * 9 + 4),
        4 * 4 * 4 * 27,
        4 * 4 * 4 * (26 + 1),
    ),
    Case(_one("conv", (3, 6, 6), "conv-1x1", {"weight": dense(4, 3, 1, 1)}), 16 * 4 * 3, 6 * 6 * 4 * 3, 6 * 6 * 4 * 2),
    Case(
        _one("conv", (4, 6, 6), "conv-grouped", {"weight": dense(4, 2, 3, 3)}, groups=2, padding=1),
        16 * 4 * 2 * 9,
        6 * 6 * 4 * 18,
        6 * 6 * 4 * 17,
    ),
    Case(
        _one("conv", (4, 6, 6), "conv-depthwise", {"weight": dense(4, 1, 3, 3)}, groups=4, padding=1),
        16 * 4 * 9,
        6 * 6 * 4 * 9,
        6 * 6 * 4 * 8,
    ),
    Case(
        _one("conv", (2, 9, 9), "conv-dilated", {"weight": dense(3, 2, 3, 3)}, dilation=2), 16 * 3 * 2 * 9, 5 * 5 * 3 * 18, 5 * 5 * 3 * 17
    ),
    Case(
        _one("conv", (4, 6, 6), "conv-pruned", _THIN, padding=1),
        16 * (9 + 1 + 0 + 36) + 4 * 4 * 9,
        6 * 6 * (9 + 1 + 0 + 36),
        6 * 6 * (8 + 0 + 0 + 35),
    ),
    # Batch norm next to a convolution becomes its bias (S7).
    Case(
        Program(
            "batch-norm-folded",
            (3, 6, 6),
            (
                Step("conv", ("x",), {"weight": dense(4, 3, 3, 3)}, {"padding": 1}, "c"),
                Step("batch_norm", ("c",), _NORM, {"eps": 1e-3}),
            ),
        ),
        16 * (4 * 3 * 9 + 4),
        6 * 6 * 4 * 27,
        6 * 6 * 4 * (26 + 1),
    ),
    # After a relu there is nothing to fold it into: a scale and a shift per channel.
    Case(
        Program("batch-norm-alone", (4, 6, 6), (Step("relu", name="r"), Step("batch_norm", ("r",), _NORM, {"eps": 1e-3}))),
        16 * (4 + 4),
        4 * 36 * (1 + 1),
        4 * 36,
    ),
    # Over n = 8: n − 1 adds and a multiply each for mean and variance, n differences, n squares, √, n·(1/√), scale, shift; eps.
    Case(
        _one("layer_norm", (2, 8), arrays={"scale": dense(8, seed=5), "shift": dense(8, seed=6)}, eps=1e-3),
        16 * (8 + 8 + 1),
        2 * (8 + 8 + 8 + 3),
        2 * (7 + 7 + 8 + 8 + 1),
    ),
    Case(_one("relu", (4, 3, 3)), 0, 36),
    Case(_one("relu6", (4, 3, 3)), 16 * 1, 36 * 2),
    Case(_one("sigmoid", (8,)), 0, 8 * 2, 8),
    Case(_one("tanh", (8,)), 0, 8),
    # 3 and 6 are stored.
    Case(_one("hard_swish", (8,)), 16 * 2, 8 * 4, 8),
    Case(_one("softmax", (2, 8)), 0, 2 * (8 + 8), 2 * 7),
    Case(Program("add", (8,), (Step("tanh", name="t"), Step("add", ("x", "t")))), 0, 8, 8),
    Case(Program("mul", (8,), (Step("tanh", name="t"), Step("mul", ("x", "t")))), 0, 8 + 8),
    # [3, 4]·[4, 3]
    Case(
        Program("matmul", (3, 4), (Step("transpose", options={"perm": (0, 2, 1)}, name="t"), Step("matmul", ("x", "t")))),
        0,
        3 * 3 * 4,
        3 * 3 * 3,
    ),
    Case(_one("max_pool", (2, 6, 6), kernel=2, stride=2), 0, 2 * 3 * 3 * 3),
    Case(_one("average_pool", (2, 6, 6), kernel=3, stride=3), 0, 2 * 2 * 2, 2 * 2 * 2 * 8),
    Case(_one("global_average", (5, 4, 4)), 0, 5, 5 * 15),
    # Moves cost nothing (O9); a relu before them, so that there is something to count.
    Case(
        Program("reshape", (4, 3, 3), (Step("relu", name="r"), Step("reshape", ("r",), options={"shape": (36,)}))),
        0,
        36,
    ),
    Case(
        Program("transpose", (4, 6), (Step("relu", name="r"), Step("transpose", ("r",), options={"perm": (0, 2, 1)}))),
        0,
        24,
    ),
    Case(
        Program("concat", (4, 3, 3), (Step("relu", name="r"), Step("concat", ("x", "r"), options={"axis": 1}))),
        0,
        36,
    ),
    Case(Program("pad", (4, 3, 3), (Step("relu", name="r"), Step("pad", ("r",), options={"padding": 1}))), 0, 36),
    Case(
        Program("slice", (4, 3, 3), (Step("slice", ("x",), {}, {"axis": 1, "start": 1, "end": 3}, "s"), Step("relu", ("s",)))),
        0,
        2 * 9,
    ),
    # A look-up is free (O9); its table is stored.
    Case(
        Program("embedding", (5,), (Step("embedding", ("x",), {"table": dense(20, 8, seed=7)}, name="e"), Step("relu", ("e",))), words=20),
        16 * 20 * 8,
        5 * 8,
    ),
    # One multiply per output element (O10).
    Case(_one("resize_nearest", (2, 3, 3), scale=2), 0, 2 * 6 * 6),
    # A tensor that is used twice is stored once (S4).
    Case(
        Program("tied", (8,), (Step("linear", ("x",), _SQUARE, name="h"), Step("linear", ("h",), _SQUARE))),
        16 * 8 * 8,
        2 * 8 * 8,
        2 * 8 * 7,
    ),
    # What no output needs is neither stored nor computed (S6, O16).
    Case(
        Program("dead", (8,), (Step("linear", ("x",), {"weight": dense(50, 8, seed=8)}, name="unused"), Step("relu"))),
        0,
        8,
    ),
    # int8 codes with a 32-bit scale per output; the operand is as wide as fp32 is.
    Case(
        _one("quantized_linear", (8,), arrays={"codes": _CODES, "scale": _SCALES}),
        8 * 3 * 8 + 32 * 3,
        3 * 8,
        3 * 7,
        "quantized",
        32 * (3 * 8 + 3 * 7),
    ),
    # Both operands of 8 bits make multiplies of 8 (O2); sums stay at 32 (O12). One more scale is stored; going back to fp32 is free (O11).
    Case(
        Program(
            "quantized-both",
            (8,),
            (
                Step("quantize", ("x",), {"scale": np.array(0.0173, np.float32)}, name="q"),
                Step("quantized_linear", ("q",), {"codes": _CODES, "scale": _SCALES}),
            ),
        ),
        8 * 3 * 8 + 32 * (3 + 1),
        3 * 8,
        3 * 7,
        "quantized",
        8 * 3 * 8 + 32 * 3 * 7,
    ),
    Case(
        Program(
            "perceptron",
            (8,),
            (
                Step("linear", ("x",), {"weight": dense(6, 8, seed=12), "bias": dense(6, seed=13)}, name="h"),
                Step("relu", ("h",), name="r"),
                Step("linear", ("r",), {"weight": dense(4, 6, seed=14), "bias": dense(4, seed=15)}, name="l"),
                Step("softmax", ("l",)),
            ),
        ),
        16 * (6 * 8 + 6 + 4 * 6 + 4),
        6 * 8 + 6 + 4 * 6 + (4 + 4),
        6 * 8 + 4 * 6 + 3,
    ),
    Case(
        Program(
            "small-network",
            (3, 8, 8),
            (
                Step("conv", ("x",), {"weight": dense(4, 3, 3, 3), "bias": dense(4, seed=1)}, {"stride": 2, "padding": 1}, "c"),
                Step("relu", ("c",), name="r"),
                Step("global_average", ("r",), name="g"),
                Step("linear", ("g",), {"weight": dense(10, 4, seed=9), "bias": dense(10, seed=10)}),
            ),
        ),
        16 * (4 * 27 + 4 + 10 * 4 + 10),
        64 * 27 + 64 + 4 + 10 * 4,
        64 * 27 + 4 * 15 + 10 * 4,
    ),
)

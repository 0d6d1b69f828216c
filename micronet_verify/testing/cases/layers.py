"""Linear layers, norms, look-ups, and small networks of them."""

from __future__ import annotations

import numpy as np

from micronet_verify.testing.cases.case import Case, dense, one, with_zeros
from micronet_verify.testing.program import Program, Step

# Scale, shift, mean and variance differ, and eps is a tenth of the variances: it matters.
NORM = {name: np.abs(dense(4, seed=seed)) for seed, name in enumerate(("scale", "shift", "mean", "variance"), 10)}
EPS = 0.05
_LINEAR = {"weight": dense(5, 8), "bias": dense(5, seed=1)}
_SQUARE = {"weight": dense(8, 8, seed=2)}
# Rows of 8, 3, 0 and 1 weights that are left.
_PRUNED = {"weight": with_zeros(dense(4, 8, seed=3), (8, 3, 0, 1))}


def _linear(before: str, name: str, shape: tuple[int, int], seed: int) -> Step:
    """A layer with a bias and weights of its own, [out, in]."""
    return Step("linear", (before,), {"weight": dense(*shape, seed=seed), "bias": dense(shape[0], seed=seed + 1)}, name=name)


LAYERS: tuple[Case, ...] = (
    Case(one("linear", (8,), arrays=_LINEAR), 16 * (5 * 8 + 5), 5 * 8, 5 * (7 + 1)),
    Case(one("linear", (8,), "linear-without-bias", {"weight": dense(5, 8)}), 16 * 5 * 8, 5 * 8, 5 * 7),
    # As wide as it is high: transposed, it would fit as well.
    Case(one("linear", (8,), "linear-square", {**_SQUARE, "bias": dense(8, seed=1)}), 16 * (8 * 8 + 8), 8 * 8, 8 * (7 + 1)),
    Case(one("linear", (3, 8), "linear-on-rows", _LINEAR), 16 * (5 * 8 + 5), 3 * 5 * 8, 3 * 5 * (7 + 1)),
    # n is counted per output from what is not zero; a row without weights costs nothing, never −1 (O1). The mask is 4·8 bits (S3).
    Case(one("linear", (8,), "linear-pruned", _PRUNED), 16 * 12 + 4 * 8, 8 + 3 + 0 + 1, 7 + 2 + 0 + 0),
    # Batch norm next to a convolution becomes its bias (S7).
    Case(
        Program(
            "batch-norm-folded",
            (3, 6, 6),
            (
                Step("conv", ("x",), {"weight": dense(4, 3, 3, 3)}, {"padding": 1}, "c"),
                Step("batch_norm", ("c",), NORM, {"eps": EPS}),
            ),
        ),
        16 * (4 * 3 * 9 + 4),
        6 * 6 * 4 * 27,
        6 * 6 * 4 * (26 + 1),
    ),
    # After a relu there is nothing to fold it into: a scale and a shift per channel.
    Case(
        Program("batch-norm-alone", (4, 6, 6), (Step("relu", name="r"), Step("batch_norm", ("r",), NORM, {"eps": EPS}))),
        16 * (4 + 4),
        4 * 36 * (1 + 1),
        4 * 36,
    ),
    # Over n = 8: n − 1 adds and a multiply each for mean and variance, n differences, n squares, √, n·(1/√), scale, shift; eps.
    Case(
        one("layer_norm", (2, 8), arrays={"scale": dense(8, seed=5), "shift": dense(8, seed=6)}, eps=EPS),
        16 * (8 + 8 + 1),
        2 * (8 + 8 + 8 + 3),
        2 * (7 + 7 + 8 + 8 + 1),
    ),
    # A look-up is free (O9); its table is stored.
    Case(
        Program("embedding", (5,), (Step("embedding", ("x",), {"table": dense(20, 8, seed=7)}, name="e"), Step("relu", ("e",))), words=20),
        16 * 20 * 8,
        5 * 8,
    ),
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
    # Three layers whose names differ in a mark, and none of whose weights may stand for another's.
    Case(
        Program(
            "names-alike",
            (8,),
            (
                _linear("x", "a.b", (8, 8), 20),
                Step("tanh", ("a.b",), name="t"),
                _linear("t", "a_b", (8, 8), 22),
                Step("tanh", ("a_b",), name="u"),
                _linear("u", "a-b", (8, 8), 24),
                Step("sub", ("a-b", "t")),
            ),
            alike=True,
        ),
        16 * 3 * (8 * 8 + 8),
        3 * 8 * 8 + 2 * 8,
        3 * 8 * (7 + 1) + 8,
    ),
    Case(
        Program(
            "perceptron",
            (8,),
            (
                _linear("x", "h", (6, 8), 12),
                Step("relu", ("h",), name="r"),
                _linear("r", "l", (4, 6), 14),
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

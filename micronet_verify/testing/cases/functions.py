"""Element-wise functions, arithmetic of two operands, and moves, which cost nothing (O9)."""

from __future__ import annotations

from micronet_verify.testing.cases.case import Case, behind_relu, one
from micronet_verify.testing.program import Program, Step

FUNCTIONS: tuple[Case, ...] = (
    Case(one("relu", (4, 3, 3)), 0, 36),
    # The examples reach over both bounds, here and of hard_swish.
    Case(one("relu6", (4, 3, 3), spread=6.0), 16 * 1, 36 * 2),
    Case(one("sigmoid", (8,)), 0, 8 * 2, 8),
    Case(one("tanh", (8,)), 0, 8),
    # 3 and 6 are stored.
    Case(one("hard_swish", (8,), spread=4.0), 16 * 2, 8 * 4, 8),
    # As many rows as columns: the other axis would cost as much.
    Case(one("softmax", (4, 4)), 0, 4 * (4 + 4), 4 * 3),
    # As many rows as columns, again: four sums of four.
    Case(one("mean", (4, 4), axis=1), 0, 4, 4 * 3),
    Case(Program("add", (8,), (Step("tanh", name="t"), Step("add", ("x", "t")))), 0, 8, 8),
    Case(Program("sub", (8,), (Step("tanh", name="t"), Step("sub", ("x", "t")))), 0, 8, 8),
    Case(Program("mul", (8,), (Step("tanh", name="t"), Step("mul", ("x", "t")))), 0, 8 + 8),
    # tanh x / σ(x): a tanh, a sigmoid of two multiplies and an add, a division.
    Case(
        Program("div", (8,), (Step("tanh", name="t"), Step("sigmoid", name="s"), Step("div", ("t", "s")))),
        0,
        8 * (1 + 2 + 1),
        8,
    ),
    # A relu of 4·4, then [4, 4]·[4, 4].
    Case(
        Program(
            "matmul",
            (4, 4),
            (Step("transpose", options={"perm": (0, 2, 1)}, name="t"), Step("relu", name="r"), Step("matmul", ("r", "t"))),
        ),
        0,
        4 * 4 + 4 * 4 * 4,
        4 * 4 * 3,
    ),
)

MOVES: tuple[Case, ...] = (
    Case(behind_relu("reshape", (4, 3, 3), "reshape", shape=(36,)), 0, 36),
    Case(behind_relu("transpose", (4, 6), "transpose", perm=(0, 2, 1)), 0, 24),
    # Sides of one length: other orders, and no move at all, have the same shape.
    Case(behind_relu("transpose-square", (5, 5), "transpose", perm=(0, 2, 1)), 0, 25),
    Case(behind_relu("transpose-cube", (3, 3, 3), "transpose", perm=(0, 2, 3, 1)), 0, 27),
    Case(Program("concat", (4, 3, 3), (Step("relu", name="r"), Step("concat", ("x", "r"), options={"axis": 1}))), 0, 36),
    Case(behind_relu("pad", (4, 3, 3), "pad", padding=(1, 2)), 0, 36),
    Case(
        Program("slice", (4, 3, 3), (Step("slice", ("x",), {}, {"axis": 1, "start": 1, "end": 3}, "s"), Step("relu", ("s",)))),
        0,
        2 * 9,
    ),
    # Places 1, 3 and 5 of seven.
    Case(
        Program(
            "slice-steps", (4, 7), (Step("slice", ("x",), {}, {"axis": 2, "start": 1, "end": 7, "step": 2}, "s"), Step("relu", ("s",)))
        ),
        0,
        4 * 3,
    ),
    # One multiply per output element (O10).
    Case(one("resize_nearest", (2, 3, 3), scale=(2, 3)), 0, 2 * 6 * 9),
)

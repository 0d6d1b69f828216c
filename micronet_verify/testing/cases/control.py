"""Branches, loops, recurrent layers, and the step of a language model."""

from __future__ import annotations

from fractions import Fraction

from micronet_verify.testing.cases.case import Case, dense
from micronet_verify.testing.program import Program, State, Step

_THEN = (Step("linear", ("x",), {"weight": dense(5, 8, seed=40)}, name="t"),)
_ELSE = (Step("linear", ("x",), {"weight": dense(5, 8, seed=41)}, name="e"), Step("tanh", ("e",), name="f"))
_RELU = (Step("linear", ("x",), {"weight": dense(5, 8, seed=41)}, name="e"), Step("relu", ("e",), name="f"))
_TWINS = tuple((Step("linear", ("x",), {"weight": dense(5, 8, seed=seed)}, name="t"), Step("tanh", ("t",), name="u")) for seed in (46, 47))
_INNER = Step(
    "branch",
    ("d",),
    name="inner",
    bodies=((Step("tanh", ("h",), name="g"),), (Step("relu", ("h",), name="u"), Step("mul", ("u", "h"), name="k"))),
)
_OUTER = (
    Step("linear", ("x",), {"weight": dense(8, 8, seed=42)}, name="h"),
    Step("above", ("h",), options={"than": 0.25}, name="d"),
    _INNER,
)
_TURN = (
    Step("linear", ("state",), {"weight": dense(6, 6, seed=43) / 2, "bias": dense(6, seed=44)}, name="l"),
    Step("tanh", ("l",), name="n"),
)
_SCANNED = (
    Step("linear", ("state",), {"weight": dense(4, 4, seed=45)}, name="l"),
    Step("add", ("l", "slice"), name="a"),
    Step("tanh", ("a",), name="n"),
)
# The first of five rows, which the state begins as.
_FIRST = (Step("slice", ("x",), {}, {"axis": 1, "start": 0, "end": 1}, "s"), Step("reshape", ("s",), {}, {"shape": (4,)}, "first"))

BRANCHES: tuple[Case, ...] = (
    # Seven adds and a compare with a stored number decide; three of eight examples take the first body, which has no tanh.
    Case(
        Program(
            "branch",
            (8,),
            (Step("above", options={"than": -0.3}, name="p"), Step("branch", ("p",), bodies=(_THEN, _ELSE))),
        ),
        16 * (1 + 2 * 5 * 8),
        1 + 5 * 8 + Fraction(5, 8) * 5,
        7 + 5 * 7,
        shares={"y": (3, 8)},
    ),
    # The same of what almost every format has.
    Case(
        Program(
            "branch-relu",
            (8,),
            (Step("above", options={"than": -0.3}, name="p"), Step("branch", ("p",), bodies=(_THEN, _RELU))),
        ),
        16 * (1 + 2 * 5 * 8),
        1 + 5 * 8 + Fraction(5, 8) * 5,
        7 + 5 * 7,
        shares={"y": (3, 8)},
    ),
    # Steps of one name in both bodies, whose weights may not stand for each other's.
    Case(
        Program(
            "branch-names-alike",
            (8,),
            (Step("above", options={"than": -0.3}, name="p"), Step("branch", ("p",), bodies=_TWINS)),
            alike=True,
        ),
        16 * (1 + 2 * 5 * 8),
        1 + 5 * 8 + 5,
        7 + 5 * 7,
        shares={"y": (3, 8)},
    ),
    Case(
        Program(
            "branch-nested",
            (8,),
            (
                Step("above", options={"than": -0.3}, name="p"),
                Step("branch", ("p",), bodies=(_OUTER, (Step("relu", ("x",), name="r"),))),
            ),
        ),
        16 * (2 + 8 * 8),
        # Three of eight compute and compare h; of these two take tanh, and one two functions. Five take a relu.
        1 + Fraction(3, 8) * (8 * 8 + 1 + Fraction(2, 3) * 8 + Fraction(1, 3) * 2 * 8) + Fraction(5, 8) * 8,
        7 + Fraction(3, 8) * (8 * 7 + 7),
        shares={"y": (3, 8), "inner": (2, 3)},
    ),
)

LOOPS: tuple[Case, ...] = (
    # Stored once, turned four times.
    Case(
        Program("loop", (6,), (Step("loop", ("x",), {}, {"trips": 4}, bodies=(_TURN,)),)),
        16 * (6 * 6 + 6),
        4 * (6 * 6 + 6),
        4 * 6 * (5 + 1),
    ),
    Case(
        Program("loop-scanned", (5, 4), (*_FIRST, Step("loop", ("first", "x"), {}, {"trips": 5}, bodies=(_SCANNED,)))),
        16 * 4 * 4,
        5 * (4 * 4 + 4),
        5 * 4 * (3 + 1),
    ),
    Case(
        Program("loop-collected", (5, 4), (*_FIRST, Step("loop", ("first", "x"), {}, {"trips": 5, "collected": True}, bodies=(_SCANNED,)))),
        16 * 4 * 4,
        5 * (4 * 4 + 4),
        5 * 4 * (3 + 1),
    ),
)

_T, _I, _H = 6, 4, 5
RECURRENT: tuple[Case, ...] = (
    Case(
        Program(
            "lstm",
            (_T, _I),
            (
                Step(
                    "lstm", ("x",), {"w_ih": dense(4 * _H, _I, seed=50), "w_hh": dense(4 * _H, _H, seed=51), "bias": dense(4 * _H, seed=52)}
                ),
            ),
        ),
        16 * 4 * _H * (_I + _H + 1),
        # Each time: both products, σ of three gates (two multiplies and an add), two tanh, three products and a sum of the cell.
        _T * (4 * _H * (_I + _H) + 3 * 2 * _H + 2 * _H + 3 * _H),
        _T * (4 * _H * (_I - 1 + 1 + _H - 1 + 1) + 3 * _H + _H),
    ),
)

_WORDS, _SIZE = 7, 5
STEPS: tuple[Case, ...] = (
    Case(
        Program(
            "language-step",
            (),
            (
                Step("embedding", ("x",), {"table": dense(_WORDS, _SIZE, seed=60)}, name="e"),
                Step("linear", ("h",), {"weight": dense(_SIZE, _SIZE, seed=61)}, name="l"),
                Step("add", ("e", "l"), name="a"),
                Step("tanh", ("a",), name="n"),
                Step("mul", ("n", "c"), name="m"),
                Step("sub", ("n", "m"), name="d"),
                Step("linear", ("d",), {"weight": dense(_WORDS, _SIZE, seed=62), "bias": dense(_WORDS, seed=63)}, name="o"),
                Step("log_softmax", ("o",)),
            ),
            words=_WORDS,
            states=(State("h", (_SIZE,), "d"), State("c", (_SIZE,), "n")),
        ),
        16 * (_WORDS * _SIZE + _SIZE * _SIZE + _WORDS * _SIZE + _WORDS),
        # tanh and the product; of the logarithm of the softmax 7 exp and a log, 6 adds and 7 differences.
        _SIZE * _SIZE + 2 * _SIZE + _WORDS * _SIZE + (_WORDS + 1),
        _SIZE * (_SIZE - 1) + 2 * _SIZE + _WORDS * (_SIZE - 1 + 1) + (_WORDS - 1 + _WORDS),
    ),
)

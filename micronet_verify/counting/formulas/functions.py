"""What each element-wise function costs per output element (rule O4), as the primitives of its usual formula.

A line is (multiply class, add class, formula, literals, first). *Multiply class*: multiply, divide, compare, select,
transcendental, bitwise. *Literals* are the numbers of the formula other than 0 and ±1; a number that stands on the
node (alpha, low, high) is written by its name. They are stored once per model (rule S2). *First* are the multiplies and
adds that read only the operand and literals, and so are as wide as the operand (rule O2); the others read what those
made, which nobody quantized. Without it all of them do: it is one primitive, or a chain that hands the operand on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import pi, sqrt
from types import MappingProxyType
from typing import NamedTuple

from micronet_verify.facts.functions import DEFAULTS
from micronet_verify.facts.graph import Attribute


class Cost(NamedTuple):
    """Per output element."""

    multiplies: int
    adds: int
    formula: str
    literals: tuple[float | str, ...] = ()
    first: tuple[int, int] | None = None


_SIMPLE = {
    name: Cost(1, 0, formula)
    for name, formula in {
        "mul": "x·y", "div": "x/y", "pow": "x^y", "mod": "x mod y", "floor_div": "floor(x/y)", "atan2": "atan2(x, y)", "max": "max(x, y)",
        "min": "min(x, y)", "equal": "x = y", "not_equal": "x ≠ y", "less": "x < y", "less_equal": "x ≤ y", "greater": "x > y",
        "greater_equal": "x ≥ y", "and": "x ∧ y", "or": "x ∨ y", "xor": "x ⊕ y", "not": "¬x", "where": "c ? x : y",
        "abs": "|x|", "sign": "sign(x)", "floor": "floor(x)", "ceil": "ceil(x)", "round": "round(x)", "trunc": "trunc(x)", "square": "x·x",
        "sqrt": "√x", "rsqrt": "1/√x", "reciprocal": "1/x", "exp": "e^x", "exp2": "2^x", "log": "ln x", "log2": "log₂ x", "sin": "sin x",
        "cos": "cos x", "tan": "tan x", "asin": "asin x", "acos": "acos x", "atan": "atan x", "sinh": "sinh x", "cosh": "cosh x",
        "asinh": "asinh x", "acosh": "acosh x", "atanh": "atanh x", "tanh": "tanh x", "erf": "erf x", "isnan": "x ≠ x", "isinf": "|x| = ∞",
        "relu": "max(x, 0)",
    }.items()
}  # fmt: skip

FUNCTIONS: Mapping[str, Cost] = MappingProxyType(
    _SIMPLE
    | {
        "add": Cost(0, 1, "x + y"),
        # A sign flip is part of the operation that reads it: the challenge's sigmoid, 1/(1 + e^−x), is 2 + 1.
        "neg": Cost(0, 0, "−x"),
        "sub": Cost(0, 1, "x − y"),
        "cube": Cost(2, 0, "x·x·x", (), (1, 0)),
        "expm1": Cost(1, 1, "e^x − 1", (), (1, 0)),
        "log1p": Cost(1, 1, "ln(1 + x)", (), (0, 1)),
        # relu6 is a clip from 0 to 6: two compares
        "clip": Cost(2, 0, "min(max(x, low), high)", ("low", "high")),
        "sigmoid": Cost(2, 1, "1/(1 + e^−x)", (), (1, 0)),
        "silu": Cost(3, 1, "x·sigmoid(x)", (), (1, 0)),
        "hard_sigmoid": Cost(3, 1, "clip(alpha·x + beta, 0, 1)", ("alpha", "beta"), (1, 0)),
        "hard_swish": Cost(4, 1, "x·min(max(x + 3, 0), 6)/6", (3.0, 6.0), (0, 1)),
        "gelu": Cost(4, 1, "x·½·(1 + erf(x/√2))", (0.5, sqrt(0.5)), (2, 0)),
        "gelu_tanh": Cost(7, 2, "½·x·(1 + tanh(√(2/π)·(x + 0.044715·x·x·x)))", (0.5, sqrt(2 / pi), 0.044715), (2, 0)),
        "elu": Cost(3, 1, "x > 0 ? x : alpha·(e^x − 1)", ("alpha",), (1, 0)),
        "celu": Cost(4, 1, "x > 0 ? x : alpha·(e^(x/alpha) − 1)", ("alpha",), (1, 0)),
        "selu": Cost(4, 1, "gamma·(x > 0 ? x : alpha·(e^x − 1))", ("alpha", "gamma"), (1, 0)),
        "leaky_relu": Cost(2, 0, "x > 0 ? x : alpha·x", ("alpha",), (1, 0)),
        "prelu": Cost(2, 0, "x > 0 ? x : slope·x"),
        "softplus": Cost(2, 1, "ln(1 + e^x)", (), (1, 0)),
        "softsign": Cost(2, 1, "x/(1 + |x|)", (), (1, 1)),
        "mish": Cost(4, 1, "x·tanh(ln(1 + e^x))", (), (1, 0)),
        "log_sigmoid": Cost(2, 1, "−ln(1 + e^−x)", (), (1, 0)),
        "hard_shrink": Cost(2, 0, "|x| > alpha ? x : 0", ("alpha",)),
        "soft_shrink": Cost(3, 1, "sign(x)·max(|x| − alpha, 0)", ("alpha",), (1, 1)),
        "tanh_shrink": Cost(1, 1, "x − tanh(x)", (), (1, 0)),
        "threshold": Cost(1, 0, "x > alpha ? x : beta", ("alpha", "beta")),
    }
)
"""The price of ``elementwise`` by its ``op``."""


def multiplies_of(op: str, attributes: Mapping[str, Attribute]) -> int:
    """Multiplies per element with the parameters of a node: a clip of one bound compares once, and a factor of 1 is none."""
    if op == "clip":
        return sum(name in attributes for name in ("low", "high"))
    unscaled = attributes.get("alpha", DEFAULTS.get((op, "alpha"))) == 1 and op in ("elu", "celu")
    return 2 if unscaled else FUNCTIONS[op].multiplies


def literals(op: str, attributes: Mapping[str, Attribute]) -> Iterator[float]:
    """The numbers of the formula of ``op`` with the parameters of a node (rule S2).

    clip(x/6 + ½, 0, 1) holds the 3 and 6 of min(max(x + 3, 0), 6)/6, which it is and as which hard-swish has it.
    """
    stated = {name: attributes.get(name, DEFAULTS.get((op, name))) for name in FUNCTIONS[op].literals if isinstance(name, str)}
    alpha, beta = stated.get("alpha"), stated.get("beta")
    if op == "hard_sigmoid" and isinstance(alpha, float) and beta == 0.5 and abs(alpha * 6 - 1) < 2**-22:
        yield from (3.0, 6.0)
        return
    for literal in FUNCTIONS[op].literals:
        number = literal if isinstance(literal, float) else stated[literal]
        if isinstance(number, int | float):
            yield float(number)

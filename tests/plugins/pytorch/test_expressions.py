"""Sizes as text: torch's own spelling is understood, anything else is refused, nothing is evaluated as code."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from micronet_verify_pytorch.expressions import UnknownSymbol, evaluate, symbol_name
from torch.utils._sympy.functions import CeilToInt, CleanDiv, FloorDiv, Max, Min, Mod, PythonMod

S = sympy.Symbol("s77", positive=True, integer=True)


@pytest.mark.parametrize(
    ("expression", "at_six"),
    [
        (S, 6),
        (sympy.Integer(5), 5),
        (2 * S + 1, 2 * 6 + 1),
        (S**2, 6**2),
        (FloorDiv(S + 1, 4), 7 // 4),
        (Mod(S, 4), 6 % 4),
        (PythonMod(S, 4), 6 % 4),
        (Max(S, 9), 9),
        (Min(S, 9), 6),
        (CleanDiv(6 * S, 4), 36 // 4),
        (CeilToInt(S), 6),
        (-S, -6),
    ],
    ids=str,
)
def test_what_torch_writes_is_understood(expression: sympy.Expr, at_six: int) -> None:
    assert evaluate(sympy.srepr(expression), {"s77": 6}) == at_six


@given(st.integers(1, 50), st.integers(-9, 9), st.integers(1, 9), st.integers(1, 9))
def test_agrees_with_sympy(batch: int, a: int, b: int, c: int) -> None:
    expression = FloorDiv(S * b + a, c) * b + a * S
    assert evaluate(sympy.srepr(expression), {"s77": batch}) == int(expression.subs(S, batch))


HOSTILE = [
    "__import__('os').system('true')",
    "Symbol('s77').__class__",
    "(lambda: 1)()",
    "open('/etc/passwd')",
    "[1 for _ in 'ab']",
    "Integer(1.5)",
    "Pow(Integer(9), Pow(Integer(9), Integer(9)))",
    "9**9**9**9",
    "Mul(" * 3000 + "1" + ")" * 3000,
    "1 +" * 10_000 + "1",
    "Integer(" + "9" * 5000 + ")",
    "FloorDiv(1, 0)",
    "IntTrueDiv(Integer(7), Integer(2))",
    "True",
    "",
    "\0",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"size expression|characters"):
        evaluate(text, {"s77": 1})


def test_a_free_symbol_is_named() -> None:
    with pytest.raises(UnknownSymbol, match="s12"):
        evaluate("Mul(Integer(2), Symbol('s12', positive=True, integer=True))", {"s77": 1})


def test_the_batch_is_a_lone_symbol() -> None:
    assert symbol_name("Symbol('s77', positive=True, integer=True)") == "s77"
    assert symbol_name("Mul(Integer(2), Symbol('s77', positive=True, integer=True))") is None
    assert symbol_name("4)") is None

"""Symbolic sizes as integers, without sympy: a few lines over ``ast`` instead of an ``eval``.

torch.export writes a size such as 2·batch as ``Mul(Integer(2), Symbol('s77', positive=True, integer=True))``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from math import prod

LONGEST = 20_000


class UnknownSymbol(ValueError):
    """A free symbol that is not the batch."""


def evaluate(text: str, symbols: Mapping[str, int]) -> int:
    """The integer that ``text`` stands for. Raises ``UnknownSymbol``, or ``ValueError`` for any other text."""
    if len(text) > LONGEST:
        raise ValueError(f"an expression of {len(text):,} characters")
    try:
        return _number(ast.parse(text.strip(), mode="eval").body, symbols)
    except UnknownSymbol:
        raise
    except (SyntaxError, RecursionError, MemoryError, OverflowError, ZeroDivisionError, TypeError, ValueError):
        raise ValueError(f"the size expression {text[:80]!r}") from None


def symbol_name(text: str) -> str | None:
    """The name of the symbol if ``text`` is nothing but one."""
    try:
        node = ast.parse(text.strip()[:LONGEST], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _symbol(node)


def _symbol(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call) and _name(node.func) == "Symbol" and len(node.args) == 1:
        (arg,) = node.args
        if isinstance(arg, ast.Constant) and isinstance(arg.value, str):
            return arg.value
    return None


def _name(node: ast.expr) -> str:
    """``FloorDiv`` of ``FloorDiv`` and of ``torch.utils._sympy.functions.FloorDiv``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _number(node: ast.expr, symbols: Mapping[str, int]) -> int:
    name = _symbol(node)
    if name is not None:
        if name not in symbols:
            raise UnknownSymbol(name)
        return symbols[name]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, symbols)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _small(_OPERATORS[type(node.op)](_number(node.left, symbols), _number(node.right, symbols)))
    if isinstance(node, ast.Call):
        function = _FUNCTIONS.get(_name(node.func))
        if function is not None and node.args:
            return _small(function(*(_number(arg, symbols) for arg in node.args)))
    raise ValueError(ast.dump(node)[:80])


def _small(number: int) -> int:
    """Sizes fit in 64 bits; a tower of powers does not."""
    if abs(number) >= 1 << 63:
        raise OverflowError
    return number


def _power(base: int, exponent: int) -> int:
    if not 0 <= exponent <= 64 or abs(base) >= 1 << 32:
        raise OverflowError
    return int(base**exponent)


def _exact(a: int, b: int) -> int:
    if a % b:
        raise ValueError("a fraction")
    return a // b


def _same(a: int) -> int:
    return a


_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: _power,
}
_FUNCTIONS: dict[str, Callable[..., int]] = {
    **dict.fromkeys("CeilToInt FloorToInt Identity Integer ToFloat TruncToInt".split(), _same),
    "Add": lambda *args: sum(args),
    "CeilDiv": lambda a, b: -(-a // b),
    "CleanDiv": _exact,
    "FloorDiv": lambda a, b: a // b,
    "IntTrueDiv": _exact,
    "Max": max,
    "Min": min,
    "Mod": lambda a, b: a % b,
    "ModularIndexing": lambda base, divisor, modulus: base // divisor % modulus,
    "Mul": lambda *args: prod(args),
    "Pow": _power,
    "PowByNatural": _power,
    "PythonMod": lambda a, b: a % b,
}

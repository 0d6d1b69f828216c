"""Rules of operators that compute element by element, which every format has under a name of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from micronet_verify.facts.formats import BOOL
from micronet_verify.facts.graph import Value
from micronet_verify.framework.translation.op import Op
from micronet_verify.framework.translation.operand import Array, Operand

Rule = Callable[[Op], Value]


def unary(function: str, **parameters: float) -> Rule:
    """A function of one tensor, its parameters fixed by the operator's definition."""
    return lambda op: op.elementwise(function, op.real(), fmt=None, **parameters)


def binary(function: str) -> Rule:
    """A function of two tensors that broadcast."""
    return lambda op: op.elementwise(function, op.real(0), op.real(1))


def predicate(function: str) -> Rule:
    """A comparison, or logic of truth values."""
    return lambda op: op.elementwise(function, op.real(0), op.real(1), fmt=BOOL)


def bitwise(function: str) -> Rule:
    """Bitwise logic keeps the operands' type."""
    return lambda op: op.elementwise(function, *(op.x(index) for index in range(len(op.items))), fmt=op.x(0).format)


def chain(function: str) -> Rule:
    """A function of any number of tensors, two at a time."""

    def rule(op: Op) -> Value:
        result = op.real(0)
        for index in range(1, len(op.items)):
            result = op.elementwise(function, result, op.real(index))
        return result

    return rule


def floor_div(op: Op) -> Value:
    """Of floats it is ⌊x/y⌋ of the rounded quotient, which is no Python's ``//``."""
    x, y = op.real(0), op.real(1)
    return op.emit("elementwise", x, y, op="floor_div", rounding="floor" if x.format.family == "float" else None)


def squared_difference(op: Op) -> Value:
    return op.elementwise("square", op.elementwise("sub", op.real(0), op.real(1)))


def power(op: Op) -> Value:
    """x² is a square, x¹ is x; other exponents are ``pow``."""
    exponent = sole(op.operand(1))
    if exponent == 2:
        return op.elementwise("square", op.real())
    if exponent == 1:
        return op.emit("move", op.real(), op="identity")
    return op.elementwise("pow", op.real(0), op.real(1), fmt=op.real(0).format)


def sole(operand: Operand | None) -> float | None:
    """The one number that an operand is known to be, as the shortest decimal that gives it back."""
    known = None if operand is None else operand.known
    return None if known is None or known.size != 1 else shortest(known)


def shortest(number: Array) -> float:
    """The float32 of a file as people write it: 0.1, not 0.10000000149011612; a whole number stays one."""
    found = number.reshape(-1)[0]
    return float(str(found)) if found.dtype.kind == "f" else int(found)


def prelu(op: Op) -> Value:
    return op.elementwise("prelu", op.real(0), op.real(1))


def where(op: Op) -> Value:
    """Condition, then, else; all broadcast."""
    return op.elementwise("where", op.x(0), op.real(1), op.real(2))


def where_rows(op: Op) -> Value:
    """The same, but a condition of one axis chooses whole slices."""
    condition, then = op.x(0), op.real(1)
    if len(condition.shape) == 1 and len(then.shape) > 1:
        condition = op.builder.reshape(condition, (*condition.shape, *(1,) * (len(then.shape) - 1)))
    return op.elementwise("where", condition, then, op.real(2))


def logical_not(op: Op) -> Value:
    return op.elementwise("not", op.x(), fmt=BOOL)


def shifted(op: Op, function: str, label: str, most: int) -> Value:
    """A shift by n bits is a multiply by 2ⁿ or a whole division: one operation at the same price."""
    known, x = op.known(1, "a shift"), op.x(0)
    if known.size and not 0 <= known.min() <= known.max() <= most:
        op.refuse(f"a shift of {x.format} by {known.min()} to {known.max()} bits", f"be by 0 to {most}")
    factor = np.left_shift(np.ones_like(known), known)
    return op.elementwise(function, x, op.builder.constant(factor, label, op.x(1).format), fmt=x.format)

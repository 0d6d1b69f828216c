"""Arithmetic on sizes: it happens once, on integers, and computes no tensor."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.names import Number


def number(function: Callable[..., int | float]) -> Rule:
    """A function of the numbers of the call, in their order."""

    def translate(call: Call) -> Number:
        operands = []
        for name in call.names():
            operand = call.raw(name)
            if not isinstance(operand, int | float):
                call.refuse(f"{name}={operand!r}", "be a number")
            if abs(operand) >= 1 << 63:
                call.refuse(f"the size {operand}", "fit in 64 bits")
            operands.append(operand)
        return Number(function(*operands))

    return translate


def power(base: float, exponent: float) -> float:
    if abs(exponent) > 64:
        raise OverflowError(f"a power of {exponent}")
    return base**exponent  # type: ignore[no-any-return]


FUNCTIONS: dict[str, Callable[..., int | float]] = {
    "_operator.add": operator.add,
    "_operator.and_": operator.and_,
    "_operator.eq": operator.eq,
    "_operator.floordiv": operator.floordiv,
    "_operator.ge": operator.ge,
    "_operator.gt": operator.gt,
    "_operator.le": operator.le,
    "_operator.lt": operator.lt,
    "_operator.mod": operator.mod,
    "_operator.mul": operator.mul,
    "_operator.ne": operator.ne,
    "_operator.neg": operator.neg,
    "_operator.or_": operator.or_,
    "_operator.pos": operator.pos,
    "_operator.pow": power,
    "_operator.sub": operator.sub,
    "_operator.truediv": operator.truediv,
    "math.trunc": math.trunc,
    "torch.sym_float": float,
    "torch.sym_int": int,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_not": operator.not_,
    "torch.sym_sqrt": math.sqrt,
}

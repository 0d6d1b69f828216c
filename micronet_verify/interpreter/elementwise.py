"""``elementwise``: functions of single values, by their usual formulas.

Floats are computed in the dtype of the call, integers in the width of the result, comparisons in the wider of both formats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from micronet_verify.facts.functions import COMPARE, DEFAULTS
from micronet_verify.facts.shapes import text
from micronet_verify.interpreter.error_function import erf
from micronet_verify.interpreter.node_call import Array, Missing, NodeCall, Operands, number_type

Parameters = Mapping[str, Any]


def elementwise(call: NodeCall, operands: Operands) -> Array:
    """The node's function, on operands that broadcast."""
    op = text(call.attributes, "op")
    if op in COMPARE or op in ("not", "isnan", "isinf"):
        return _truth(call, op, operands)
    if op == "where":
        dtype = call.dtype if call.result.format.family == "float" else number_type(call.result.format, call.double)
        return np.where(operands[0].astype(bool), operands[1].astype(dtype, copy=False), operands[2].astype(dtype, copy=False))
    if call.result.format.family != "float":
        return _whole(call, op, operands)
    parameters = {name: call.attributes.get(name, DEFAULTS.get((op, name))) for name in ("alpha", "beta", "gamma", "low", "high")}
    floats = [operand.astype(call.dtype, copy=False) for operand in operands]
    if op == "floor_div" and call.attributes.get("rounding") == "floor":
        return np.asarray(np.floor(floats[0] / floats[1]))
    if op in _PLAIN:
        return _PLAIN[op](*floats)
    if op in _WITH_PARAMETERS:
        return _WITH_PARAMETERS[op](floats[0], parameters)
    if op in ("mod", "div"):
        return _divided(op, str(call.attributes.get("rounding", "")), *floats)
    if op == "round":
        return round_away(floats[0]) if call.attributes.get("ties") == "away" else np.rint(floats[0])
    raise Missing(call.node, f"elementwise {op}")


def _truth(call: NodeCall, op: str, operands: Operands) -> Array:
    if op in ("and", "or", "xor", "not"):
        if call.result.format.family == "bool":
            return _LOGICAL[op](*(operand.astype(bool) for operand in operands))
        dtype = number_type(call.result.format, call.double)
        return _BITWISE[op](*(operand.astype(dtype, copy=False) for operand in operands))
    floating = any(fmt is not None and fmt.family == "float" for fmt in call.operands)
    return _COMPARED[op](*(operand.astype(call.dtype, copy=False) if floating else operand for operand in operands))


def _whole(call: NodeCall, op: str, operands: Operands) -> Array:
    """Integers: add, sub and mul wrap around in the width of the result; what has no integer form is computed in floats and truncated."""
    dtype = number_type(call.result.format, call.double)
    if any(operand.dtype.kind == "f" for operand in operands):
        floats = call_of_floats(call)
        return elementwise(floats, operands)
    numbers = [operand.astype(dtype, copy=False) for operand in operands]
    if dtype.kind == "b":
        numbers = [number.astype(np.int8) for number in numbers]
    if op in ("div", "floor_div", "mod"):
        rounding = "floor" if op == "floor_div" else str(call.attributes.get("rounding", "trunc" if op == "div" else "floor"))
        return _whole_division(op, rounding, *numbers)
    if op == "clip":
        return _whole_clip(numbers[0], call.attributes.get("low"), call.attributes.get("high"))
    if op == "pow":
        return _whole_power(*numbers)
    if op in _WHOLE:
        return _WHOLE[op](*numbers)
    return elementwise(call_of_floats(call), operands)


def call_of_floats(call: NodeCall) -> NodeCall:
    """The same call with a float64 result: for functions of integers that have no form among integers."""
    from dataclasses import replace

    from micronet_verify.facts.formats import FLOAT64
    from micronet_verify.interpreter.node_call import DOUBLE

    return replace(call, results=(replace(call.result, format=FLOAT64),), dtype=DOUBLE)


def _whole_division(op: str, rounding: str, left: Array, right: Array) -> Array:
    safe = np.where(right == 0, np.asarray(1, right.dtype), right)  # what a division by zero gives is not defined among integers
    quotient, rest = np.divmod(left, safe)
    if rounding == "trunc" and left.dtype.kind == "i":
        off = (rest != 0) & ((left < 0) != (safe < 0))
        quotient = quotient + off.astype(quotient.dtype)
        rest = np.fmod(left, safe)
    return rest if op == "mod" else quotient


def _whole_clip(x: Array, low: Any, high: Any) -> Array:
    info = np.iinfo(x.dtype)
    if low is not None and low > info.min:
        x = np.maximum(x, np.asarray(min(int(np.ceil(low)), info.max), x.dtype))
    if high is not None and high < info.max:
        x = np.minimum(x, np.asarray(max(int(np.floor(high)), info.min), x.dtype))
    return x


def _whole_power(base: Array, exponent: Array) -> Array:
    if exponent.dtype.kind == "u" or not (exponent < 0).any():
        return np.asarray(np.power(base, exponent))
    return np.trunc(np.power(base.astype(np.float64), exponent))


def _divided(op: str, rounding: str, left: Array, right: Array) -> Array:
    if op == "mod":
        return np.fmod(left, right) if rounding == "trunc" else np.mod(left, right)
    quotient = np.divide(left, right)
    return np.floor(quotient) if rounding == "floor" else np.trunc(quotient) if rounding == "trunc" else quotient


def round_away(x: Array) -> Array:
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.sign(x), whole)


def sigmoid(x: Array) -> Array:
    """1/(1 + e^−x)."""
    y = np.negative(x)
    np.exp(y, out=y)
    y += 1
    return np.reciprocal(y, out=y)


def _silu(x: Array) -> Array:
    y = sigmoid(x)
    return np.multiply(y, x, out=y)


def _softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _hard_sigmoid(x: Array, p: Parameters) -> Array:
    return np.asarray(np.clip(p["alpha"] * x + p["beta"], 0, 1))


def _gelu_tanh(x: Array) -> Array:
    y: Array = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi).astype(x.dtype) * (x + 0.044715 * x * x * x)))
    return y


_LOGICAL: dict[str, Callable[..., Array]] = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor, "not": np.logical_not}
_BITWISE: dict[str, Callable[..., Array]] = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "not": np.invert}
_COMPARED: dict[str, Callable[..., Array]] = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "isnan": np.isnan,
    "isinf": np.isinf,
}
_WHOLE: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "square": np.square,
    "cube": lambda x: x * x * x,
    "relu": lambda x: np.maximum(x, 0),
    "floor": lambda x: x,
    "ceil": lambda x: x,
    "round": lambda x: x,
    "trunc": lambda x: x,
}
_PLAIN: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "pow": np.power,
    "floor_div": np.floor_divide,
    "atan2": np.arctan2,
    "max": np.maximum,
    "min": np.minimum,
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "square": np.square,
    "cube": lambda x: x * x * x,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "exp": np.exp,
    "expm1": np.expm1,
    "exp2": np.exp2,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "tanh": np.tanh,
    "erf": erf,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": sigmoid,
    "silu": _silu,
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "gelu": lambda x: x * (0.5 * (1 + erf(x * np.asarray(np.sqrt(0.5), x.dtype)))),
    "gelu_tanh": _gelu_tanh,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "log_sigmoid": lambda x: -_softplus(-x),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "prelu": lambda x, slope: np.where(x > 0, x, slope * x),
}
_WITH_PARAMETERS: dict[str, Callable[[Array, Parameters], Array]] = {
    "clip": lambda x, p: np.clip(x, p["low"], p["high"]),
    "hard_sigmoid": _hard_sigmoid,
    "elu": lambda x, p: _elu(x, p["alpha"]),
    "celu": lambda x, p: np.where(x > 0, x, p["alpha"] * np.expm1(np.minimum(x, 0) / p["alpha"])),
    "selu": lambda x, p: p["gamma"] * _elu(x, p["alpha"]),
    "leaky_relu": lambda x, p: np.where(x > 0, x, p["alpha"] * x),
    "hard_shrink": lambda x, p: np.where(np.abs(x) > p["alpha"], x, np.zeros((), x.dtype)),
    "soft_shrink": lambda x, p: np.sign(x) * np.maximum(np.abs(x) - p["alpha"], 0),
    "threshold": lambda x, p: np.where(x > p["alpha"], x, np.asarray(p["beta"], x.dtype)),
}

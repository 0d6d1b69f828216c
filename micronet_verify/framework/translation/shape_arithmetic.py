"""Arithmetic on shapes with numpy, by neutral names and by what operators with attributes have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from micronet_verify.framework.translation.folding import Fold, Found, fits, is_shape
from micronet_verify.framework.translation.limits import MOST_INTEGERS
from micronet_verify.framework.translation.operand import Array


def arithmetic(function: Callable[[Any, Any], Any]) -> Fold:
    """A function of two or more tensors, two at a time, that keeps the type of the first."""

    def rule(op: Any, x: list[Array]) -> Found:
        if not fits(*(array.shape for array in x)):
            return None
        result = x[0]
        for other in x[1:]:
            result = np.asarray(function(result, other)).astype(x[0].dtype)
        return result

    return rule


def predicate(function: Callable[[Any, Any], Any]) -> Fold:
    return lambda op, x: np.asarray(function(x[0], x[1])) if fits(x[0].shape, x[1].shape) else None


def unary(function: Callable[[Any], Any]) -> Fold:
    return lambda op, x: np.asarray(function(x[0])).astype(x[0].dtype)


def divide(a: Array, b: Array) -> Array:
    """Whole numbers are divided towards zero."""
    return np.asarray(a / b) if a.dtype.kind == "f" else np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(_divisor(b))))


def floor_divide(a: Array, b: Array) -> Array:
    return np.asarray(np.floor(a / b) if a.dtype.kind == "f" else a // _divisor(b))


def modulo(a: Array, b: Array) -> Array:
    """The rest with the sign of the divisor."""
    return np.asarray(np.mod(a, _divisor(b)))


def remainder(a: Array, b: Array) -> Array:
    """The rest with the sign of the dividend."""
    return np.asarray(np.fmod(a, _divisor(b)))


def _divisor(b: Array) -> Array:
    if (b == 0).any():
        raise ZeroDivisionError("a size divided by zero")
    return b


def reduced(function: Callable[..., Any], x: Array, axes: Sequence[int] | None, keep: bool) -> Array:
    """A reduction over axes, or over all."""
    return np.asarray(function(x, axis=None if axes is None else tuple(set(axes)), keepdims=keep)).astype(x.dtype)


def taken(op: Any, x: Array, index: Array, axis: int, from_end: bool = False) -> Found:
    """Slices of ``axis``. ``from_end``: numbers below 0 count from its end."""
    size = x.shape[axis]
    if index.size and (index.min() < (-size if from_end else 0) or index.max() >= size):
        op.refuse(f"an index outside of an axis of {size}", "lie within it")
    return np.take(x, index, axis) if x.size // max(size, 1) * index.size <= MOST_INTEGERS else None


def filled(shape: Array, number: Array) -> Found:
    sizes = tuple(shape.reshape(-1).tolist())
    small = min(sizes, default=0) >= 0 and prod(sizes) <= MOST_INTEGERS and is_shape(number)
    return np.full(sizes, number.reshape(-1)[0], number.dtype) if small else None


def sequence(op: Any, x: list[Array]) -> Found:
    """Start, limit (left out), step."""
    start, limit, delta = (array.reshape(-1)[0] for array in x)
    count = 0 if not delta else max(0, -(-(limit - start) // delta))
    return None if count > MOST_INTEGERS or x[0].dtype.kind == "f" else np.arange(start, limit, delta, dtype=x[0].dtype)


def tiled(op: Any, x: list[Array]) -> Found:
    repeats = x[1].reshape(-1).tolist()
    return np.tile(x[0], repeats) if min(repeats, default=0) >= 0 and x[0].size * prod(repeats) <= MOST_INTEGERS else None


def expanded(op: Any, x: list[Array]) -> Found:
    """x, a shape; sizes of 1 broadcast either way."""
    shape = np.broadcast_shapes(x[0].shape, tuple(x[1].reshape(-1).tolist()))
    return np.broadcast_to(x[0], shape) if prod(shape) <= MOST_INTEGERS else None


def slices(x: Array, axis: int) -> list[Array]:
    """Every slice of an axis, without it."""
    return [np.take(x, index, axis) for index in range(x.shape[axis])]


def cumulated(x: Array, axis: Array, plain: bool) -> Found:
    return np.cumsum(x, int(axis.reshape(-1)[0]), dtype=x.dtype) if plain else None


def begun(op: Any, x: list[Array]) -> Found:
    """x, begins, sizes; −1 is what remains."""
    pairs = zip(x[1].reshape(-1).tolist(), x[2].reshape(-1).tolist(), strict=True)
    return x[0][tuple(slice(begin, None if size == -1 else begin + size) for begin, size in pairs)]


def _shapes(op: Any, x: list[Array]) -> Found:
    return np.array(np.broadcast_shapes(*(tuple(array.reshape(-1).tolist()) for array in x)), x[0].dtype)


NUMPY: Mapping[str, Fold] = {
    "abs": unary(np.abs),
    "add": arithmetic(np.add),
    "and": predicate(np.logical_and),
    "begun": begun,
    "ceil": unary(np.ceil),
    "div": arithmetic(divide),
    "equal": predicate(np.equal),
    "expand": expanded,
    "floor": unary(np.floor),
    "floor_div": arithmetic(floor_divide),
    "greater": predicate(np.greater),
    "greater_equal": predicate(np.greater_equal),
    "insert_axis": lambda op, x: np.expand_dims(x[0], int(x[1].reshape(-1)[0])),
    "less": predicate(np.less),
    "less_equal": predicate(np.less_equal),
    "max": arithmetic(np.maximum),
    "min": arithmetic(np.minimum),
    "mod": arithmetic(modulo),
    "mul": arithmetic(np.multiply),
    "neg": unary(np.negative),
    "not": unary(np.logical_not),
    "not_equal": predicate(np.not_equal),
    "or": predicate(np.logical_or),
    "pow": arithmetic(np.power),
    "range": sequence,
    "reshape": lambda op, x: x[0].reshape(x[1].reshape(-1).tolist()),
    "round": unary(np.rint),
    "shapes": _shapes,
    "sqrt": unary(np.sqrt),
    "sub": arithmetic(np.subtract),
    "tile": tiled,
    "transpose": lambda op, x: x[0].transpose(x[1].reshape(-1).tolist()),
    "where": lambda op, x: np.where(x[0], x[1], x[2]) if fits(*(array.shape for array in x)) else None,
    "xor": predicate(np.logical_xor),
    "zeros_like": lambda op, x: np.zeros_like(x[0]),
}
"""Functions by neutral names; operands come in the order in which most formats have them."""


def named(spelled: str) -> dict[str, Fold]:
    """Operators of a format by the functions that they are: ``Abs=abs AddV2=add``."""
    return {operator: NUMPY[function] for operator, _, function in (pair.partition("=") for pair in spelled.split())}

"""Arithmetic on shapes, done at once with numpy: ``SHAPE → STRIDED_SLICE → PACK → RESHAPE`` describes a tensor, it is no work.

Only whole numbers and truth values of a few thousand elements take part. Floats that come up on the way are followed too,
but their nodes stay in the graph: constant arithmetic on data is the core's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import numpy_dtype
from micronet_verify_tflite.operands import MOST_FLOATS, MOST_INTEGERS, SHAPE_TYPES
from micronet_verify_tflite.slices import strided_slice_of

if TYPE_CHECKING:
    from micronet_verify_tflite.op import Op

Array = NDArray[Any]
Rule = Callable[["Op", list[Array]], "Array | list[Array]"]

# What a rule answers where the result is too big to be about shapes: the operator's own rule takes over.
_TOO_BIG = np.empty(MOST_INTEGERS + 1, np.int64)


def fold(op: Op) -> list[Array] | None:
    """The results of an operator whose operands are all known, or ``None`` where it is work or too big to be about shapes."""
    if op.kind in ("SHAPE", "RANK"):
        sizes = op.required(0).shape
        return [np.array(sizes if op.kind == "SHAPE" else len(sizes), numpy_dtype(op.out_format()))]
    if op.kind not in RULES or not op.operands or op.out_scaling(()) is not None:
        return None
    arrays = [operand.known for operand in op.operands if operand is not None]
    if any(array is None for array in arrays) or any(operand is not None and operand.variable for operand in op.operands):
        return None
    known = [array for array in arrays if array is not None]
    if op.kind in _BROADCASTING and math.prod(np.broadcast_shapes(*(array.shape for array in known))) > MOST_INTEGERS:
        return None
    with np.errstate(all="ignore"):
        found = RULES[op.kind](op, known)
    return _checked(found)


_BROADCASTING = frozenset(
    "ADD SUB MUL DIV FLOOR_DIV FLOOR_MOD MAXIMUM MINIMUM POW EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL LOGICAL_AND LOGICAL_OR "
    "SELECT_V2 SELECT".split()
)


def is_shape(array: Array) -> bool:
    """Whether an array is of a type in which shapes are described."""
    return array.dtype.name in SHAPE_TYPES


def _checked(found: Array | list[Array]) -> list[Array] | None:
    results = [np.asarray(array) for array in (found if isinstance(found, list) else [found])]
    for array in results:
        if not is_shape(array) and array.dtype.name != "float32":
            return None
        if array.size > (MOST_INTEGERS if is_shape(array) else MOST_FLOATS):
            return None
    return results


def _binary(function: Callable[[Any, Any], Any]) -> Rule:
    def rule(op: Op, x: list[Array]) -> Array:
        if op.operator.options.get("fused_activation_function"):
            return _TOO_BIG
        return np.asarray(function(x[0], x[1])).astype(x[0].dtype)

    return rule


def _predicate(function: Callable[[Any, Any], Any]) -> Rule:
    return lambda op, x: np.asarray(function(x[0], x[1]))


def _unary(function: Callable[[Any], Any]) -> Rule:
    return lambda op, x: np.asarray(function(x[0])).astype(x[0].dtype)


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    _check_divisor(b)
    # Whole numbers are divided towards zero.
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def _floor_divide(a: Array, b: Array) -> Array:
    _check_divisor(b)
    return np.asarray(a // b)


def _modulo(a: Array, b: Array) -> Array:
    _check_divisor(b)
    return np.asarray(a % b)


def _check_divisor(b: Array) -> None:
    if (b == 0).any():
        raise ZeroDivisionError("a size divided by zero")


def _power(a: Array, b: Array) -> Array:
    if a.dtype.kind != "f" and (b < 0).any():
        raise ArithmeticError("a negative power of a whole number")
    return np.asarray(a**b)


def _reduce(function: Callable[..., Any]) -> Rule:
    def rule(op: Op, x: list[Array]) -> Array:
        axes = tuple({int(axis) for axis in x[1].reshape(-1)})
        return np.asarray(function(x[0], axis=axes, keepdims=bool(op.option("keep_dims")))).astype(x[0].dtype)

    return rule


def _cast(op: Op, x: list[Array]) -> Array:
    return x[0].astype(numpy_dtype(op.out_format()))


def _concat(op: Op, x: list[Array]) -> Array:
    return np.concatenate(x, op.integer("axis"))


def _pack(op: Op, x: list[Array]) -> Array:
    return np.stack(x, op.integer("axis"))


def _unpack(op: Op, x: list[Array]) -> list[Array]:
    axis = op.integer("axis")
    return [np.take(x[0], index, axis) for index in range(x[0].shape[axis])]


def _gather(op: Op, x: list[Array]) -> Array:
    axis, batch = op.integer("axis"), op.integer("batch_dims")
    size = x[0].shape[axis]
    if x[1].size and (x[1].min() < 0 or x[1].max() >= size):
        op.refuse(f"an index outside of an axis of {size}", "lie within it")
    if batch or x[0].size // max(size, 1) * x[1].size > MOST_INTEGERS:
        return _TOO_BIG
    return np.take(x[0], x[1], axis)


def _slice(op: Op, x: list[Array]) -> Array:
    begins, sizes = x[1].reshape(-1).tolist(), x[2].reshape(-1).tolist()
    return x[0][tuple(slice(b, None if s == -1 else b + s) for b, s in zip(begins, sizes, strict=True))]


def _strided_slice(op: Op, x: list[Array]) -> Array:
    found = strided_slice_of(op, x[0].shape, *(array.reshape(-1).tolist() for array in x[1:4]))
    cut = tuple(slice(places.start, places.stop if places.stop >= 0 else None, places.step) for places in found.places)
    return x[0][cut].reshape(found.shape)


def _split(op: Op, x: list[Array]) -> list[Array]:
    if op.integer("num_splits") != len(op.operator.outputs):
        op.refuse(f"{op.integer('num_splits')} pieces and {len(op.operator.outputs)} results", "be as many")
    return np.split(x[1], op.integer("num_splits"), int(x[0].reshape(-1)[0]))


def _fill(op: Op, x: list[Array]) -> Array:
    shape = tuple(int(size) for size in x[0].reshape(-1))
    if min(shape, default=0) < 0 or math.prod(shape) > MOST_INTEGERS or not is_shape(x[1]):
        return _TOO_BIG
    return np.full(shape, x[1].reshape(-1)[0], x[1].dtype)


def _range(op: Op, x: list[Array]) -> Array:
    start, limit, delta = (array.reshape(-1)[0] for array in x)
    if not delta or x[0].dtype.kind == "f" or -(-(int(limit) - int(start)) // int(delta)) > MOST_INTEGERS:
        return _TOO_BIG
    return np.arange(start, limit, delta, dtype=x[0].dtype)


def _tile(op: Op, x: list[Array]) -> Array:
    repeats = x[1].reshape(-1).tolist()
    if min(repeats, default=0) < 0 or x[0].size * math.prod(repeats) > MOST_INTEGERS:
        return _TOO_BIG
    return np.tile(x[0], repeats)


def _broadcast_to(op: Op, x: list[Array]) -> Array:
    shape = tuple(x[1].reshape(-1).tolist())
    return np.broadcast_to(x[0], shape) if math.prod(shape) <= MOST_INTEGERS else _TOO_BIG


def _broadcast_args(op: Op, x: list[Array]) -> Array:
    return np.array(np.broadcast_shapes(*(tuple(array.reshape(-1).tolist()) for array in x)), x[0].dtype)


def _squeeze(op: Op, x: list[Array]) -> Array:
    return np.squeeze(x[0], op.option("squeeze_dims") or None)


def _cumsum(op: Op, x: list[Array]) -> Array:
    if op.option("exclusive") or op.option("reverse"):
        return _TOO_BIG
    return np.cumsum(x[0], int(x[1].reshape(-1)[0]), dtype=x[0].dtype)


RULES: dict[str, Rule] = {
    "ABS": _unary(np.abs),
    "ADD": _binary(np.add),
    "BROADCAST_ARGS": _broadcast_args,
    "BROADCAST_TO": _broadcast_to,
    "CAST": _cast,
    "CEIL": _unary(np.ceil),
    "CONCATENATION": _concat,
    "CUMSUM": _cumsum,
    "DIV": _binary(_divide),
    "EQUAL": _predicate(np.equal),
    "EXPAND_DIMS": lambda op, x: np.expand_dims(x[0], int(x[1].reshape(-1)[0])),
    "FILL": _fill,
    "FLOOR": _unary(np.floor),
    "FLOOR_DIV": _binary(_floor_divide),
    "FLOOR_MOD": _binary(_modulo),
    "GATHER": _gather,
    "GREATER": _predicate(np.greater),
    "GREATER_EQUAL": _predicate(np.greater_equal),
    "LESS": _predicate(np.less),
    "LESS_EQUAL": _predicate(np.less_equal),
    "LOGICAL_AND": _predicate(np.logical_and),
    "LOGICAL_NOT": _unary(np.logical_not),
    "LOGICAL_OR": _predicate(np.logical_or),
    "MAXIMUM": _binary(np.maximum),
    "MINIMUM": _binary(np.minimum),
    "MUL": _binary(np.multiply),
    "NEG": _unary(np.negative),
    "NOT_EQUAL": _predicate(np.not_equal),
    "PACK": _pack,
    "POW": _binary(_power),
    "RANGE": _range,
    "REDUCE_MAX": _reduce(np.max),
    "REDUCE_MIN": _reduce(np.min),
    "REDUCE_PROD": _reduce(np.prod),
    "RESHAPE": lambda op, x: x[0].reshape(tuple(x[1].reshape(-1).tolist())) if len(x) > 1 else _TOO_BIG,
    "SELECT": lambda op, x: np.where(x[0], x[1], x[2]),
    "SELECT_V2": lambda op, x: np.where(x[0], x[1], x[2]),
    "SLICE": _slice,
    "SPLIT": _split,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _binary(np.subtract),
    "SUM": _reduce(np.sum),
    "TILE": _tile,
    "TRANSPOSE": lambda op, x: x[0].transpose(x[1].reshape(-1).tolist()),
    "UNPACK": _unpack,
    "ZEROS_LIKE": lambda op, x: np.zeros_like(x[0]),
}

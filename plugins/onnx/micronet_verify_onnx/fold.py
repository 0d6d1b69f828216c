"""Arithmetic on shapes, done at once with numpy: ``Shape → Gather → Concat → Reshape`` describes a tensor, it is no work.

Only whole numbers and truth values of a few thousand elements take part. Floats that come up on the way (a scale times
a size, rounded) are followed too, but their nodes stay in the graph: constant arithmetic on data is the core's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import numpy_dtype
from micronet_verify_onnx.formats import element_type
from micronet_verify_onnx.operands import MOST_FLOATS, MOST_INTEGERS, SHAPE_TYPES

if TYPE_CHECKING:
    from micronet_verify_onnx.op import Op

Array = NDArray[Any]
Rule = Callable[["Op", list[Array]], "Array | list[Array]"]

# What a rule answers where the result is too big to be about shapes: the operator's own rule takes over.
_TOO_BIG = np.empty(MOST_INTEGERS + 1, np.int64)


def fold(op: Op) -> list[Array] | None:
    """The results of a node whose operands are all known, or ``None`` where it is work or too big to be about shapes."""
    if op.domain or op.kind not in RULES:
        return None
    if op.kind in ("Shape", "Size"):
        return _checked(RULES[op.kind](op, []))
    operands = [None if operand is None else operand.known for operand in op.operands]
    if not operands or any(known is None for known, operand in zip(operands, op.operands, strict=True) if operand is not None):
        return None
    arrays = [known for known in operands if known is not None]
    if op.kind not in ("ConstantOfShape", "Range") and _is_weight(arrays):
        return None
    # A few thousand rows against a few thousand columns are millions: too big to be about shapes.
    if op.kind in _BROADCASTING and math.prod(np.broadcast_shapes(*(array.shape for array in arrays))) > MOST_INTEGERS:
        return None
    with np.errstate(all="ignore"):
        found = RULES[op.kind](op, arrays)
    return _checked(found)


_BROADCASTING = frozenset("Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mod Mul Or Pow Sub Sum Where Xor".split())


def is_shape(array: Array) -> bool:
    """Whether an array is of a type in which shapes are described."""
    return array.dtype.name in SHAPE_TYPES


def _is_weight(arrays: list[Array]) -> bool:
    """Narrow integers are quantized values, not sizes."""
    return any(not is_shape(array) and array.dtype.kind != "f" for array in arrays)


def _checked(found: Array | list[Array]) -> list[Array] | None:
    results = [np.asarray(array) for array in (found if isinstance(found, list) else [found])]
    for array in results:
        if not is_shape(array) and array.dtype.name not in ("float32", "float64", "float16"):
            return None
        if array.size > (MOST_INTEGERS if is_shape(array) else MOST_FLOATS):
            return None
    return results


def _shape(op: Op, x: list[Array]) -> Array:
    sizes = op.required(0).shape
    start, end = op.integer("start", 0), op.integer("end", len(sizes))
    return np.array(sizes[slice(start, end)], np.int64)


def _cast(op: Op, x: list[Array]) -> Array:
    return x[0].astype(numpy_dtype(element_type(op.integer("to"), op.where).format))


def _binary(function: Callable[[Any, Any], Any]) -> Rule:
    # ONNX arithmetic keeps the operands' type.
    return lambda op, x: np.asarray(function(x[0], x[1])).astype(x[0].dtype)


def _predicate(function: Callable[[Any, Any], Any]) -> Rule:
    return lambda op, x: np.asarray(function(x[0], x[1]))


def _unary(function: Callable[[Any], Any]) -> Rule:
    return lambda op, x: np.asarray(function(x[0])).astype(x[0].dtype)


def _chain(function: Callable[[Any, Any], Any]) -> Rule:
    def rule(op: Op, x: list[Array]) -> Array:
        result = x[0]
        for other in x[1:]:
            result = np.asarray(function(result, other)).astype(x[0].dtype)
        return result

    return rule


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if (b == 0).any():
        raise ZeroDivisionError("a size divided by zero")
    # Whole numbers are divided towards zero.
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def _modulo(op: Op, x: list[Array]) -> Array:
    if (x[1] == 0).any():
        raise ZeroDivisionError("a size divided by zero")
    return np.asarray(np.fmod(x[0], x[1]) if op.integer("fmod", 0) else np.mod(x[0], x[1]))


def _reduce(function: Callable[..., Any]) -> Rule:
    def rule(op: Op, x: list[Array]) -> Array:
        axes = op.integers("axes", ()) or (tuple(int(a) for a in x[1].reshape(-1)) if len(x) > 1 else ())
        if not axes and op.integer("noop_with_empty_axes", 0):
            return x[0]
        found = function(x[0], axis=axes or None, keepdims=bool(op.integer("keepdims", 1)))
        return np.asarray(found).astype(x[0].dtype)

    return rule


def _axes(op: Op, x: list[Array]) -> tuple[int, ...]:
    return tuple(int(axis) for axis in x[1].reshape(-1)) if len(x) > 1 else op.integers("axes", ())


def _unsqueeze(op: Op, x: list[Array]) -> Array:
    return np.expand_dims(x[0], _axes(op, x))


def _squeeze(op: Op, x: list[Array]) -> Array:
    return np.squeeze(x[0], _axes(op, x) or None)


def _slice(op: Op, x: list[Array]) -> Array:
    if op.version < 10:
        starts, ends = op.integers("starts"), op.integers("ends")
        axes, steps = op.integers("axes", tuple(range(len(starts)))), (1,) * len(starts)
    else:
        starts, ends = tuple(x[1].tolist()), tuple(x[2].tolist())
        axes = tuple(op.known_ints(3, tuple(range(len(starts)))))
        steps = tuple(op.known_ints(4, (1,) * len(starts)))
    cut = [slice(None)] * x[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # A start or end before the beginning means the beginning, except for the end of a backward slice.
        size = x[0].shape[axis]
        last = None if step < 0 and end < -size else end
        cut[axis] = slice(start, last, step)
    return x[0][tuple(cut)]


def _gather(op: Op, x: list[Array]) -> Array:
    axis = op.integer("axis", 0)
    size = x[0].shape[axis]
    if x[1].size and (x[1].min() < -size or x[1].max() >= size):
        op.refuse(f"an index outside of an axis of {size}", "lie within it")
    if x[0].size // max(size, 1) * x[1].size > MOST_INTEGERS:
        return _TOO_BIG
    return np.take(x[0], x[1], axis)


def _range(op: Op, x: list[Array]) -> Array:
    start, limit, delta = (array.reshape(-1)[0] for array in x)
    count = 0 if not delta else max(0, -(-(limit - start) // delta))
    if count > MOST_INTEGERS or x[0].dtype.kind == "f":
        return _TOO_BIG
    return np.arange(start, limit, delta, dtype=x[0].dtype)


def _constant_of_shape(op: Op, x: list[Array]) -> Array:
    value = op.tensor("value")
    fill = np.zeros(1, np.float32) if value is None else value.load().reshape(-1)
    shape = tuple(int(size) for size in x[0].reshape(-1))
    if min(shape, default=0) < 0 or math.prod(shape) > MOST_INTEGERS or not is_shape(fill):
        return _TOO_BIG
    return np.full(shape, fill[0], fill.dtype)


def _reshape(op: Op, x: list[Array]) -> Array:
    shape = [x[0].shape[axis] if size == 0 and not op.integer("allowzero", 0) else int(size) for axis, size in enumerate(x[1].reshape(-1))]
    return x[0].reshape(shape)


def _split(op: Op, x: list[Array]) -> list[Array]:
    axis, count = op.integer("axis", 0), len(op.node.output)
    sizes = op.known_ints(1, ()) if len(x) > 1 else op.integers("split", ())
    if not sizes:
        step = -(-x[0].shape[axis] // count)
        sizes = (step,) * (count - 1) + (x[0].shape[axis] - step * (count - 1),)
    return np.split(x[0], np.cumsum(sizes)[:-1], axis)


def _cumsum(op: Op, x: list[Array]) -> Array:
    if op.integer("exclusive", 0) or op.integer("reverse", 0):
        return _TOO_BIG
    return np.cumsum(x[0], int(x[1].reshape(-1)[0]), dtype=x[0].dtype)


def _trilu(op: Op, x: list[Array]) -> Array:
    k = int(x[1].reshape(-1)[0]) if len(x) > 1 else 0
    return np.triu(x[0], k) if op.integer("upper", 1) else np.tril(x[0], k)


def _tile(op: Op, x: list[Array]) -> Array:
    repeats = x[1].reshape(-1).tolist()
    if min(repeats, default=0) < 0 or x[0].size * math.prod(repeats) > MOST_INTEGERS:
        return _TOO_BIG
    return np.tile(x[0], repeats)


def _transpose(op: Op, x: list[Array]) -> Array:
    return x[0].transpose(op.integers("perm", tuple(reversed(range(x[0].ndim)))))


def _scatter_nd(op: Op, x: list[Array]) -> Array:
    if op.text("reduction", "none") != "none":
        return _TOO_BIG
    out = x[0].copy()
    out[tuple(np.moveaxis(x[1], -1, 0))] = x[2]
    return out


RULES: dict[str, Rule] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "And": _predicate(np.logical_and),
    "Cast": _cast,
    "CastLike": lambda op, x: x[0].astype(x[1].dtype),
    "Ceil": _unary(np.ceil),
    "Concat": lambda op, x: np.concatenate(x, op.integer("axis")),
    "ConstantOfShape": _constant_of_shape,
    "CumSum": _cumsum,
    "Div": _binary(_divide),
    "Equal": _predicate(np.equal),
    "Expand": lambda op, x: np.broadcast_to(x[0], np.broadcast_shapes(x[0].shape, tuple(x[1].tolist()))),
    "Floor": _unary(np.floor),
    "Gather": _gather,
    "Greater": _predicate(np.greater),
    "GreaterOrEqual": _predicate(np.greater_equal),
    "Less": _predicate(np.less),
    "LessOrEqual": _predicate(np.less_equal),
    "Max": _chain(np.maximum),
    "Min": _chain(np.minimum),
    "Mod": _modulo,
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "NonZero": lambda op, x: np.array(np.nonzero(x[0]), np.int64),
    "Not": _unary(np.logical_not),
    "Or": _predicate(np.logical_or),
    "Pow": _binary(np.power),
    "Range": _range,
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Reshape": _reshape,
    "Round": _unary(np.rint),
    "ScatterND": _scatter_nd,
    "Shape": _shape,
    "Size": lambda op, x: np.array(op.required(0).numel, np.int64),
    "Slice": _slice,
    "Split": _split,
    "Sqrt": _unary(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _binary(np.subtract),
    "Sum": _chain(np.add),
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
    "Where": lambda op, x: np.where(x[0], x[1], x[2]),
    "Xor": _predicate(np.logical_xor),
}

"""Arithmetic on shapes, done at once with numpy: ``Shape → StridedSlice → Pack → Reshape`` describes a tensor, it is no work.

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
from micronet_verify_tensorflow.operands import MOST_FLOATS, MOST_INTEGERS, SHAPE_TYPES, Handle, Operand
from micronet_verify_tensorflow.strides import index_of

if TYPE_CHECKING:
    from micronet_verify_tensorflow.op import Op

Array = NDArray[Any]
Rule = Callable[["Op", list[Array]], "Array | list[Array] | None"]


def fold(op: Op) -> list[Array] | None:
    """The results of a node whose operands are all known, or ``None`` where it is work or too big to be about shapes."""
    if op.kind in _DESCRIBE:
        return _checked(_DESCRIBE[op.kind](op))
    rule = RULES.get(op.kind)
    if rule is None or not op.items:
        return None
    arrays: list[Array] = []
    for item in op.items:
        known = item.known if isinstance(item, Operand) else None
        if known is None or not (is_shape(known) or known.dtype.kind == "f"):
            return None
        arrays.append(known)
    with np.errstate(all="ignore"):
        found = rule(op, arrays)
    return None if found is None else _checked(found)


def is_shape(array: Array) -> bool:
    """Whether an array is of a type in which shapes are described."""
    return array.dtype.name in SHAPE_TYPES


def _checked(found: Array | list[Array] | None) -> list[Array] | None:
    results = [np.asarray(array) for array in (found if isinstance(found, list) else [found])]
    for array in results:
        if not is_shape(array) and array.dtype.name not in ("float32", "float64", "float16"):
            return None
        if array.size > (MOST_INTEGERS if is_shape(array) else MOST_FLOATS):
            return None
    return results


def _whole(op: Op, attribute: str) -> Any:
    return numpy_dtype(op.format(attribute)) if attribute in op.node.attributes else np.int32


def _shape(op: Op) -> list[Array]:
    return [np.array(operand.shape, _whole(op, "out_type")) for operand in op.operands()]


def _variable_shape(op: Op) -> Array | None:
    handle = op.item(0)
    return np.array(handle.operand.shape, _whole(op, "out_type")) if isinstance(handle, Handle) else None


_DESCRIBE: dict[str, Callable[[Op], Array | list[Array] | None]] = {
    "Shape": _shape,
    "ShapeN": _shape,
    "Size": lambda op: np.array(op.operand(0).numel, _whole(op, "out_type")),
    "Rank": lambda op: np.array(len(op.operand(0).shape), np.int32),
    "VariableShape": _variable_shape,
}


def _fits(*shapes: tuple[int, ...]) -> bool:
    """A few thousand rows against a few thousand columns are millions: too big to be about shapes."""
    return math.prod(np.broadcast_shapes(*shapes)) <= MOST_INTEGERS


def _binary(function: Callable[[Any, Any], Any]) -> Rule:
    return lambda op, x: np.asarray(function(x[0], x[1])).astype(x[0].dtype) if _fits(x[0].shape, x[1].shape) else None


def _predicate(function: Callable[[Any, Any], Any]) -> Rule:
    return lambda op, x: np.asarray(function(x[0], x[1])) if _fits(x[0].shape, x[1].shape) else None


def _unary(function: Callable[[Any], Any]) -> Rule:
    return lambda op, x: np.asarray(function(x[0])).astype(x[0].dtype)


def _divided(floor: bool) -> Rule:
    def rule(op: Op, x: list[Array]) -> Array | None:
        a, b = x
        if not _fits(a.shape, b.shape):
            return None
        if a.dtype.kind == "f":
            return np.asarray(np.floor(a / b) if floor else a / b)
        if (b == 0).any():
            raise ZeroDivisionError("a size divided by zero")
        return np.asarray(a // b if floor else np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))

    return rule


def _modulo(op: Op, x: list[Array]) -> Array | None:
    if (x[1] == 0).any():
        raise ZeroDivisionError("a size divided by zero")
    return np.asarray(np.mod(x[0], x[1])) if _fits(x[0].shape, x[1].shape) else None


def _reduce(function: Callable[..., Any]) -> Rule:
    def rule(op: Op, x: list[Array]) -> Array:
        axes = tuple(int(axis) for axis in x[1].reshape(-1))
        return np.asarray(function(x[0], axis=axes, keepdims=op.flag("keep_dims"))).astype(x[0].dtype)

    return rule


def _gather(op: Op, x: list[Array]) -> Array | None:
    axis = int(x[2]) if len(x) > 2 else 0
    size = x[0].shape[axis]
    if op.integer("batch_dims", 0) or x[0].size // max(size, 1) * x[1].size > MOST_INTEGERS:
        return None
    if x[1].size and (x[1].min() < 0 or x[1].max() >= size):
        op.refuse(f"an index outside of an axis of {size}", "lie within it")
    return np.take(x[0], x[1], axis)


def _range(op: Op, x: list[Array]) -> Array | None:
    start, limit, delta = (array.reshape(-1)[0] for array in x)
    count = math.ceil((limit - start) / delta) if delta else 0
    return np.arange(start, limit, delta, dtype=x[0].dtype) if 0 <= count <= MOST_INTEGERS else None


def _fill(op: Op, x: list[Array]) -> Array | None:
    shape = tuple(int(size) for size in x[0].reshape(-1))
    fits = min(shape, default=0) >= 0 and math.prod(shape) <= MOST_INTEGERS and is_shape(x[1])
    return np.full(shape, x[1], x[1].dtype) if fits else None


def _tile(op: Op, x: list[Array]) -> Array | None:
    repeats = x[1].reshape(-1).tolist()
    return np.tile(x[0], repeats) if min(repeats, default=0) >= 0 and x[0].size * math.prod(repeats) <= MOST_INTEGERS else None


def _broadcast(op: Op, x: list[Array]) -> Array | None:
    shape = tuple(int(size) for size in x[1].reshape(-1))
    return np.broadcast_to(x[0], shape) if math.prod(shape) <= MOST_INTEGERS else None


def _split_sizes(op: Op, x: list[Array]) -> list[Array]:
    if op.kind == "Split":
        return np.split(x[1], op.integer("num_split"), int(x[0]))
    return np.split(x[0], np.cumsum(x[1])[:-1], int(x[2]))


def _cumsum(op: Op, x: list[Array]) -> Array | None:
    plain = not op.flag("exclusive") and not op.flag("reverse")
    return np.cumsum(x[0], int(x[1]), dtype=x[0].dtype) if plain else None


def _unpack(op: Op, x: list[Array]) -> list[Array]:
    axis = op.integer("axis", 0)
    return [np.take(x[0], index, axis) for index in range(x[0].shape[axis])]


def _invert(op: Op, x: list[Array]) -> Array:
    return np.argsort(x[0]).astype(x[0].dtype)


def _slice(op: Op, x: list[Array]) -> Array:
    cut = tuple(slice(int(b), None if s < 0 else int(b) + int(s)) for b, s in zip(x[1].reshape(-1), x[2].reshape(-1), strict=True))
    return x[0][cut]


def _squeeze(op: Op, x: list[Array]) -> Array:
    return np.squeeze(x[0], op.integers("squeeze_dims") or None)


RULES: dict[str, Rule] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "AddV2": _binary(np.add),
    "All": _reduce(np.all),
    "Any": _reduce(np.any),
    "BroadcastArgs": lambda op, x: np.array(np.broadcast_shapes(tuple(x[0].tolist()), tuple(x[1].tolist())), x[0].dtype),
    "BroadcastTo": _broadcast,
    "Cast": lambda op, x: x[0].astype(numpy_dtype(op.format("DstT"))),
    "Ceil": _unary(np.ceil),
    "ConcatV2": lambda op, x: np.concatenate([np.atleast_1d(part) for part in x[:-1]], int(x[-1])),
    "Cumsum": _cumsum,
    "Div": _divided(floor=False),
    "Equal": _predicate(np.equal),
    "ExpandDims": lambda op, x: np.expand_dims(x[0], int(x[1].reshape(-1)[0])),
    "Fill": _fill,
    "Floor": _unary(np.floor),
    "FloorDiv": _divided(floor=True),
    "FloorMod": _modulo,
    "GatherV2": _gather,
    "Greater": _predicate(np.greater),
    "GreaterEqual": _predicate(np.greater_equal),
    "InvertPermutation": _invert,
    "Less": _predicate(np.less),
    "LessEqual": _predicate(np.less_equal),
    "LogicalAnd": _predicate(np.logical_and),
    "LogicalNot": lambda op, x: np.logical_not(x[0]),
    "LogicalOr": _predicate(np.logical_or),
    "Max": _reduce(np.max),
    "Maximum": _binary(np.maximum),
    "Min": _reduce(np.min),
    "Minimum": _binary(np.minimum),
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "NotEqual": _predicate(np.not_equal),
    "Pack": lambda op, x: np.stack(x, op.integer("axis", 0)),
    "Prod": _reduce(np.prod),
    "Range": _range,
    "RealDiv": _divided(floor=False),
    "Reshape": lambda op, x: x[0].reshape(tuple(x[1].reshape(-1).tolist())),
    "Round": _unary(np.rint),
    "Select": lambda op, x: np.where(x[0], x[1], x[2]) if _fits(*(part.shape for part in x)) else None,
    "SelectV2": lambda op, x: np.where(x[0], x[1], x[2]) if _fits(*(part.shape for part in x)) else None,
    "Slice": _slice,
    "Split": _split_sizes,
    "SplitV": _split_sizes,
    "Squeeze": _squeeze,
    "StridedSlice": lambda op, x: x[0][index_of(op, x[0].shape)],
    "Sub": _binary(np.subtract),
    "Sum": _reduce(np.sum),
    "Tile": _tile,
    "Transpose": lambda op, x: x[0].transpose(x[1].reshape(-1)),
    "TruncateDiv": _divided(floor=False),
    "Unpack": _unpack,
}

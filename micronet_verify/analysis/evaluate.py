"""Numpy's version of the kinds that can be done once, among constants (rule S2: what inference needs is the result)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.constants import Constant
from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import NumericFormat, numpy_dtype
from micronet_verify.facts.graph import Node, Value
from micronet_verify.facts.shapes import integer, ints, number, text
from micronet_verify.facts.validate import place
from micronet_verify.interpreter.kinds import FUNCTIONS
from micronet_verify.interpreter.step import ABSENT, settled, step_of

Array = NDArray[Any]

_UNARY: dict[str, Callable[..., Array]] = {
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "trunc": np.trunc,
    "square": np.square,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
_BINARY: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "max": np.maximum,
    "min": np.minimum,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}
# One name for logic and for bits: truth values come out of the one, whole numbers out of the other.
_LOGICAL: dict[str, Callable[..., Array]] = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor, "not": np.logical_not}
_BITWISE: dict[str, Callable[..., Array]] = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "not": np.invert}
# What frameworks do not agree on for negative numbers.
MOST_COUNTED = 1 << 20
_ARITHMETIC = frozenset({"elementwise", "reduce", "softmax", "normalise", "cumulative"})
_UNSIGNED: dict[str, Callable[..., Array]] = {"mod": np.mod, "floor_div": np.floor_divide}
_REDUCE: dict[str, Callable[..., Array]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "sum_square": lambda x, axis, keepdims: np.sum(x * x, axis=axis, keepdims=keepdims),
    "l1": lambda x, axis, keepdims: np.sum(np.abs(x), axis=axis, keepdims=keepdims),
    "l2": lambda x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
}


def is_arithmetic(node: Node, operands: Sequence[Constant]) -> bool:
    """Whether this node, among these constants, can be done once."""
    op = node.attributes.get("op")
    if node.kind == "elementwise" and op in _UNSIGNED and "rounding" not in node.attributes:
        return all(map(_counts, operands))
    return node.kind in _ARITHMETIC


def _counts(constant: Constant) -> bool:
    """Whether a constant holds whole numbers of which none is negative; large ones are not looked through."""
    if not constant.format.is_integer or constant.format.family == "uint":
        return constant.format.family == "uint"
    return constant.numel <= MOST_COUNTED and int(constant.load().min(initial=0)) >= 0


def compute(node: Node, operands: list[Array], formats: Sequence[NumericFormat | None], result: Value) -> Array:
    """The node's value, in the format of its result. ``formats``: of all operands, ``None`` where one is absent.

    Raises ``SubmissionFault`` where its operands have none.
    """
    try:
        with np.errstate(all="ignore"):
            return np.asarray(_computed(node, operands, formats, result), dtype=numpy_dtype(result.format))
    except (ValueError, TypeError) as error:
        raise SubmissionFault(Problem(f"constants that have no {node.attributes['op']} ({error})", "have one", place(node))) from None


def _computed(node: Node, operands: list[Array], formats: Sequence[NumericFormat | None], result: Value) -> Array:
    op = text(node.attributes, "op")
    if node.kind == "reduce" and op in _REDUCE:
        return _REDUCE[op](operands[0], axis=ints(node.attributes, "axes"), keepdims=bool(node.attributes["keepdims"]))
    if op == "round" and node.attributes.get("ties") == "away":
        return _away(operands[0])
    if op == "mod" and node.attributes.get("rounding") == "trunc":
        return np.fmod(*operands)
    if op == "floor_div" and node.attributes.get("rounding") == "floor" and operands[0].dtype.kind == "f":
        return np.asarray(np.floor(operands[0] / operands[1]))
    if op == "clip":
        return np.clip(operands[0], node.attributes.get("low"), node.attributes.get("high"))
    if op == "where":
        return np.where(operands[0], operands[1], operands[2])
    for functions in (
        () if node.kind != "elementwise" else (_UNARY, _BINARY, _UNSIGNED, _LOGICAL if result.format.family == "bool" else _BITWISE)
    ):
        if op in functions:
            return functions[op](*operands)
    left = iter(operands)
    found = FUNCTIONS[node.kind](step_of(node, formats, [result]), [ABSENT if fmt is None else next(left) for fmt in formats])
    return settled(np.asarray(found), result.format, double=False)


def _away(x: Array) -> Array:
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.sign(x), whole)


_ROUNDINGS: dict[str, Callable[[Array], Array]] = {"even": np.rint, "away": _away, "up": lambda x: np.floor(x + 0.5)}


def quantized(node: Node, x: Array, scale: Array, zero: Array | None, result: Value) -> Array:
    """Codes of constant ``x`` in the format of ``result``, rounded as the node says (absent: half to even, as ONNX), clipped."""
    scale, point = spread(node, scale, x.shape), np.float64(0) if zero is None else spread(node, zero, x.shape).astype(np.float64)
    multiplied = bool(node.attributes.get("reciprocal"))
    ratio = (x * (1 / scale).astype(x.dtype)).astype(x.dtype) if multiplied else np.asarray(x, np.float64) / scale
    first = bool(node.attributes.get("zero_first"))
    to_whole = _ROUNDINGS[str(node.attributes.get("rounding", "even"))]
    codes = to_whole((ratio + point).astype(x.dtype).astype(np.float64)) if first else to_whole(ratio.astype(np.float64)) + point
    bits, signed = result.format.bits, result.format.family == "int"
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    low, high = number(node.attributes, "low", least), number(node.attributes, "high", most)
    return np.asarray(np.clip(codes, low, high).astype(numpy_dtype(result.format)))


def spread(node: Node, group: Array, shape: tuple[int, ...]) -> Array:
    """Scales or zero points broadcast against the tensor they belong to (per tensor, per slice of ``axis``, or per block)."""
    group = np.asarray(group)
    axis, block = integer(node.attributes, "axis", -1), integer(node.attributes, "block", 0)
    if axis < 0 or group.size == 1:
        return group.reshape(-1)[:1].reshape(())
    if block:
        return np.repeat(group, block, axis)[tuple(slice(size) for size in shape)]
    extents = [1] * len(shape)
    extents[axis] = -1
    return group.reshape(extents)


def moved(node: Node, operands: list[Array], index: int) -> Array:
    """A move or a constant permutation of constants: a view where numpy can make one."""
    attributes, x = node.attributes, operands[0]
    if node.kind == "permute":
        axis = integer(attributes, "axis")
        return np.flip(x, axis) if attributes["op"] == "flip" else np.take(x, operands[1], axis)
    return _MOVES[text(attributes, "op")](attributes, operands, index)


def _slice(attributes: Any, operands: list[Array], index: int) -> Array:
    cut = [slice(None)] * operands[0].ndim
    fields = (ints(attributes, name) for name in ("axes", "starts", "ends", "steps"))
    for axis, start, end, step in zip(*fields, strict=True):
        cut[axis] = slice(start, end, step)
    return operands[0][tuple(cut)]


def _pad(attributes: Any, operands: list[Array], index: int) -> Array:
    padding, rank, mode = ints(attributes, "padding"), operands[0].ndim, attributes.get("mode", "constant")
    fill = {"constant_values": attributes.get("value", 0)} if mode == "constant" else {}
    return np.pad(operands[0], [(padding[i], padding[rank + i]) for i in range(rank)], mode=mode, **fill)


def _split(attributes: Any, operands: list[Array], index: int) -> Array:
    sizes, axis = ints(attributes, "sizes"), integer(attributes, "axis")
    cut = [slice(None)] * operands[0].ndim
    cut[axis] = slice(sum(sizes[:index]), sum(sizes[: index + 1]))
    return operands[0][tuple(cut)]


_MOVES: dict[str, Callable[[Any, list[Array], int], Array]] = {
    "identity": lambda a, x, i: x[0],
    "reshape": lambda a, x, i: x[0].reshape(a["shape"]),
    "transpose": lambda a, x, i: x[0].transpose(a["perm"]),
    "expand": lambda a, x, i: np.broadcast_to(x[0], a["shape"]),
    "tile": lambda a, x, i: np.tile(x[0], a["repeats"]),
    "concat": lambda a, x, i: np.concatenate(x, axis=a["axis"]),
    "slice": _slice,
    "pad": _pad,
    "split": _split,
}


def mean_variance_scale(mean: Array, variance: Array, scale: Array | None, shift: Array | None, eps: float) -> tuple[Array, Array]:
    """Batch normalisation as y = a·x + b: a = scale / sqrt(variance + eps), b = shift − mean·a (Ioffe & Szegedy, 2015)."""
    a = (1.0 if scale is None else np.asarray(scale, np.float64)) / np.sqrt(np.asarray(variance, np.float64) + eps)
    b = (0.0 if shift is None else np.asarray(shift, np.float64)) - np.asarray(mean, np.float64) * a
    return np.asarray(a), np.asarray(b)

"""``quantize`` and ``dequantize``: codes on a grid, q = clip(round(x / scale) + zero point) and x = (q − zero point) · scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import integer, number
from micronet_verify.interpreter.elementwise import round_away
from micronet_verify.interpreter.node_call import Array, NodeCall, Operands, limits, rounded, wrapped


def quantize(call: NodeCall, operands: Operands) -> Array:
    """Codes in the format of the result.

    The quotient is rounded to the operand's format before it is rounded to a code, also in double precision: a quotient
    that differs from a tie by less than a float32 can hold is a tie in every runtime.
    """
    x, fmt = operands[0], call.operands[0]
    assert fmt is not None
    scale = spread(call.node, operands[1], x.shape).astype(call.dtype, copy=False)
    zero = spread(call.node, operands[2], x.shape).astype(call.dtype, copy=False) if call.has(2) else np.zeros((), call.dtype)
    x = x.astype(call.dtype, copy=False)
    if call.attributes.get("reciprocal"):
        ratio = _kept(x * _kept(1 / scale, fmt).astype(call.dtype, copy=False), fmt)
    else:
        ratio = _kept(x / scale, fmt)
    target = call.result.format
    if target.family == "float":
        low, high = limits(target)
        return rounded(np.clip(ratio + zero, low, high), target)
    to_whole = _ROUNDINGS[str(call.attributes.get("rounding", "even"))]
    codes = to_whole(_kept(ratio + zero.astype(ratio.dtype), fmt)) if call.attributes.get("zero_first") else to_whole(ratio) + zero
    return clipped(call.node, codes, target)


_ROUNDINGS: dict[str, Callable[[Array], Array]] = {"even": np.rint, "away": round_away, "up": lambda x: np.floor(x + x.dtype.type(0.5))}


def clipped(node: Node, codes: Array, target: NumericFormat) -> Array:
    """Whole numbers as codes of a format; NaN becomes the least of them."""
    if target.name == "int1":
        return np.where(codes >= 0, np.int8(1), np.int8(-1))
    least, most = limits(target)
    low, high = max(number(node.attributes, "low", least), least), min(number(node.attributes, "high", most), most)
    return wrapped(np.fmin(np.fmax(codes.astype(np.float64, copy=False), low), high), target)


def _kept(x: Array, fmt: NumericFormat) -> Array:
    return rounded(x, fmt) if fmt.family == "float" else x


def dequantize(call: NodeCall, operands: Operands) -> Array:
    """What codes stand for, in the format of the result."""
    codes = operands[0]
    scale = spread(call.node, operands[1], codes.shape).astype(call.dtype, copy=False)
    if call.has(2):
        zero = spread(call.node, operands[2], codes.shape)
        if codes.dtype.kind in "iu":
            codes = codes.astype(np.int64) - zero.astype(np.int64)
        else:
            codes = codes.astype(call.dtype, copy=False) - zero.astype(call.dtype, copy=False)
    return np.asarray(codes.astype(call.dtype, copy=False) * scale)


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

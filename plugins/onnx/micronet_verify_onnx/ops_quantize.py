"""Quantization as ONNX writes it: QuantizeLinear and DequantizeLinear, integer products, and QLinear operators.

Every spelling becomes quantize and dequantize nodes around the ordinary operator, so that one network has one graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from micronet_verify.plugin import INT32, NumericFormat, Operand, Result, Value, computed, numeric_format
from micronet_verify_onnx.checks import plain
from micronet_verify_onnx.formats import element_type
from micronet_verify_onnx.op import Op, Rule
from micronet_verify_onnx.ops_create import ahead
from micronet_verify_onnx.ops_linear import convolution

UINT8 = numeric_format("uint8")


def quantize_linear(op: Op) -> Value:
    """QuantizeLinear; a Clip that follows narrows its range (QCDQ)."""
    if op.has(2):
        fmt = op.operand(2).format
    elif op.integer("output_dtype", 0):
        fmt = element_type(op.integer("output_dtype"), op.where).format
    else:
        fmt = UINT8
    if fmt.family == "float" and not op.integer("saturate", 1):
        op.refuse("a quantizer to float8 with saturate=0", "saturate", "set saturate=1")
    fmt, low, high = _narrowed(fmt, *_clip_behind(op))
    return quantized(op, op.x(0), op.operand(1), _operand(op, 2), fmt, op.integer("axis", 1), op.integer("block_size", 0), low, high)


def dequantize_linear(op: Op) -> Value:
    x, scale, zero = op.x(0), op.operand(1), _operand(op, 2)
    fmt = element_type(op.integer("output_dtype"), op.where).format if op.integer("output_dtype", 0) else None
    return dequantized(op, x, scale, zero, op.integer("axis", 1), op.integer("block_size", 0), fmt)


def _operand(op: Op, index: int) -> Operand | None:
    return op.operand(index) if op.has(index) else None


def quantized(
    op: Op,
    x: Value,
    scale: Operand,
    zero: Operand | None,
    fmt: NumericFormat,
    axis: int = 1,
    block: int = 0,
    low: float | None = None,
    high: float | None = None,
) -> Value:
    """round(x / scale) + zero point, in format ``fmt``."""
    axis, block = _granularity(op, x, scale, axis, block)
    return op.emit("quantize", x, scale.value, *_zero(zero), fmt=fmt, axis=axis, block=block or None, low=low, high=high)


def dequantized(
    op: Op, x: Value, scale: Operand, zero: Operand | None, axis: int = 1, block: int = 0, fmt: NumericFormat | None = None
) -> Value:
    """(x − zero point) · scale."""
    axis, block = _granularity(op, x, scale, axis, block)
    return op.emit("dequantize", x, scale.value, *_zero(zero), fmt=fmt, axis=axis, block=block or None)


def _granularity(op: Op, x: Value, scale: Operand, axis: int, block: int) -> tuple[int, int]:
    """(axis, block): axis −1 for one scale, block 0 for one scale per slice of the axis."""
    if scale.numel == 1 and not block:
        return -1, 0
    axis = op.axis(axis, len(x.shape))
    if block:
        wanted = (*x.shape[:axis], -(-x.shape[axis] // block), *x.shape[axis + 1 :])
        if block < 0 or scale.shape != wanted:
            op.refuse(f"scales of shape {scale.shape} for blocks of {block} of {x.shape}", f"have shape {wanted}")
    elif scale.shape != (x.shape[axis],):
        op.refuse(f"scales of shape {scale.shape} for axis {axis} of {x.shape}", f"be one number, or {x.shape[axis]}")
    return axis, block


def _zero(zero: Operand | None) -> tuple[Value, ...]:
    """A zero point of zero is the same as none: nothing is subtracted and nothing need be stored."""
    if zero is None or (zero.known is not None and not np.any(zero.known)):
        return ()
    return (zero.value,)


def _clip_behind(op: Op) -> tuple[float | None, float | None]:
    """Bounds of the one Clip that reads the result, if they are constant; the Clip itself is then the result."""
    clip = only_reader(op, op.node.output[0], "Clip")
    if clip is None or op.version < 11:
        return None, None
    bounds = [_constant(op, name) for name in (*clip.input[1:], "", "")[:2]]
    if any(bound is None and name for bound, name in zip(bounds, clip.input[1:], strict=False)):
        return None, None
    op.scope.done[clip.output[0]] = op.node.output[0]
    return bounds[0], bounds[1]


def _narrowed(fmt: NumericFormat, low: float | None, high: float | None) -> tuple[NumericFormat, float | None, float | None]:
    """The narrowest format that holds the clipped codes, and what of the clip it does not say already."""
    if not fmt.is_integer or (low is None and high is None):
        return fmt, None, None
    least, most = _codes(fmt)
    least, most = max(least, int(low)) if low is not None else least, min(most, int(high)) if high is not None else most
    held = next(form for bits in range(1, 65) if _holds(form := numeric_format(f"{fmt.family}{bits}"), least, most))
    return (held, None, None) if _codes(held) == (least, most) else (held, float(least), float(most))


def _codes(fmt: NumericFormat) -> tuple[int, int]:
    return (0, 2**fmt.bits - 1) if fmt.family == "uint" else (-(2 ** (fmt.bits - 1)), 2 ** (fmt.bits - 1) - 1)


def _holds(fmt: NumericFormat, least: int, most: int) -> bool:
    return _codes(fmt)[0] <= least and most <= _codes(fmt)[1]


def _constant(op: Op, name: str) -> float | None:
    operand = ahead(op, name) if name else None
    return float(operand.known.reshape(-1)[0]) if operand is not None and operand.known is not None and operand.numel else None


def dynamic_quantize(op: Op) -> tuple[Value, Value, Value]:
    """DynamicQuantizeLinear: scale and zero point come from the range of the data, which is computed."""
    x = op.x()
    axes = tuple(range(len(x.shape)))
    high, low = (op.emit("reduce", x, op=name, axes=axes, keepdims=False) for name in ("max", "min"))
    none = op.scalar(0, x)
    high, low = op.elementwise("max", high, none), op.elementwise("min", low, none)
    scale = op.elementwise("div", op.elementwise("sub", high, low), op.scalar(255, x))
    start = op.elementwise("div", op.elementwise("sub", none, low), scale)
    zero = op.elementwise("round", op.elementwise("clip", start, low=0.0, high=255.0))
    zero = op.emit("move", zero, op="cast", fmt=UINT8)
    return op.emit("quantize", x, scale, zero, fmt=UINT8, axis=-1), scale, zero


def qlinear_conv(op: Op) -> Value:
    """QLinearConv: x, its scale and zero point, w likewise, y's scale and zero point, bias?"""
    x = dequantized(op, op.x(0), op.operand(1), op.operand(2))
    weight = dequantized(op, op.x(3), op.operand(4), op.operand(5), axis=0)
    bias = None
    if op.has(8):
        # The bias is in units of the product of both scales.
        unit = op.elementwise("mul", op.x(1), op.x(4))
        bias = op.emit("dequantize", op.x(8), unit, axis=-1 if unit.numel == 1 else 0)
    y = convolution(op, x, weight, bias)
    return quantized(op, y, op.operand(6), op.operand(7), op.operand(7).format)


def qlinear_matmul(op: Op) -> Value:
    """QLinearMatMul: a, its scale and zero point, b likewise, y's scale and zero point."""
    a, b = _matrix(op, 0, rows=True), _matrix(op, 3, rows=False)
    return quantized(op, op.builder.matmul(a, b), op.operand(6), op.operand(7), op.operand(7).format)


def _matrix(op: Op, first: int, rows: bool) -> Value:
    """A quantized matrix; scales of several numbers are per row of the left operand, per column of the right."""
    x = op.x(first)
    return dequantized(op, x, op.operand(first + 1), op.operand(first + 2), axis=-2 if rows and len(x.shape) > 1 else -1)


def binary(function: str) -> Rule:
    """com.microsoft QLinearAdd and QLinearMul: a, b and y with scale and zero point each."""

    def rule(op: Op) -> Value:
        a, b = dequantized(op, op.x(0), op.operand(1), _operand(op, 2)), dequantized(op, op.x(3), op.operand(4), _operand(op, 5))
        return quantized(op, op.elementwise(function, a, b), op.operand(6), _operand(op, 7), _like(op, 7))

    return rule


def unary(inner: Rule) -> Rule:
    """com.microsoft QLinear functions of one tensor: x and y with scale and zero point each."""

    def rule(op: Op) -> Value:
        y = on(op, inner, dequantized(op, op.x(0), op.operand(1), _operand(op, 2)))
        return quantized(op, y, op.operand(3), _operand(op, 4), _like(op, 4))

    return rule


def on(op: Op, rule: Rule, x: Value) -> Value:
    """An ordinary rule with ``x`` as its first operand."""
    kept = op.items
    op.items = [computed(op.builder, x)]
    try:
        result: Result | Sequence[Result | None] = rule(op)
    finally:
        op.items = kept
    if isinstance(result, Operand):
        return result.value
    assert isinstance(result, Value)
    return result


def _like(op: Op, index: int) -> NumericFormat:
    return op.operand(index).format if op.has(index) else op.operand(0).format


def concat(op: Op) -> Value:
    """com.microsoft QLinearConcat: y's scale and zero point, then each part with its own."""
    parts = [dequantized(op, op.x(index), op.operand(index + 1), _operand(op, index + 2)) for index in range(2, len(op.items) - 2, 3)]
    joined = op.emit("move", *parts, op="concat", axis=op.axis(op.integer("axis"), len(parts[0].shape)))
    return quantized(op, joined, op.operand(0), _operand(op, 1), _like(op, 1))


def conv_integer(op: Op) -> Value:
    """ConvInteger: x, w, x's zero point?, w's zero point?"""
    scales = _scales_behind(op, op.operand(1).shape[0], len(op.operand(0).shape) - 1)
    x, weight = _integers(op, 0, 2, scales[0], -1), _integers(op, 1, 3, scales[1], 0)
    return _whole(op, convolution(op, x, weight, None), scales)


def matmul_integer(op: Op) -> Value:
    """MatMulInteger: a, b, a's zero point?, b's zero point?"""
    scales = _scales_behind(op, op.operand(1).shape[-1], 1)
    a, b = _integers(op, 0, 2, scales[0], -2 if len(op.operand(0).shape) > 1 else -1), _integers(op, 1, 3, scales[1], -1)
    return _whole(op, op.builder.matmul(a, b), scales)


Scales = tuple[Operand | None, Operand | None]


def _integers(op: Op, index: int, zero: int, scale: Operand | None, axis: int) -> Value:
    x, point = op.x(index), _operand(op, zero)
    if scale is None:
        one = op.builder.scalar(1.0)
        scale = computed(op.builder, op.expand(one, point.shape) if point is not None and point.numel > 1 else one, static=True)
    elif scale.numel > 1:
        scale = computed(op.builder, op.builder.reshape(scale.value, (scale.numel,)), scale.static)
    return dequantized(op, x, scale, point, axis)


def _whole(op: Op, y: Value, scales: Scales) -> Value:
    """Without scales the result is a whole number; with them the Cast and Mul behind are already in the operands."""
    return op.emit("move", y, op="cast", fmt=INT32) if scales == (None, None) else y


def _scales_behind(op: Op, channels: int, channel_axis: int) -> Scales:
    """The scales of x and w, where the whole-number product is cast to float and multiplied by them.

    product → Cast → Mul(·, scale of w) or Mul(·, Mul(scale of x, scale of w)), as dynamic quantization writes it, or two
    Muls one after the other, is the same as dequantized operands. ``channel_axis`` counts the axis of the output channels
    from the end.
    """
    cast = only_reader(op, op.node.output[0], "Cast")
    multiply = None if cast is None else only_reader(op, cast.output[0], "Mul")
    if cast is None or multiply is None:
        return None, None
    name, absorbed = _other(multiply, cast.output[0]), [cast.output[0], multiply.output[0]]
    producer = op.scope.producer(name)
    names = list(producer.input) if producer is not None and producer.op_type == "Mul" and not plain(producer.domain) else [name]
    if len(names) == 1 and (second := only_reader(op, multiply.output[0], "Mul")) is not None:
        scale = ahead(op, _other(second, multiply.output[0]))
        if scale is not None and scale.static and _is_per_channel(scale, channels, channel_axis):
            names.append(_other(second, multiply.output[0]))
            absorbed.append(second.output[0])
    found = [ahead(op, name) for name in names]
    # The weight's scale is the constant one, or the one per channel; the other belongs to x.
    ordered = sorted((scale for scale in found if scale is not None), key=lambda scale: (scale.numel > 1, scale.static))
    fits = all(_is_per_channel(scale, channels, channel_axis) for scale in ordered)
    if len(ordered) != len(found) or not fits or (len(ordered) == 2 and ordered[0].numel > 1) or not ordered[-1].static:
        return None, None
    op.scope.done.update(dict.fromkeys(absorbed, op.node.output[0]))
    return (ordered[0], ordered[1]) if len(ordered) == 2 else _divided(op, ordered[0])


def _other(multiply: onnx.NodeProto, name: str) -> str:
    """The operand of a Mul beside ``name``."""
    return str(multiply.input[1] if multiply.input[0] == name else multiply.input[0])


def _divided(op: Op, product: Operand) -> Scales:
    """One scale behind stands for both: x's is the one that it was quantized with, what remains is the weight's."""
    producer = op.scope.producer(op.node.input[0])
    if producer is None or producer.op_type != "QuantizeLinear":
        return None, product
    scale = op.scope.find(producer.input[1])
    if not isinstance(scale, Operand) or scale.numel != 1 or not scale.static:
        return None, product
    return scale, computed(op.builder, op.elementwise("div", product.value, scale.value), static=True)


def _is_per_channel(scale: Operand, channels: int, channel_axis: int) -> bool:
    if scale.numel == 1:
        return len(scale.shape) <= channel_axis + 1
    return len(scale.shape) >= channel_axis and scale.shape[-channel_axis] == scale.numel == channels


def only_reader(op: Op, name: str, kind: str) -> onnx.NodeProto | None:
    """The node of ONNX's own ``kind`` that alone reads ``name``."""
    readers = op.scope.readers(name)
    return readers[0] if len(readers) == 1 and readers[0].op_type == kind and not plain(readers[0].domain) else None

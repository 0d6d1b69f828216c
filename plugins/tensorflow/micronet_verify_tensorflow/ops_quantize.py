"""FakeQuant: values rounded to a grid of 2^bits steps between a least and a greatest value, as quantization-aware training leaves it.

Formula (TensorFlow, ``fake_quant_ops_functor.h``): scale = (max − min) / (q_max − q_min); the zero point is q_min − min / scale,
rounded half away from zero into the range, so that 0 lies on the grid; then x → (clip(round(x / scale) + zero) − zero)·scale.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import FLOAT32, NumericFormat, Operand, Order, Result, Value, numeric_format
from micronet_verify_tensorflow.op import Op

Array = NDArray[Any]


def fake_quant_args(op: Op) -> Result:
    low, high = op.number("min", -6.0), op.number("max", 6.0)
    return _quantized(op, np.array([low], np.float32), np.array([high], np.float32), per_channel=False)


def fake_quant_vars(op: Op) -> Result:
    """x, min, max: one number each, or one for each slice of the last axis."""
    per_channel = op.kind.endswith("PerChannel")
    low, high = (_bounds(op, index) for index in (1, 2))
    channels = op.operand(0).shape[-1:] if per_channel else (1,)
    if low.shape != channels or high.shape != channels:
        op.refuse(f"{low.size} and {high.size} bounds for {channels[0]} channels", "be one each")
    return _quantized(op, low, high, per_channel)


def _bounds(op: Op, index: int) -> Array:
    load = op.operand(index).load
    if load is None:
        op.refuse("bounds that the data decides", "be constants", "export the model after training, with its ranges fixed")
    return np.asarray(load(), np.float32).reshape(-1)


def _quantized(op: Op, low: Array, high: Array, per_channel: bool) -> Result:
    bits, narrow = op.integer("num_bits", 8), op.flag("narrow_range")
    least, most = int(narrow), 2**bits - 1
    if not 2 <= bits <= 16 or not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        got = f"{bits} bits between {low.tolist()[:4]} and {high.tolist()[:4]}"
        op.refuse(got, "be 2 to 16 bits between a lesser and a greater number")
    scales = ((high - low) / np.float32(most - least)).astype(np.float32)
    zeros = np.array([_zero_point(float(a), float(s), least, most) for a, s in zip(low, scales, strict=True)])
    # A grid that is symmetric around 0 is one of signed codes without a zero point.
    half = 2 ** (bits - 1)
    signed = bool((zeros == half).all())
    fmt = numeric_format(f"{'int' if signed else 'uint'}{bits}")
    start = float(least - half if signed else least)
    bound = start if narrow else None
    x = op.operand(0)
    where = len(x.shape) - 1 if per_channel else -1

    def make(value: Value, axis: int) -> Value:
        op.here()
        scale, zero = _parameters(op, scales, zeros, signed, fmt, axis)
        # ⌊x · (1/scale) + zero point + ½⌋, each in float32.
        code = op.emit("quantize", value, scale, *zero, fmt=fmt, axis=axis, low=bound, rounding="up", zero_first=True, reciprocal=True)
        return op.emit("dequantize", code, scale, *zero, fmt=value.format, axis=axis)

    def arranged(order: Order | None) -> Value:
        return make(x.arranged(order), where if order is None or not per_channel else order.index(where))

    return Operand(x.shape, x.format, arranged, static=True) if x.static else make(x.value, where)


def _parameters(op: Op, scales: Array, zeros: Array, signed: bool, fmt: NumericFormat, axis: int) -> tuple[Value, tuple[Value, ...]]:
    name = op.node.name
    scale = op.builder.constant(scales if axis >= 0 else scales.reshape(()), f"{name}/scale", FLOAT32)
    if signed or not zeros.any():
        return scale, ()
    return scale, (op.builder.constant(zeros if axis >= 0 else zeros.reshape(()), f"{name}/zero_point", fmt),)


def _zero_point(low: float, scale: float, least: int, most: int) -> int:
    raw = float(np.float32(least) - np.float32(low) / np.float32(scale))
    return int(min(max(math.copysign(math.floor(abs(raw) + 0.5), raw), least), most))

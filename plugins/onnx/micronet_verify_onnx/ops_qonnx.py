"""QONNX: Quant, BipolarQuant and Trunc quantize and dequantize in one operator; here they are the two nodes that they are.

Domains ``qonnx.custom_op.general`` and ``onnx.brevitas``. Formulas: the QONNX operator definitions (qonnx, docs/qonnx-custom-ops).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import NumericFormat, Operand, Value, computed, numeric_format
from micronet_verify_onnx.op import Op
from micronet_verify_onnx.ops_quantize import dequantized, quantized

_ROUNDING = frozenset({"ROUND", "CEIL", "FLOOR", "ROUND_TO_ZERO", "HALF_EVEN", "HALF_UP", "HALF_DOWN", "UP", "DOWN", "ROUND_DOWN"})


def quant(op: Op) -> Value:
    """Quant: x, scale, zero point, bit width; narrow leaves out the lowest code."""
    bits, signed = _bits(op, 3), bool(op.integer("signed", 1))
    fmt = numeric_format(f"{'int' if signed else 'uint'}{bits}")
    low = high = None
    if op.integer("narrow", 0):
        # ±(2^(b−1) − 1) where signed; unsigned narrow leaves out the highest code instead.
        low, high = (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 2)
    if op.text("rounding_mode", "ROUND").upper() not in _ROUNDING:
        op.refuse(f"rounding_mode {op.text('rounding_mode')!r}", f"be one of {', '.join(sorted(_ROUNDING))}")
    return _both(op, op.x(0), op.operand(1), op.operand(2), fmt, low, high)


_FLOATS = {(4, 3, 7, 448): "float8_e4m3fn", (5, 2, 15, 57344): "float8_e5m2", (2, 1, 1, 6): "float4_e2m1fn"}


def float_quant(op: Op) -> Value:
    """FloatQuant: x, scale, widths of exponent and mantissa, bias of the exponent, largest value."""
    names = ("a width of the exponent", "a width of the mantissa", "a bias of the exponent", "a largest value")
    key = tuple(int(op.known(2 + at, name).reshape(-1)[0]) for at, name in enumerate(names))
    if key not in _FLOATS or not op.integer("has_subnormal", 1) or not op.integer("saturation", 1) or not op.integer("signed", 1):
        op.refuse(
            f"FloatQuant with exponent {key[0]}, mantissa {key[1]}, bias {key[2]} and largest value {key[3]}",
            f"be one of {', '.join(_FLOATS.values())}, with subnormals, saturating",
        )
    if op.text("rounding_mode", "ROUND").upper() not in ("ROUND", "HALF_EVEN"):
        op.refuse(f"rounding_mode {op.text('rounding_mode')!r}", "be ROUND")
    return _both(op, op.x(0), op.operand(1), None, numeric_format(_FLOATS[key]), None, None)


def bipolar_quant(op: Op) -> Value:
    """BipolarQuant: +scale where x ≥ 0, else −scale: one bit. A comparison and a choice."""
    x = op.x(0)
    one, minus = op.scalar(1.0, x), op.scalar(-1.0, x)
    x = op.elementwise("where", op.elementwise("greater_equal", x, op.scalar(0.0, x)), one, minus)
    scale, axis = _scale(op, op.operand(1), len(x.shape))
    codes = op.emit("quantize", x, op.scalar(1.0, x), fmt=numeric_format("int1"), axis=-1, low=-1, high=1)
    return op.emit("dequantize", codes, scale.value, axis=axis)


def trunc(op: Op) -> Value:
    """Trunc: x, scale, zero point, bits before, bits after (before them, newer: the scale after)."""
    newer = op.has(5)
    before, after = _bits(op, 3), _bits(op, 5 if newer else 4)
    fmt = numeric_format(f"{'int' if op.integer('signed', 1) else 'uint'}{after}")
    scale = op.operand(4 if newer else 1)
    if not newer and before > after:
        # Dropping the lowest bits makes the steps larger.
        scale = computed(op.builder, op.elementwise("mul", scale.value, op.scalar(2.0 ** (before - after), scale.value)), scale.static)
    return _both(op, op.x(0), scale, op.operand(2), fmt, None, None)


def _both(op: Op, x: Value, scale: Operand, zero: Operand | None, fmt: NumericFormat, low: float | None, high: float | None) -> Value:
    scale, axis = _scale(op, scale, len(x.shape))
    zero = None if zero is None else _zero_point(op, zero, fmt)
    codes = quantized(op, x, scale, zero, fmt, axis, 0, low, high)
    return dequantized(op, codes, scale, zero, axis)


def _scale(op: Op, scale: Operand, rank: int) -> tuple[Operand, int]:
    """A scale that broadcasts, as one number or one per slice of an axis."""
    wide = [axis for axis, size in enumerate(scale.shape) if size > 1]
    if len(wide) > 1:
        op.refuse(f"a scale of shape {scale.shape}", "vary along one axis at most")
    shape = (scale.shape[wide[0]],) if wide else ()
    axis = rank - len(scale.shape) + wide[0] if wide else -1
    return (scale if scale.shape == shape else computed(op.builder, op.builder.reshape(scale.value, shape), scale.static)), axis


def _zero_point(op: Op, zero: Operand, fmt: NumericFormat) -> Operand | None:
    """QONNX writes zero points as floats; they are codes."""
    known = zero.known
    if known is None:
        op.refuse("a zero point that is not constant", "be constant")
    if not np.any(known):
        return None
    if not np.array_equal(known, np.rint(known)):
        op.refuse("a zero point that is not a whole number", "be one")
    wide = [size for size in zero.shape if size > 1]
    held = numeric_format("int64")
    shape = (math.prod(wide),) if wide else ()
    value = op.builder.constant(known.reshape(shape).astype(np.int64), op.node.input[2], fmt if _fits(known, fmt) else held)
    return computed(op.builder, value, static=True, known=known.reshape(shape))


def _fits(known: NDArray[Any], fmt: NumericFormat) -> bool:
    low, high = (-(2 ** (fmt.bits - 1)), 2 ** (fmt.bits - 1) - 1) if fmt.family == "int" else (0, 2**fmt.bits - 1)
    return bool((known >= low).all() and (known <= high).all())


def _bits(op: Op, index: int) -> int:
    bits = float(op.known(index, "a bit width").reshape(-1)[0])
    if op.operand(index).numel != 1 or bits != int(bits) or not 1 <= bits <= 64:
        op.refuse(f"a bit width of {op.known(index, 'a bit width').tolist()}", "be one whole number from 1 to 64")
    return int(bits)

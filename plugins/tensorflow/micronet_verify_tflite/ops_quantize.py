"""QUANTIZE, DEQUANTIZE and FAKE_QUANT, and the operators whose kernels quantize activations on the fly (dynamic range).

A quantized tensor of the file is codes with a scale: rules ask for its numbers, which are a dequantize node, and hand in
numbers, which become a quantize node. So an integer operator is dequantize, operator, quantize, as in every other spelling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from micronet_verify.plugin import Operand, Order, Result, Value, numeric_format
from micronet_verify_tflite.op import Op, given
from micronet_verify_tflite.operands import numbers_of

UINT8, INT8 = numeric_format("uint8"), numeric_format("int8")


def quantize(op: Op) -> Value:
    """Numbers, or codes of another scale, as codes of the result."""
    if op.out_scaling(op.operand(0).shape) is None:
        op.refuse("a QUANTIZE to a tensor without a scale", "have one")
    return op.real()


def dequantize(op: Op) -> Result:
    """Codes, or narrow floats (rule O11), as fp32; a constant keeps its axes free to be arranged."""
    x, fmt = op.operand(0), op.out_format()
    if x.scaling is None and x.format.family != "float":
        op.refuse(f"a DEQUANTIZE of {x.format} without a scale", "have one")

    def arranged(order: Order | None) -> Value:
        y = numbers_of(op.builder, x, order)
        return y if y.format == fmt else op.emit("move", y, op="cast", fmt=fmt)

    if x.static:
        return Operand(x.shape, fmt, arranged, static=True)
    return arranged(None)


def densify(op: Op) -> Result:
    """A sparse constant is read with its zeros; here it is the same tensor."""
    return op.operand(0)


def fake_quant(op: Op) -> Value:
    """Quantize and dequantize between ``min`` and ``max``, moved a little so that 0 is a code (TensorFlow's formula)."""
    bits, narrow = op.integer("num_bits"), bool(op.option("narrow_range"))
    low, high = float(op.option("min")), float(op.option("max"))
    if not 2 <= bits <= 16 or not low < high:
        op.refuse(f"{bits} bits from {low} to {high}", "be 2 to 16 bits of a range")
    least, most = int(narrow), 2**bits - 1
    scale = float(np.float32((high - low) / (most - least)))
    zero = int(np.clip(np.rint(least - low / scale), least, most))
    fmt = numeric_format(f"uint{bits}")
    x, unit = op.real(), op.builder.scalar(scale)
    point = (op.builder.scalar(zero, fmt),) if zero else ()
    low_code = float(least) if narrow else None
    codes = op.emit("quantize", x, unit, *point, fmt=fmt, axis=-1, low=low_code, rounding="up", zero_first=True, reciprocal=True)
    return op.emit("dequantize", codes, unit, *point, axis=-1)


@dataclass(frozen=True, slots=True)
class Rows:
    """Activations of a hybrid operator as codes; ``scale`` [rows, 1] is still to be multiplied into the product, if any."""

    value: Value
    scale: Value | None


def is_hybrid(op: Op, x: int = 0, weight: int = 1) -> bool:
    """Whether float activations meet integer weights: the kernel quantizes the activations on the fly."""
    found = op.operand(weight)
    return op.operand(x).format.family == "float" and found.scaling is not None


def dynamic_rows(op: Op, x: Value, examples: int, asymmetric: bool) -> Rows:
    """Rows [rows, n] quantized to 8 bits, each by its own range, as hybrid kernels do.

    One row for each example is what DynamicQuantizeLinear does in ONNX. The scales of several rows are multiplied into the
    result, one multiply for each of its elements.
    """
    if x.shape[0] == examples:
        return Rows(dynamic_whole(op, x, asymmetric), None)
    codes, scale, zero = _quantized(op, x, asymmetric)
    one = op.builder.scalar(1.0)
    return Rows(op.emit("dequantize", codes, one, *given(zero), axis=0 if zero else -1), op.builder.reshape(scale, (*scale.shape, 1)))


def dynamic_whole(op: Op, x: Value, asymmetric: bool) -> Value:
    """Each example [N, …] quantized to 8 bits by its range, and its numbers."""
    codes, scale, zero = _quantized(op, x, asymmetric)
    return op.emit("dequantize", codes, scale, *given(zero), axis=0)


def _quantized(op: Op, x: Value, asymmetric: bool) -> tuple[Value, Value, Value | None]:
    """(codes, scale, zero point), for each slice of the first axis from its least and its greatest value, and 0."""
    axes = tuple(range(1, len(x.shape)))
    high, low = (op.emit("reduce", x, op=name, axes=axes, keepdims=False) for name in ("max", "min"))
    if not asymmetric:
        span = op.elementwise("max", high, op.elementwise("neg", low))
        scale = op.elementwise("div", span, op.scalar(127, x))
        return op.emit("quantize", x, scale, fmt=INT8, axis=0, rounding="away", reciprocal=True), scale, None
    none = op.scalar(0, x)
    high, low = op.elementwise("max", high, none), op.elementwise("min", low, none)
    scale = op.elementwise("div", op.elementwise("sub", high, low), op.scalar(255, x))
    start = op.elementwise("div", op.elementwise("sub", none, low), scale)
    zero = op.emit("elementwise", op.elementwise("clip", start, low=0.0, high=255.0), op="round", ties="away")
    zero = op.emit("move", zero, op="cast", fmt=UINT8)
    return op.emit("quantize", x, scale, zero, fmt=UINT8, axis=0, rounding="away", zero_first=True, reciprocal=True), scale, zero


def bias_of(op: Op, index: int, x: int = 0, weight: int = 1) -> Value | None:
    """The bias [C_out]. Of integer operators it is in units of the product of both scales, whatever it declares itself."""
    if not op.has(index):
        return None
    bias, left, right = op.operand(index), op.operand(x).scaling, op.operand(weight).scaling
    if bias.format.family == "float":
        return bias.value
    if left is None or right is None or bias.format.name not in ("int32", "int64"):
        op.refuse(f"a bias of type {bias.format}", "be a float, or int32 or int64 in an integer operator")
    unit = op.elementwise("mul", left.scale(), right.scale())
    if unit.shape not in ((), bias.shape):
        op.refuse(f"{unit.shape[0]} scales for a bias of shape {bias.shape}", "be one for each")
    return op.emit("dequantize", bias.value, unit, axis=0 if unit.shape else -1)

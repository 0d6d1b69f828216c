"""Functions of single elements that TFLite writes in its own way; the others are ``framework/translation/elementwise``'s."""

from __future__ import annotations

from micronet_verify.plugin import Result, Value, elementwise
from micronet_verify_tflite.op import BOUNDS, Op, Rule


def activated(function: str) -> Rule:
    """Two operands that broadcast, then the fused activation."""
    return lambda op: op.activated(elementwise.binary(function)(op))


def bounded(op: Op) -> Value:
    """RELU6 and the other activations that are a clip between constants."""
    low, high = BOUNDS[op.kind]
    return op.elementwise("clip", op.real(), low=low, high=high)


def leaky_relu(op: Op) -> Value:
    return op.elementwise("leaky_relu", op.real(), alpha=op.number_option("alpha"))


def gelu(op: Op) -> Value:
    return op.elementwise("gelu_tanh" if op.option("approximate") else "gelu", op.real())


def cast(op: Op) -> Result:
    """CAST: another number format, or none."""
    x, fmt = op.operand(0), op.out_format()
    if x.scaling is not None or op.out_scaling(x.shape) is not None:
        op.refuse("a cast of quantized values", "be a QUANTIZE or DEQUANTIZE")
    return x if x.format == fmt else op.emit("move", x.value, op="cast", fmt=fmt)


def shift(op: Op) -> Value:
    """A shift to the right by n bits is a whole division by 2ⁿ."""
    fmt = op.x(0).format
    return elementwise.shifted(op, "floor_div", "shift", fmt.bits - (1 if fmt.family == "uint" else 2))

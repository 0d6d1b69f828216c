"""Functions of single elements: unary, binary, activations, comparisons, choices."""

from __future__ import annotations

import numpy as np

from micronet_verify.facts.formats import BOOL
from micronet_verify.facts.graph import Value
from micronet_verify_tflite.op import BOUNDS, Op, Result, Rule


def unary(function: str) -> Rule:
    return lambda op: op.elementwise(function, op.real())


def binary(function: str) -> Rule:
    """Two operands that broadcast, then the fused activation where the operator has one."""

    def rule(op: Op) -> Value:
        y = op.elementwise(function, op.real(0), op.real(1))
        return op.activated(y) if "fused_activation_function" in op.operator.options else y

    return rule


def divide(op: Op) -> Value:
    """DIV; a quotient of whole numbers is cut towards 0."""
    return op.activated(op.elementwise("div", op.real(0), op.real(1)))


def floor_div(op: Op) -> Value:
    """FLOOR_DIV; of floats it is ⌊x/y⌋ of the rounded quotient."""
    x, y = op.real(0), op.real(1)
    return op.emit("elementwise", x, y, op="floor_div", rounding="floor" if x.format.family == "float" else None)


def bitwise_xor(op: Op) -> Value:
    return op.elementwise("xor", op.x(0), op.x(1), fmt=op.x(0).format)


def predicate(function: str) -> Rule:
    return lambda op: op.elementwise(function, op.real(0), op.real(1), fmt=BOOL)


def logical_not(op: Op) -> Value:
    return op.elementwise("not", op.x(), fmt=BOOL)


def bounded(op: Op) -> Value:
    """RELU6 and the other activations that are a clip between constants."""
    low, high = BOUNDS[op.kind]
    return op.elementwise("clip", op.real(), low=low, high=high)


def elu(op: Op) -> Value:
    return op.elementwise("elu", op.real(), alpha=1.0)


def leaky_relu(op: Op) -> Value:
    return op.elementwise("leaky_relu", op.real(), alpha=op.number_option("alpha"))


def gelu(op: Op) -> Value:
    return op.elementwise("gelu_tanh" if op.option("approximate") else "gelu", op.real())


def prelu(op: Op) -> Value:
    return op.elementwise("prelu", op.real(0), op.real(1))


def squared_difference(op: Op) -> Value:
    return op.elementwise("square", op.elementwise("sub", op.real(0), op.real(1)))


def power(op: Op) -> Value:
    """x² is a square; other exponents are ``pow``."""
    exponent = op.required(1).known
    if exponent is not None and exponent.size == 1 and float(exponent.reshape(-1)[0]) == 2:
        return op.elementwise("square", op.real())
    return op.elementwise("pow", op.real(0), op.real(1), fmt=op.real(0).format)


def add_n(op: Op) -> Value:
    total = op.real(0)
    for index in range(1, len(op.operands)):
        total = op.elementwise("add", total, op.real(index))
    return total


def select(op: Op) -> Value:
    """SELECT and SELECT_V2: condition, then, else. A condition of one axis in SELECT chooses whole slices."""
    condition, then = op.x(0), op.real(1)
    if op.kind == "SELECT" and len(condition.shape) == 1 and len(then.shape) > 1:
        condition = op.builder.reshape(condition, (*condition.shape, *(1,) * (len(then.shape) - 1)))
    return op.elementwise("where", condition, then, op.real(2))


def shift(op: Op) -> Value:
    """A shift to the right by n bits is a whole division by 2ⁿ: one operation at the same price."""
    known, fmt = op.known(1, "a shift"), op.x(0).format
    most = fmt.bits - (1 if fmt.family == "uint" else 2)
    if known.size and not 0 <= known.min() <= known.max() <= most:
        op.refuse(f"a shift of {fmt} by {known.min()} to {known.max()} bits", f"be by 0 to {most}")
    factor = np.left_shift(np.ones_like(known), known)
    return op.elementwise("floor_div", op.x(0), op.builder.constant(factor, "shift", op.x(1).format), fmt=op.x(0).format)


def cast(op: Op) -> Result:
    """CAST: another number format, or none."""
    x, fmt = op.required(0), op.out_format()
    if x.scaling is not None or op.out_scaling(x.shape) is not None:
        op.refuse("a cast of quantized values", "be a QUANTIZE or DEQUANTIZE")
    return x if x.format == fmt else op.emit("move", x.value, op="cast", fmt=fmt)

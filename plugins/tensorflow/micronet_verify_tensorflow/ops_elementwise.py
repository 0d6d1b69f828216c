"""Functions of single elements that TensorFlow writes in its own way; the others are ``framework/translation/elementwise``'s."""

from __future__ import annotations

from micronet_verify.plugin import BOOL, Result, Value, sole
from micronet_verify_tensorflow.op import Op


def truncated_mod(op: Op) -> Value:
    """The rest of a division that is cut towards 0: it has the dividend's sign."""
    return op.emit("elementwise", op.x(0), op.x(1), op="mod", rounding="trunc")


def bias_add(op: Op) -> Result:
    """A bias [C] along the last axis, or along the second where the data are channels first."""
    x, bias = op.x(0), op.x(1)
    if len(bias.shape) != 1 or len(x.shape) < 2:
        op.refuse(f"a bias of shape {bias.shape} for {x.shape}", "be one number per channel")
    if op.text("data_format", "NHWC").startswith("NC"):
        bias = op.builder.reshape(bias, (*bias.shape, *(1,) * (len(x.shape) - 2)))
    return op.elementwise("add", x, bias)


def no_nan(op: Op) -> Value:
    """x/y, and 0 where y is 0."""
    x, y = op.x(0), op.x(1)
    zero = op.scalar(0, y)
    return op.elementwise("where", op.elementwise("equal", y, zero), op.scalar(0, x), op.elementwise("div", x, y))


def erfc(op: Op) -> Value:
    """1 − erf(x)."""
    x = op.x()
    return op.elementwise("sub", op.scalar(1, x), op.elementwise("erf", x))


def leaky_relu(op: Op) -> Value:
    return op.elementwise("leaky_relu", op.x(), alpha=op.number("alpha", 0.2))


def clip(op: Op) -> Value:
    """ClipByValue: constant bounds are one clip, others a max and a min."""
    low, high = sole(op.operand(1)), sole(op.operand(2))
    if low is not None and high is not None:
        return op.elementwise("clip", op.x(), low=low, high=high)
    return op.elementwise("min", op.elementwise("max", op.x(), op.x(1)), op.x(2))


def is_finite(op: Op) -> Value:
    """Neither a NaN nor an infinity."""
    x = op.x()
    return op.elementwise("not", op.elementwise("or", op.elementwise("isnan", x), op.elementwise("isinf", x)), fmt=BOOL)

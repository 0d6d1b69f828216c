"""Functions element by element: arithmetic, comparison, logic and activations."""

from __future__ import annotations

from micronet_verify.facts.formats import BOOL
from micronet_verify.facts.graph import Value
from micronet_verify_tensorflow.op import Op, Result, Rule


def unary(function: str, **parameters: float) -> Rule:
    """A function of one tensor, its parameters fixed by the operator's definition."""

    def rule(op: Op) -> Value:
        return op.elementwise(function, op.x(), fmt=None, **parameters)

    return rule


def binary(function: str) -> Rule:
    def rule(op: Op) -> Value:
        return op.elementwise(function, op.x(0), op.x(1))

    return rule


def floor_div(op: Op) -> Value:
    """FloorDiv; of floats it is ⌊x/y⌋ of the rounded quotient, which is no Python's ``//``."""
    x, y = op.x(0), op.x(1)
    return op.emit("elementwise", x, y, op="floor_div", rounding="floor" if x.format.family == "float" else None)


def truncated_mod(op: Op) -> Value:
    """The rest of a division that is cut towards 0: it has the dividend's sign."""
    return op.emit("elementwise", op.x(0), op.x(1), op="mod", rounding="trunc")


def bitwise(function: str) -> Rule:
    """Bitwise logic keeps the operands' type."""

    def rule(op: Op) -> Value:
        return op.elementwise(function, op.x(0), op.x(1), fmt=op.x(0).format)

    return rule


def add_n(op: Op) -> Value:
    total = op.x(0)
    for index in range(1, len(op.items)):
        total = op.elementwise("add", total, op.x(index))
    return total


def bias_add(op: Op) -> Result:
    """A bias [C] along the last axis, or along the second where the data are channels first."""
    if op.node.name in op.scope.absorbed:
        return op.operand(0)
    x, bias = op.x(0), op.x(1)
    if len(bias.shape) != 1 or len(x.shape) < 2:
        op.refuse(f"a bias of shape {bias.shape} for {x.shape}", "be one number per channel")
    if op.text("data_format", "NHWC").startswith("NC"):
        bias = op.builder.reshape(bias, (*bias.shape, *(1,) * (len(x.shape) - 2)))
    return op.elementwise("add", x, bias)


def squared_difference(op: Op) -> Value:
    return op.elementwise("square", op.elementwise("sub", op.x(0), op.x(1)))


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
    x, low, high = op.operands(0, 3)
    if low.known is not None and high.known is not None and low.numel == high.numel == 1:
        bounds = [float(str(bound.known.reshape(-1)[0])) for bound in (low, high) if bound.known is not None]
        return op.elementwise("clip", x.value, low=bounds[0], high=bounds[1])
    return op.elementwise("min", op.elementwise("max", x.value, low.value), high.value)


def power(op: Op) -> Result:
    """x² is a square; other exponents are ``pow``."""
    exponent = op.operand(1).known
    if exponent is not None and exponent.size == 1:
        number = float(exponent.reshape(-1)[0])
        if number == 2:
            return op.elementwise("square", op.x())
        if number == 1:
            return op.operand(0)
    return op.elementwise("pow", op.x(0), op.x(1), fmt=op.x(0).format)


def where(op: Op) -> Value:
    """SelectV2 broadcasts; Select's condition may be one per row."""
    condition, x, y = op.x(0), op.x(1), op.x(2)
    if op.kind == "Select" and len(condition.shape) == 1 and len(x.shape) > 1:
        condition = op.builder.reshape(condition, (*condition.shape, *(1,) * (len(x.shape) - 1)))
    return op.elementwise("where", condition, x, y)


def logical_not(op: Op) -> Value:
    return op.elementwise("not", op.x(), fmt=BOOL)


def is_finite(op: Op) -> Value:
    """Neither a NaN nor an infinity."""
    x = op.x()
    return op.elementwise("not", op.elementwise("or", op.elementwise("isnan", x), op.elementwise("isinf", x)), fmt=BOOL)

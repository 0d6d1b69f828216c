"""Functions element by element that ONNX writes in its own way; the others are ``framework/translation/elementwise``'s."""

from __future__ import annotations

import math

from micronet_verify.plugin import BOOL, Value, elementwise
from micronet_verify_onnx.op import Op, Rule


def modulo(op: Op) -> Value:
    """Mod: with the sign of the divisor, or of the dividend where ``fmod`` is set."""
    rounding = "trunc" if op.integer("fmod", 0) else "floor"
    return op.builder.emit("elementwise", op.x(0), op.x(1), op="mod", rounding=rounding)


def divide(op: Op) -> Value:
    """Div: integers are divided towards zero."""
    rounding = "trunc" if op.x(0).format.is_integer else None
    return op.builder.emit("elementwise", op.x(0), op.x(1), op="div", rounding=rounding)


def infinite(op: Op) -> Value:
    """IsInf; of one sign only it is a comparison with that infinity."""
    x, signs = op.x(), (op.integer("detect_negative", 1), op.integer("detect_positive", 1))
    if all(signs):
        return op.elementwise("isinf", x)
    if not any(signs):
        return op.expand(op.builder.scalar(0, BOOL), x.shape)
    return op.elementwise("equal", x, op.scalar(-math.inf if signs[0] else math.inf, x))


def mean(op: Op) -> Value:
    """The sum of the operands times 1/n."""
    total = elementwise.chain("add")(op)
    count = len(op.items)
    return total if count == 1 else op.elementwise("mul", total, op.scalar(1 / count, total))


def activation(function: str, **defaults: float) -> Rule:
    """A function whose parameters are attributes, by the names of ``facts/functions``; ``defaults`` are ONNX's."""

    def rule(op: Op) -> Value:
        return op.elementwise(function, op.x(), fmt=None, **{name: op.number(name, default) for name, default in defaults.items()})

    return rule


def thresholded(op: Op) -> Value:
    """x above the threshold, else 0."""
    return op.elementwise("threshold", op.x(), alpha=op.number("alpha", 1.0), beta=0.0)


def gelu(op: Op) -> Value:
    mode = op.text("approximate", "none")
    if mode not in ("none", "tanh"):
        op.refuse(f"approximate={mode!r}", "be none or tanh")
    return op.elementwise("gelu_tanh" if mode == "tanh" else "gelu", op.x())


def swish(op: Op) -> Value:
    """x·sigmoid(alpha·x); with alpha 1 it is silu."""
    return sigmoid_weighted(op, op.x(), op.number("alpha", 1.0))


def sigmoid_weighted(op: Op, x: Value, alpha: float) -> Value:
    if alpha == 1:
        return op.elementwise("silu", x)
    return op.elementwise("mul", x, op.elementwise("sigmoid", op.elementwise("mul", x, op.scalar(alpha, x))))


def shrink(op: Op) -> Value:
    """Hard shrink has no bias; soft shrink has the threshold as its bias."""
    x, threshold, bias = op.x(), op.number("lambd", 0.5), op.number("bias", 0.0)
    if bias == 0:
        return op.elementwise("hard_shrink", x, alpha=threshold)
    if bias == threshold:
        return op.elementwise("soft_shrink", x, alpha=threshold)
    low, high = (op.elementwise(test, x, op.scalar(bound, x)) for test, bound in (("less", -threshold), ("greater", threshold)))
    down, up = (op.elementwise(function, x, op.scalar(bias, x)) for function in ("sub", "add"))
    return op.elementwise("where", high, down, op.elementwise("where", low, up, op.scalar(0.0, x)))


def clip(op: Op) -> Value:
    """Clip between constant bounds is one clip; bounds from the data are a max and a min."""
    x = op.x()
    if op.version < 11:
        low, high = (op.number(name, 0.0) if op.attribute(name) is not None else None for name in ("min", "max"))
        return bounded(op, x, low, high)
    bounds = [op.operand(index) if op.has(index) else None for index in (1, 2)]
    if all(bound is None or bound.known is not None for bound in bounds):
        low, high = (None if bound is None or bound.known is None else elementwise.shortest(bound.known) for bound in bounds)
        return bounded(op, x, low, high)
    for function, bound in zip(("max", "min"), bounds, strict=True):
        if bound is not None:
            x = op.elementwise(function, x, bound.value)
    return x


def bounded(op: Op, x: Value, low: float | None, high: float | None) -> Value:
    """Bounds that every number satisfies are none (exporters write ±3.4e38)."""
    low = None if low is not None and low <= -3.4e38 else low
    high = None if high is not None and high >= 3.4e38 else high
    return x if low is None and high is None else op.elementwise("clip", x, low=low, high=high)


def shift(op: Op) -> Value:
    """BitShift: to the left a multiply by 2ⁿ, to the right a whole division."""
    function = "mul" if op.text("direction") == "LEFT" else "floor_div"
    return elementwise.shifted(op, function, op.node.input[1], op.x(0).format.bits - 1)

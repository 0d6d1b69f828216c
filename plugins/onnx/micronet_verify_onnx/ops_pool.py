"""Pooling: averages, maxima and norms of windows, and of the whole space."""

from __future__ import annotations

from micronet_verify.plugin import Value
from micronet_verify_onnx.op import Op, Rule
from micronet_verify_onnx.ops_linear import window_padding


def pool(function: str) -> Rule:
    """AveragePool, and MaxPool whose places nobody reads."""

    def rule(op: Op) -> Value:
        if op.is_read(1):
            op.refuse("a use of the places of a MaxPool", "use its values", "unpool by a transposed convolution or a Resize")
        return pooled(op, op.x(), function)

    return rule


def pooled(op: Op, x: Value, function: str, divisor: int | None = None) -> Value:
    """A pool with the attributes of ``op``."""
    kernel = op.integers("kernel_shape")
    rank = len(kernel)
    stride, dilation = op.integers("strides", (1,) * rank), op.integers("dilations", (1,) * rank)
    padding = window_padding(op, x.shape[2:], kernel, stride, dilation)
    counts = function == "average" and divisor is None and op.integer("count_include_pad", 0) and any(padding)
    return op.emit(
        "pool",
        x,
        op=function,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation if max(dilation) > 1 else None,
        ceil=True if op.integer("ceil_mode", 0) else None,
        counts_padding=True if counts else None,
        divisor=divisor,
    )


def global_pool(function: str) -> Rule:
    def rule(op: Op) -> Value:
        x = op.x()
        return op.emit("pool", x, op=function, adaptive=(1,) * (len(x.shape) - 2))

    return rule


def lp_pool(op: Op) -> Value:
    """LpPool: the p-th root of the sum of |x|^p over a window."""
    order = op.integer("p", 2)
    return _root(op, pooled(op, _powers(op, op.x(), order), "average", divisor=1), order)


def global_lp_pool(op: Op) -> Value:
    """GlobalLpPool: the p-norm of each channel."""
    x, order = op.x(), op.integer("p", 2)
    axes = tuple(range(2, len(x.shape)))
    if order in (1, 2):
        return op.emit("reduce", x, op=f"l{order}", axes=axes, keepdims=True)
    return _root(op, op.emit("reduce", _powers(op, x, order), op="sum", axes=axes, keepdims=True), order)


def _powers(op: Op, x: Value, order: int) -> Value:
    if order < 1:
        op.refuse(f"a norm of order {order}", "be of order 1 or more")
    if order == 2:
        return op.elementwise("square", x)
    size = op.elementwise("abs", x)
    return size if order == 1 else op.elementwise("pow", size, op.scalar(order, x))


def _root(op: Op, total: Value, order: int) -> Value:
    if order == 1:
        return total
    return op.elementwise("sqrt", total) if order == 2 else op.elementwise("pow", total, op.scalar(1 / order, total))

"""Normalisation and softmax."""

from __future__ import annotations

import math

from micronet_verify.plugin import FLOAT16, Value
from micronet_verify_onnx.op import Op, Rule
from micronet_verify_onnx.ops_linear import given

_EVAL = "call model.eval() before the export"


def batch_norm(op: Op) -> Value:
    """BatchNormalization with stored statistics."""
    training = op.integer("training_mode", 0) if op.version >= 14 else int(any(op.is_read(index) for index in range(1, 5)))
    if training:
        op.refuse("batch norm in training mode", "be exported for inference", _EVAL)
    if op.version < 9 and not op.integer("spatial", 1):
        op.refuse("batch norm with spatial=0", "have one mean and variance per channel")
    scale, shift, mean, variance = (op.x(index) for index in range(1, 5))
    return op.emit("normalise", op.x(), mean, variance, scale, shift, op="batch_norm", eps=op.number("epsilon", 1e-5))


def layer_norm(op: Op) -> Value | tuple[Value, ...]:
    """LayerNormalization; written out where its mean or the inverse of its deviation is read."""
    x, eps = op.x(), op.number("epsilon", 1e-5)
    axes = _trailing(op, x)
    if not op.is_read(1) and not op.is_read(2):
        return op.emit("normalise", x, op.x(1), *given(op.maybe(2)), op="layer_norm", eps=eps, axes=axes)
    mean = op.emit("reduce", x, op="mean", axes=axes, keepdims=True)
    centred = op.elementwise("sub", x, mean)
    variance = op.emit("reduce", op.elementwise("square", centred), op="mean", axes=axes, keepdims=True)
    inverse = op.elementwise("rsqrt", op.elementwise("add", variance, op.scalar(eps, x)))
    y = op.elementwise("mul", op.elementwise("mul", centred, inverse), op.x(1))
    return (op.elementwise("add", y, op.x(2)) if op.has(2) else y, mean, inverse)


def rms_norm(op: Op) -> Value:
    x = op.x()
    return op.emit("normalise", x, op.x(1), op="rms_norm", eps=op.number("epsilon", 1e-5), axes=_trailing(op, x))


def _trailing(op: Op, x: Value) -> tuple[int, ...]:
    return tuple(range(op.axis(op.integer("axis", -1), len(x.shape)), len(x.shape)))


def group_norm(op: Op) -> Value:
    """Scale and shift are per channel, and per group before opset 21."""
    x, scale, shift, groups = op.x(), op.x(1), op.x(2), op.integer("num_groups")
    channels = x.shape[1] if len(x.shape) > 1 else 0
    if groups < 1 or channels % groups or (op.version < 21 and (scale.shape, shift.shape) != ((groups,), (groups,))):
        op.refuse(f"{groups} groups of {channels} channels, with scales of shape {scale.shape}", "fit")
    return op.emit("normalise", x, scale, shift, op="group_norm", eps=op.number("epsilon", 1e-5), groups=groups)


def instance_norm(op: Op) -> Value:
    """InstanceNormalization must have a scale and a shift; exporters write ones and zeros where there are none."""
    scale, shift = op.operand(1), op.operand(2)
    none = scale.known is not None and shift.known is not None and bool((scale.known == 1).all() and (shift.known == 0).all())
    operands = () if none else (scale.value, shift.value)
    return op.emit("normalise", op.x(), *operands, op="instance_norm", eps=op.number("epsilon", 1e-5))


def local_response_norm(op: Op) -> Value:
    return op.emit(
        "normalise",
        op.x(),
        op="local_response_norm",
        eps=op.number("bias", 1.0),
        bias=op.number("bias", 1.0),
        size=op.integer("size"),
        alpha=op.number("alpha", 1e-4),
        beta=op.number("beta", 0.75),
    )


def lp_norm(op: Op) -> Value:
    """x divided by its norm along an axis."""
    x, order = op.x(), op.integer("p", 2)
    if order not in (1, 2):
        op.refuse(f"a norm of order {order}", "be of order 1 or 2")
    axis = op.axis(op.integer("axis", -1), len(x.shape))
    norm = op.emit("reduce", x, op=f"l{order}", axes=(axis,), keepdims=True)
    # Zeros stay zeros: their norm is 0, and onnxruntime does not divide by it.
    least = 6e-8 if x.format == FLOAT16 else 1e-30
    return op.elementwise("div", x, op.elementwise("max", norm, op.scalar(least, x)))


def mean_variance_norm(op: Op) -> Value:
    """(x − mean) / (standard deviation + 1e-9) over ``axes``: a layer norm without scale and shift."""
    x = op.x()
    axes = tuple(sorted(op.axis(axis, len(x.shape)) for axis in op.integers("axes", (0, 2, 3))))
    return op.emit("normalise", x, op="layer_norm", eps=1e-18, axes=axes)


def softmax(function: str) -> Rule:
    def rule(op: Op) -> Value:
        x = op.x()
        axis = op.axis(op.integer("axis", 1 if op.version < 13 else -1), len(x.shape))
        if op.version >= 13 or axis == len(x.shape) - 1:
            return op.emit("softmax", x, op=function, axis=axis)
        # Before opset 13 all axes from ``axis`` on are normalised together.
        flat = op.builder.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))
        return op.builder.reshape(op.emit("softmax", flat, op=function, axis=1), x.shape)

    return rule

"""Normalisation, softmax, pooling and resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from micronet_verify.facts.graph import Shape, Value
from micronet_verify_onnx.op import Op, Result, Rule
from micronet_verify_onnx.operands import Operand
from micronet_verify_onnx.ops_linear import given, window_padding

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


def layer_norm(op: Op) -> Value:
    x = op.x()
    return op.emit("normalise", x, op.x(1), *given(op.maybe(2)), op="layer_norm", eps=op.number("epsilon", 1e-5), axes=_trailing(op, x))


def rms_norm(op: Op) -> Value:
    x = op.x()
    return op.emit("normalise", x, op.x(1), op="rms_norm", eps=op.number("epsilon", 1e-5), axes=_trailing(op, x))


def _trailing(op: Op, x: Value) -> tuple[int, ...]:
    return tuple(range(op.axis(op.integer("axis", -1), len(x.shape)), len(x.shape)))


def group_norm(op: Op) -> Value:
    """Scale and shift are per channel, and per group before opset 21."""
    operands = op.x(), op.x(1), op.x(2)
    return op.emit("normalise", *operands, op="group_norm", eps=op.number("epsilon", 1e-5), groups=op.integer("num_groups"))


def instance_norm(op: Op) -> Value:
    """InstanceNormalization must have a scale and a shift; exporters write ones and zeros where there are none."""
    scale, shift = op.required(1), op.required(2)
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
    return op.elementwise("div", x, op.emit("reduce", x, op=f"l{order}", axes=(axis,), keepdims=True))


def mean_variance_norm(op: Op) -> Value:
    """(x − mean) / standard deviation over ``axes``: a layer norm without scale and shift."""
    x = op.x()
    axes = tuple(sorted(op.axis(axis, len(x.shape)) for axis in op.integers("axes", (0, 2, 3))))
    return op.emit("normalise", x, op="layer_norm", eps=1e-9, axes=axes)


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


def pool(function: str) -> Rule:
    """MaxPool and AveragePool; whether padding takes part in an average changes no work."""

    def rule(op: Op) -> Value:
        return pooled(op, op.x(), function)

    return rule


def pooled(op: Op, x: Value, function: str) -> Value:
    """A pool with the attributes of ``op``."""
    kernel = op.integers("kernel_shape")
    rank = len(kernel)
    stride, dilation = op.integers("strides", (1,) * rank), op.integers("dilations", (1,) * rank)
    padding = window_padding(op, x.shape[2:], kernel, stride, dilation)
    return op.emit(
        "pool",
        x,
        op=function,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation if max(dilation) > 1 else None,
        ceil=True if op.integer("ceil_mode", 0) else None,
    )


def global_pool(function: str) -> Rule:
    def rule(op: Op) -> Value:
        x = op.x()
        return op.emit("pool", x, op=function, adaptive=(1,) * (len(x.shape) - 2))

    return rule


def resize(op: Op) -> Result:
    """Resize and Upsample: to given sizes, or by scales rounded down."""
    x, mode = op.required(0), op.text("mode", "nearest")
    if mode not in ("nearest", "linear", "bilinear", "cubic"):
        op.refuse(f"mode {mode!r}", "be nearest, linear or cubic")
    if op.integer("antialias", 0):
        op.refuse("a resize with antialias", "be without", "set antialias=0: its window depends on the scale")
    shape = _resized(op, x)
    if shape == x.shape:
        return x
    return op.emit("resize", x.value, op={"bilinear": "linear"}.get(mode, mode), shape=shape)


def _resized(op: Op, x: Operand) -> Shape:
    rank = len(x.shape)
    if op.kind == "Upsample" or op.version < 11:
        scales = op.numbers("scales", ()) if op.version < 9 else tuple(float(s) for s in op.known(1, "scales").reshape(-1))
        return _by_scales(op, x.shape, tuple(range(rank)), scales)
    axes = tuple(op.axis(axis, rank) for axis in op.integers("axes", tuple(range(rank))))
    if op.has(3) and op.required(3).numel:
        if op.text("keep_aspect_ratio_policy", "stretch") != "stretch":
            op.refuse("a resize that keeps the aspect ratio", "stretch", "state the sizes that it gives")
        out = list(x.shape)
        for axis, size in zip(axes, op.known_ints(3, what="sizes"), strict=True):
            out[axis] = size
        return tuple(out)
    if op.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        op.refuse("a resize with tf_crop_and_resize", "resize the whole tensor", "slice first, then resize")
    return _by_scales(op, x.shape, axes, tuple(float(s) for s in op.known(2, "scales").reshape(-1)))


def _by_scales(op: Op, shape: Shape, axes: Sequence[int], scales: Sequence[float]) -> Shape:
    if len(scales) != len(axes):
        op.refuse(f"{len(scales)} scales for {len(axes)} axes", "be one per axis")
    out = list(shape)
    for axis, scale in zip(axes, scales, strict=True):
        if not 0 < scale < 1e6:
            op.refuse(f"a scale of {scale}", "be positive")
        out[axis] = math.floor(shape[axis] * scale)
    return tuple(out)

"""Normalisation, softmax, pooling, resizing, reductions and choosing by value."""

from __future__ import annotations

from micronet_verify.plugin import INT64, Result, Value
from micronet_verify_tensorflow.op import Op, Rule
from micronet_verify_tensorflow.windows import channels_last, padding, window


def batch_norm(op: Op) -> tuple[Value | None, ...]:
    """FusedBatchNorm: x, scale, shift, mean, variance; the other results are statistics that nothing reads at inference."""
    if op.flag("is_training", True):
        op.refuse("batch norm in training mode", "be exported for inference", "call the model with training=False")
    x, scale, shift, mean, variance = (op.x(index) for index in range(5))
    last = channels_last(op)
    y = op.emit(
        "normalise",
        x,
        mean,
        variance,
        scale,
        shift,
        op="batch_norm",
        eps=op.number("epsilon", 1e-4),
        channels_last=True if last else None,
    )
    return (y, mean, variance, None, None, None)


def local_response_norm(op: Op) -> Value:
    """LRN over 2r + 1 channels; TensorFlow's alpha is not divided by the size."""
    x, size = op.x(), 2 * op.integer("depth_radius", 5) + 1
    alpha, beta = op.number("alpha", 1.0) * size, op.number("beta", 0.5)
    first = op.builder.transpose(x, (0, 3, 1, 2))
    bias = op.number("bias", 1.0)
    y = op.emit("normalise", first, op="local_response_norm", eps=bias, bias=bias, size=size, alpha=alpha, beta=beta)
    return op.builder.transpose(y, (0, 2, 3, 1))


def softmax(function: str) -> Rule:
    def rule(op: Op) -> Value:
        x = op.x()
        return op.emit("softmax", x, op=function, axis=len(x.shape) - 1)

    return rule


def pool(function: str) -> Rule:
    """MaxPool and AvgPool. Padding takes no part in an average: it divides by the values that the window holds."""

    def rule(op: Op) -> Value:
        x = op.x()
        seen = window(op, x.shape)
        kernel = seen.of(op, op.integers("ksize"), "a window")
        return op.emit(
            "pool", x, op=function, kernel=kernel, stride=seen.stride, padding=padding(op, seen, kernel), channels_last=seen.flag
        )

    return rule


def resize(function: str) -> Rule:
    """Images [N, H, W, C] to a constant size.

    Nearest rounds ½ up between centres and corners, and down where places are multiples of the scale. Cubic is Keys' of
    −½ between centres, with nothing outside of the image, else of −¾ (its weights come from a table of 1,024 steps).
    """

    def rule(op: Op) -> Result:
        x = op.operand(0)
        size = op.known_ints(1, "a size")
        if len(x.shape) != 4 or len(size) != 2:
            op.refuse(f"a resize of {x.shape} to {size}", "be of images [N, H, W, C]")
        shape = (x.shape[0], *size, x.shape[3])
        if shape == x.shape:
            return x
        aligned, centred = op.flag("align_corners"), op.flag("half_pixel_centers")
        return op.emit(
            "resize",
            x.value,
            op=function,
            shape=shape,
            coordinates="align_corners" if aligned else "half_pixel" if centred else "asymmetric",
            nearest=None if function != "nearest" else "round_prefer_ceil" if aligned or centred else "floor",
            cubic_a=None if function != "cubic" else -0.5 if centred else -0.75,
            exclude_outside=True if function == "cubic" and centred else None,
        )

    return rule


def reduce(function: str) -> Rule:
    def rule(op: Op) -> Result:
        x = op.operand(0)
        axes = op.axes(1, len(x.shape))
        if not axes:
            return x
        return op.emit("reduce", x.value, op=function, axes=axes, keepdims=op.flag("keep_dims"), fmt=x.format)

    return rule


def arg_extreme(function: str) -> Rule:
    def rule(op: Op) -> Value:
        x = op.x()
        axis = op.axis(op.known_int(1, "an axis") if op.has(1) else 0, len(x.shape))
        fmt = op.format("output_type") if "output_type" in op.node.attributes else INT64
        return op.emit("select", x, op=function, axis=axis, keepdims=False, fmt=fmt)

    return rule


def top_k(op: Op) -> tuple[Value, ...]:
    x = op.x()
    k = op.known_int(1, "a number of elements") if op.has(1) else op.integer("k")
    axis = len(x.shape) - 1
    if axis < 0 or not 0 <= k <= x.shape[axis]:
        op.refuse(f"the top {k} of {x.shape}", "be at most that many")
    fmt = op.format("index_type") if "index_type" in op.node.attributes else INT64
    return op.builder.emit_many("select", (x,), (x.format, fmt), op="topk", axis=axis, k=k)


def cumulative(function: str) -> Rule:
    """Running sums and products, from the end where ``reverse``, without the element itself where ``exclusive``."""

    def rule(op: Op) -> Value:
        x = op.x()
        axis = op.axis(op.known_int(1, "an axis"), len(x.shape))
        exclusive, reverse = op.flag("exclusive") or None, op.flag("reverse") or None
        return op.emit("cumulative", x, op=function, axis=axis, exclusive=exclusive, reverse=reverse, fmt=x.format)

    return rule

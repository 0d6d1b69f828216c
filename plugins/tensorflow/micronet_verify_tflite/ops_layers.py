"""Pooling, normalisation, softmax, reductions, resizing, and choosing by value."""

from __future__ import annotations

from micronet_verify.plugin import Result, Value
from micronet_verify_tflite.op import Op, Rule
from micronet_verify_tflite.ops_linear import window_padding


def pool(function: str) -> Rule:
    """AVERAGE_POOL_2D and MAX_POOL_2D. Padding takes no part in an average: it divides by the values that the window holds."""

    def rule(op: Op) -> Value:
        x = op.real()
        if len(x.shape) != 4:
            op.refuse(f"a pool of {x.shape}", "have 4 axes")
        kernel = op.integer("filter_height"), op.integer("filter_width")
        stride = op.integer("stride_h"), op.integer("stride_w")
        if min(kernel) < 1:
            op.refuse(f"a window of {kernel}", "be at least 1")
        padding = window_padding(op, x.shape[1:3], kernel, stride, (1, 1))
        return op.activated(op.emit("pool", x, op=function, kernel=kernel, stride=stride, padding=padding, channels_last=True))

    return rule


def reduce(function: str) -> Rule:
    def rule(op: Op) -> Result:
        operand = op.operand(0)
        rank = len(operand.shape)
        axes = tuple(sorted({op.axis(axis, rank) for axis in op.known_ints(1, "axes")}))
        if not axes:
            return op.quantized(op.real())
        x = op.real()
        return op.emit("reduce", x, op=function, axes=axes, keepdims=bool(op.option("keep_dims")), fmt=x.format)

    return rule


def softmax(op: Op) -> Value:
    """Over the last axis, of beta·x."""
    x, beta = op.real(), op.number_option("beta")
    scaled = x if beta == 1 else op.elementwise("mul", x, op.scalar(beta, x))
    return op.emit("softmax", scaled, op="softmax", axis=_last(op, x))


def log_softmax(op: Op) -> Value:
    x = op.real()
    return op.emit("softmax", x, op="log_softmax", axis=_last(op, x))


def _last(op: Op, x: Value) -> int:
    return op.axis(-1, len(x.shape))


def l2_normalization(op: Op) -> Value:
    """x divided by its length along the last axis."""
    x = op.real()
    return op.activated(op.elementwise("div", x, op.emit("reduce", x, op="l2", axes=(_last(op, x),), keepdims=True)))


def local_response_norm(op: Op) -> Value:
    """Over 2·radius + 1 channels; TFLite's alpha is not divided by their number."""
    bias, size = op.number_option("bias"), 2 * op.integer("radius") + 1
    return op.emit(
        "normalise",
        op.real(),
        op="local_response_norm",
        eps=bias,
        bias=bias,
        size=size,
        alpha=op.number_option("alpha") * size,
        beta=op.number_option("beta"),
        channels_last=True,
    )


def resize(function: str) -> Rule:
    """RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR of [N, H, W, C] to given sizes; nearest as in TensorFlow."""

    def rule(op: Op) -> Result:
        x, sizes = op.operand(0), op.known_ints(1, "sizes")
        if len(x.shape) != 4 or len(sizes) != 2:
            op.refuse(f"a resize of {x.shape} to {sizes}", "be of 4 axes to height and width")
        shape = (x.shape[0], *sizes, x.shape[3])
        if shape == x.shape:
            return op.quantized(op.real())
        aligned, centred = bool(op.option("align_corners")), bool(op.option("half_pixel_centers"))
        coordinates = "align_corners" if aligned else "half_pixel" if centred else "asymmetric"
        nearest = None if function != "nearest" else "round_prefer_ceil" if aligned or centred else "floor"
        return op.emit("resize", op.real(), op=function, shape=shape, coordinates=coordinates, nearest=nearest)

    return rule


def arg_extreme(function: str) -> Rule:
    def rule(op: Op) -> Value:
        x = op.real()
        axis = op.axis(op.known_ints(1, "an axis")[0], len(x.shape))
        return op.emit("select", x, op=function, axis=axis, keepdims=False, fmt=op.out_format())

    return rule


def top_k(op: Op) -> tuple[Value, ...]:
    """The k largest of the last axis: values, and their places."""
    x, k = op.real(), op.known_ints(1, "a number of elements")[0]
    axis = _last(op, x)
    if not 0 <= k <= x.shape[axis]:
        op.refuse(f"the top {k} of {x.shape[axis]}", "be at most that many")
    return op.builder.emit_many("select", (x,), (x.format, op.out_format(1)), op="topk", axis=axis, k=k)


def cumsum(op: Op) -> Value:
    """Running sums, from the end where ``reverse``, without the element itself where ``exclusive``."""
    x = op.real()
    axis, exclusive, reverse = op.axis(op.known_ints(1, "an axis")[0], len(x.shape)), op.option("exclusive"), op.option("reverse")
    return op.emit("cumulative", x, op="cumsum", axis=axis, exclusive=bool(exclusive) or None, reverse=bool(reverse) or None, fmt=x.format)

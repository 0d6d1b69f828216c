"""Convolutions and matrix products: Conv, ConvTranspose, Gemm, MatMul, Einsum."""

from __future__ import annotations

from micronet_verify.plugin import Shape, Value, same_padding, shared_out
from micronet_verify.plugin import einsum as contraction
from micronet_verify_onnx.op import Op


def conv(op: Op) -> Value:
    """Conv: x, weight, bias?"""
    return convolution(op, op.x(0), op.x(1), op.maybe(2))


def convolution(op: Op, x: Value, weight: Value, bias: Value | None) -> Value:
    """A convolution with the attributes of ``op``; QLinearConv, ConvInteger and FusedConv have the same ones."""
    kernel = _kernel(op, weight.shape)
    rank = len(kernel)
    stride, dilation = op.integers("strides", (1,) * rank), op.integers("dilations", (1,) * rank)
    padding = window_padding(op, x.shape[2:], kernel, stride, dilation)
    return op.emit("conv", x, weight, *given(bias), stride=stride, padding=padding, dilation=dilation, groups=op.integer("group", 1))


def conv_transpose(op: Op) -> Value:
    """ConvTranspose; ``output_shape`` fixes the padding instead of the other way round."""
    x, weight = op.x(0), op.x(1)
    kernel = _kernel(op, weight.shape)
    rank = len(kernel)
    stride, dilation = op.integers("strides", (1,) * rank), op.integers("dilations", (1,) * rank)
    extra, mode = op.integers("output_padding", (0,) * rank), op.text("auto_pad", "NOTSET")
    wanted = op.integers("output_shape", ())
    padding = op.integers("pads", (0,) * (2 * rank))
    if not len(stride) == len(dilation) == len(extra) == rank:
        op.refuse(f"strides {stride}, dilations {dilation} and output_padding {extra}", f"have {rank} entries each")
    if not wanted and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(size * step for size, step in zip(x.shape[2:], stride, strict=True))
    if wanted:
        totals = [
            step * (size - 1) + more + (window - 1) * gap + 1 - out
            for size, out, window, step, gap, more in zip(x.shape[2:], wanted[-rank:], kernel, stride, dilation, extra, strict=True)
        ]
        padding = shared_out(totals, mode != "SAME_UPPER")
    elif mode == "VALID":
        padding = (0,) * (2 * rank)
    return op.emit(
        "conv",
        x,
        weight,
        *given(op.maybe(2)),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=op.integer("group", 1),
        transposed=True,
        output_padding=extra if any(extra) else None,
    )


def _kernel(op: Op, weight: Shape) -> Shape:
    """The weight says how large the kernel is; the attribute may only repeat it."""
    stated = op.integers("kernel_shape", weight[2:])
    if stated != weight[2:] or len(weight) < 3:
        op.refuse(f"kernel_shape {stated} with a weight of shape {weight}", "agree")
    return weight[2:]


def window_padding(op: Op, space: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> tuple[int, ...]:
    """All begins, then all ends. SAME keeps ceil(size / stride) positions; an odd rest goes to the end (UPPER) or the start."""
    rank, mode = len(kernel), op.text("auto_pad", "NOTSET")
    if not len(space) == len(stride) == len(dilation) == rank:
        op.refuse(f"strides {stride} and dilations {dilation} for {len(space)} axes of space", f"have {len(space)} entries each")
    if mode == "NOTSET":
        return op.integers("pads", (0,) * (2 * rank))
    if mode == "VALID":
        return (0,) * (2 * rank)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        op.refuse(f"auto_pad {mode!r}", "be NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    if min(stride) < 1:
        op.refuse(f"stride {stride}", "be at least 1")
    return same_padding(space, kernel, stride, dilation, mode == "SAME_LOWER")


def gemm(op: Op) -> Value:
    """alpha·A'·B' + beta·C. A factor other than 1 is one more multiply of what it scales."""
    return general_product(op, op.x(0), op.x(1), op.maybe(2))


def general_product(op: Op, a: Value, b: Value, c: Value | None) -> Value:
    """Gemm with the attributes of ``op`` on given operands."""
    if len(a.shape) != 2 or len(b.shape) != 2:
        op.refuse(f"operands of shape {a.shape} and {b.shape}", "be matrices")
    left, right = ("za" if op.integer("transA", 0) else "az"), ("yz" if op.integer("transB", 0) else "zy")
    alpha, beta = op.number("alpha", 1.0), op.number("beta", 1.0)
    addend = c if beta else None
    if alpha == beta == 1:
        return op.emit("matmul", a, b, *given(addend), left=left, right=right, out="ay")
    product = scaled(op, op.emit("matmul", a, b, left=left, right=right, out="ay"), alpha)
    return product if addend is None else op.elementwise("add", product, scaled(op, addend, beta))


def matmul(op: Op) -> Value:
    return op.builder.matmul(op.x(0), op.x(1))


def einsum(op: Op) -> Value:
    """Two operands at a time, left to right."""
    return contraction(op.builder, op.text("equation"), [op.x(index) for index in range(len(op.items))])


def scaled(op: Op, x: Value, factor: float) -> Value:
    """x times a factor of the program; 1 is no work."""
    return x if factor == 1 else op.elementwise("mul", x, op.scalar(factor, x))


def given(value: Value | None) -> tuple[Value, ...]:
    return () if value is None else (value,)

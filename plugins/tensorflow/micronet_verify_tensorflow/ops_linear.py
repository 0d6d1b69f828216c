"""Convolutions and matrix products. Weights stay as they lie in the file; their axes are read in the neutral order."""

from __future__ import annotations

import string

from micronet_verify.plugin import Value
from micronet_verify.plugin import einsum as contraction
from micronet_verify_tensorflow.op import Op
from micronet_verify_tensorflow.windows import padding, window


def conv(op: Op) -> Value:
    """Conv2D and Conv3D: x and a filter [*kernel, C_in / groups, C_out]; the shapes say how many groups there are."""
    x, filter_ = op.x(0), op.operand(1)
    seen = window(op, x.shape)
    rank = len(seen.space)
    if len(filter_.shape) != rank + 2:
        op.refuse(f"a filter of shape {filter_.shape}", f"have {rank + 2} axes")
    kernel, taken = filter_.shape[:rank], filter_.shape[rank]
    channels = x.shape[-1] if seen.last else x.shape[1]
    if not taken or channels % taken:
        op.refuse(f"{channels} channels and a filter of shape {filter_.shape}", "have whole groups")
    weight = op.weight(1, (rank + 1, rank, *range(rank)))
    return op.emit(
        "conv",
        x,
        weight,
        *_bias(op, filter_.shape[rank + 1]),
        stride=seen.stride,
        padding=padding(op, seen, kernel),
        dilation=seen.dilation,
        groups=channels // taken,
        channels_last=seen.flag,
    )


def depthwise(op: Op) -> Value:
    """DepthwiseConv2dNative: a filter [h, w, C, M] makes M outputs of every channel."""
    x, filter_ = op.x(0), op.operand(1)
    seen = window(op, x.shape)
    if len(filter_.shape) != 4 or len(x.shape) != 4:
        op.refuse(f"a filter of shape {filter_.shape}", "have 4 axes")
    height, width, channels, times = filter_.shape
    weight = op.builder.reshape(op.weight(1, (2, 3, 0, 1)), (channels * times, 1, height, width))
    return op.emit(
        "conv",
        x,
        weight,
        *_bias(op, channels * times),
        stride=seen.stride,
        padding=padding(op, seen, (height, width)),
        dilation=seen.dilation,
        groups=channels,
        channels_last=seen.flag,
    )


def transposed(op: Op) -> Value:
    """Conv2DBackpropInput and Conv3DBackpropInputV2 as a layer: the shape of the result, a filter [*kernel, C_out, C_in], x."""
    sizes, filter_, x = op.known_ints(0), op.operand(1), op.x(2)
    seen = window(op, x.shape)
    rank = len(seen.space)
    if len(filter_.shape) != rank + 2:
        op.refuse(f"a filter of shape {filter_.shape}", f"have {rank + 2} axes")
    kernel = filter_.shape[:rank]
    out = sizes if len(sizes) == rank else (sizes[1:-1] if seen.last else sizes[2:])
    pads = padding(op, seen, kernel, out)
    extra = []
    for axis, (size, made) in enumerate(zip(seen.space, out, strict=True)):
        full = (size - 1) * seen.stride[axis] + seen.dilation[axis] * (kernel[axis] - 1) + 1
        extra.append(made - full + pads[axis] + pads[rank + axis])
    if min(extra) < 0:
        op.refuse(f"a result of space {out} from {seen.space}", "be what the padding makes of it")
    return op.emit(
        "conv",
        x,
        op.weight(1, (rank + 1, rank, *range(rank))),
        *_bias(op, filter_.shape[rank]),
        stride=seen.stride,
        padding=pads,
        dilation=seen.dilation,
        groups=1,
        transposed=True,
        output_padding=tuple(extra) if any(extra) else None,
        channels_last=seen.flag,
    )


def _bias(op: Op, channels: int) -> tuple[Value, ...]:
    """The bias that is added next, as an operand of the product itself."""
    found = op.bias_behind(channels, op.text("data_format", "NHWC"))
    return () if found is None else (found,)


def matmul(op: Op) -> Value:
    left = "za" if op.flag("transpose_a") else "az"
    right = "yz" if op.flag("transpose_b") else "zy"
    x, weight = op.x(0), op.x(1)
    columns = weight.shape[-1 if right == "zy" else 0] if len(weight.shape) == 2 else -1
    return op.emit("matmul", x, weight, *_bias(op, columns), left=left, right=right, out="ay")


def batch_matmul(op: Op) -> Value:
    """BatchMatMul: leading axes broadcast; ``adj`` swaps the last two (there are no complex numbers here)."""
    a, b = op.x(0), op.x(1)
    if min(len(a.shape), len(b.shape)) < 2:
        op.refuse(f"operands of shape {a.shape} and {b.shape}", "be matrices")
    lead = string.ascii_lowercase[: max(len(a.shape), len(b.shape)) - 2]
    left = lead[len(lead) - len(a.shape) + 2 :] + ("ZX" if op.flag("adj_x") else "XZ")
    right = lead[len(lead) - len(b.shape) + 2 :] + ("YZ" if op.flag("adj_y") else "ZY")
    return op.emit("matmul", a, b, left=left, right=right, out=f"{lead}XY")


def einsum(op: Op) -> Value:
    return contraction(op.builder, op.text("equation"), [operand.value for operand in op.operands()])

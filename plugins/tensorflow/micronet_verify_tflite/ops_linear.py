"""Convolutions and matrix products: CONV_2D, DEPTHWISE_CONV_2D, CONV_3D, TRANSPOSE_CONV, FULLY_CONNECTED, BATCH_MATMUL.

Activations are [N, *space, C]. Weights are brought into the order of the neutral graph, [C_out, C_in / groups, *kernel],
by strides alone.
"""

from __future__ import annotations

from math import prod

from micronet_verify.plugin import Shape, Value, same_padding, shared_out
from micronet_verify_tflite.op import Op, given
from micronet_verify_tflite.ops_quantize import bias_of, dynamic_rows, dynamic_whole, is_hybrid


def conv_2d(op: Op) -> Value:
    """x, weight [C_out, H, W, C_in / groups], bias?"""
    return _convolution(op, (0, 3, 1, 2), _hw(op))


def depthwise_conv_2d(op: Op) -> Value:
    """x, weight [1, H, W, C_in · multiplier], bias?"""
    return _convolution(op, (3, 0, 1, 2), _hw(op), depthwise=True)


def conv_3d(op: Op) -> Value:
    """x, weight [D, H, W, C_in, C_out], bias?"""
    return _convolution(op, (4, 3, 0, 1, 2), _dhw(op))


def _hw(op: Op) -> tuple[Shape, Shape]:
    return (op.integer("stride_h"), op.integer("stride_w")), (op.integer("dilation_h_factor"), op.integer("dilation_w_factor"))


def _dhw(op: Op) -> tuple[Shape, Shape]:
    stride = op.integer("stride_d"), op.integer("stride_h"), op.integer("stride_w")
    return stride, (op.integer("dilation_d_factor"), op.integer("dilation_h_factor"), op.integer("dilation_w_factor"))


def _convolution(op: Op, perm: tuple[int, ...], windows: tuple[Shape, Shape], depthwise: bool = False) -> Value:
    stride, dilation = windows
    weight_at = op.operand(1)
    rank = len(perm) - 2
    if len(op.operand(0).shape) != rank + 2 or len(weight_at.shape) != rank + 2:
        op.refuse(f"operands of shape {op.operand(0).shape} and {weight_at.shape}", f"have {rank + 2} axes each")
    if depthwise and weight_at.shape[0] != 1:
        op.refuse(f"a depthwise weight of shape {weight_at.shape}", "be 1 on its first axis")
    x, channels = op.operand(0), op.operand(0).shape[-1]
    per_group = weight_at.shape[perm[1]]
    if not depthwise and (not per_group or channels % per_group):
        op.refuse(f"{channels} input channels for a weight of shape {weight_at.shape}", "be a multiple of the weight's")
    hybrid = is_hybrid(op)
    per_channel = weight_at.scaling is not None and weight_at.scaling.axis >= 0
    # Kernels for one scale take a symmetric range, those for one scale per channel an asymmetric one.
    activations = dynamic_whole(op, x.value, per_channel) if hybrid else op.real(0)
    weight = op.real(1, perm)
    y = op.emit(
        "conv",
        activations,
        weight,
        *given(bias_of(op, 2)),
        stride=stride,
        padding=window_padding(op, activations.shape[1:-1], weight.shape[2:], stride, dilation),
        dilation=dilation,
        groups=channels if depthwise else channels // per_group,
        channels_last=True,
    )
    return op.activated(y)


def window_padding(op: Op, space: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> tuple[int, ...]:
    """All begins, then all ends. SAME keeps ceil(size / stride) positions, an odd rest goes to the end."""
    if min(*stride, *dilation) < 1:
        op.refuse(f"stride {stride} and dilation {dilation}", "be at least 1")
    if op.padding() == "VALID":
        return (0,) * (2 * len(space))
    return same_padding(space, kernel, stride, dilation)


def transpose_conv(op: Op) -> Value:
    """shape of the result, weight [C_out, H, W, C_in], x, bias?; the shape fixes the padding."""
    out, weight, x = op.known_ints(0), op.operand(1), op.real(2)
    if len(out) != 4 or len(weight.shape) != 4 or len(x.shape) != 4 or is_hybrid(op, 2, 1):
        op.refuse(f"operands of shape {x.shape} and {weight.shape} for a result of {out}", "have 4 axes each, and the same kind of numbers")
    stride = op.integer("stride_h"), op.integer("stride_w")
    if min(stride) < 1:
        op.refuse(f"stride {stride}", "be at least 1")
    totals = [
        step * (size - 1) + window - made
        for size, made, window, step in zip(x.shape[1:3], out[1:3], weight.shape[1:3], stride, strict=True)
    ]
    if op.padding() == "VALID" and max(totals) > 0:
        op.refuse(f"a result of {out} with VALID padding", "be as large as the windows make it")
    extra = tuple(max(-total, 0) for total in totals)
    y = op.emit(
        "conv",
        x,
        op.real(1, (3, 0, 1, 2)),
        *given(bias_of(op, 3, x=2)),
        stride=stride,
        padding=shared_out([max(total, 0) for total in totals]),
        dilation=(1, 1),
        groups=1,
        transposed=True,
        output_padding=extra if any(extra) else None,
        channels_last=True,
    )
    return op.activated(y)


def fully_connected(op: Op) -> Value:
    """x [..., n], weight [m, n], bias? All leading axes are rows, kept where ``keep_num_dims`` says so."""
    x, weight = op.operand(0), op.operand(1)
    if op.integer("weights_format"):
        op.refuse("shuffled weights", "be in the default format")
    if len(weight.shape) != 2 or not weight.shape[1] or prod(x.shape) % weight.shape[1]:
        op.refuse(f"a weight of shape {weight.shape} on {x.shape}", "be a matrix whose rows fit")
    units, length = weight.shape
    keep = bool(op.option("keep_num_dims"))
    if keep and x.shape[-1] != length:
        op.refuse(f"a weight of shape {weight.shape} on {x.shape}", "fit the last axis")
    rows = prod(x.shape) // length
    matrix, bias, scale = op.real(1), bias_of(op, 2), None
    if is_hybrid(op):
        found = dynamic_rows(op, op.builder.reshape(x.value, (rows, length)), x.shape[0], bool(op.option("asymmetric_quantize_inputs")))
        activations, scale = found.value, found.scale
    else:
        activations = op.builder.reshape(op.real(0), (rows, length))
    y = op.builder.linear(activations, matrix, None if scale is not None else bias)
    if scale is not None:
        y = op.elementwise("mul", y, scale)
        y = y if bias is None else op.elementwise("add", y, bias)
    return op.builder.reshape(op.activated(y), (*x.shape[:-1], units) if keep else (rows, units))


def batch_matmul(op: Op) -> Value:
    """x [..., m, n] times y [..., n, k]; either may come with its last two axes exchanged."""
    x, y = op.operand(0), op.operand(1)
    if len(x.shape) < 2 or len(y.shape) < 2:
        op.refuse(f"operands of shape {x.shape} and {y.shape}", "have at least 2 axes each")
    if not is_hybrid(op):
        return op.builder.matmul(op.real(0, _perm(op, 0, "adj_x")), op.real(1, _perm(op, 1, "adj_y")))
    left = x.arranged(_perm(op, 0, "adj_x"))
    rows = op.builder.reshape(left, (prod(left.shape[:-1]), left.shape[-1]))
    found = dynamic_rows(op, rows, x.shape[0], bool(op.option("asymmetric_quantize_inputs")))
    product = op.builder.matmul(op.builder.reshape(found.value, left.shape), op.real(1, _perm(op, 1, "adj_y")))
    if found.scale is None:
        return product
    return op.elementwise("mul", product, op.builder.reshape(found.scale, (*left.shape[:-1], 1)))


def _perm(op: Op, index: int, name: str) -> tuple[int, ...]:
    order = tuple(range(len(op.operand(index).shape)))
    return (*order[:-2], order[-1], order[-2]) if op.option(name) else order

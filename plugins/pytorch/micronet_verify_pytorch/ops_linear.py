"""Convolutions and matrix products: every spelling becomes ``conv`` or one ``matmul`` in index notation."""

from __future__ import annotations

import string

from micronet_verify.plugin import Value
from micronet_verify.plugin import einsum as contracted
from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.ops_shape import dropped, lifted


def convolution(rank: int, transposed: bool = False) -> Rule:
    """aten.conv1d, conv2d, conv3d and their transposes; the input may lack its batch axis."""

    def translate(call: Call) -> Value:
        weight = call.tensor("weight")
        stride, dilation = call.spread("stride", rank, (1,)), call.spread("dilation", rank, (1,))
        padding = _padding(call, weight.shape[2:], dilation)
        extra = call.spread("output_padding", rank, (0,)) if transposed else None
        return _conv(call, weight, stride, padding, dilation, call.integer("groups", 1), transposed, extra)

    return translate


def any_convolution(call: Call) -> Value:
    """aten.convolution: one operator for all ranks and both directions."""
    weight = call.tensor("weight")
    rank = len(weight.shape) - 2
    stride, dilation = call.spread("stride", rank), call.spread("dilation", rank)
    padding = call.spread("padding", rank)
    extra = call.spread("output_padding", rank)
    call.ignore("deterministic", "allow_tf32")
    return _conv(call, weight, stride, padding * 2, dilation, call.integer("groups"), call.flag("transposed"), extra)


def _padding(call: Call, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    """All begins, then all ends. ``same`` keeps the size; an odd rest goes to the end."""
    mode = call.raw("padding")
    if mode == "valid":
        return (0,) * (2 * len(kernel))
    if mode == "same":
        total = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
        return (*(pad // 2 for pad in total), *(pad - pad // 2 for pad in total))
    return call.spread("padding", len(kernel), (0,)) * 2


def _conv(
    call: Call,
    weight: Value,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
    transposed: bool,
    extra: tuple[int, ...] | None,
) -> Value:
    (x, single), bias = lifted(call, len(weight.shape) - 2), call.optional("bias")
    y = call.emit(
        "conv",
        x,
        weight,
        *(() if bias is None else (bias,)),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        transposed=True if transposed else None,
        output_padding=extra if transposed and extra and any(extra) else None,
    )
    return dropped(call, y, single)


def linear(call: Call) -> Value:
    return call.builder.linear(call.tensor("input"), call.tensor("weight"), call.optional("bias"))


def matmul(left: str = "self", right: str = "other") -> Rule:
    """mm, bmm, mv, dot, matmul: the numpy product of two tensors."""
    return lambda call: call.builder.matmul(call.tensor(left), call.tensor(right))


def add_product(left: str, right: str) -> Rule:
    """addmm, addmv, baddbmm: beta·self + alpha·(left × right). With both 1, the addend is the product's bias."""

    def translate(call: Call) -> Value:
        a, b, addend = call.tensor(left), call.tensor(right), call.tensor()
        alpha, beta = call.number("alpha", 1), call.number("beta", 1)
        if beta == 0:
            y = call.builder.matmul(a, b)
            return y if alpha == 1 else call.elementwise("mul", y, alpha)
        if alpha == 1 and beta == 1:
            return call.builder.matmul(a, b, addend)
        y = call.builder.matmul(a, b)
        y = y if alpha == 1 else call.elementwise("mul", y, alpha)
        return call.elementwise("add", y, addend if beta == 1 else call.elementwise("mul", addend, beta))

    return translate


def outer(call: Call) -> Value:
    return call.emit("matmul", call.tensor(), call.tensor("vec2"), left="x", right="y", out="xy")


def bilinear(call: Call) -> Value:
    """y_k = x1ᵀ·W_k·x2 + b_k, as two products."""
    x1, x2, weight, bias = call.tensor("input1"), call.tensor("input2"), call.tensor("weight"), call.optional("bias")
    lead = string.ascii_lowercase[: len(x1.shape) - 1]
    half = call.emit("matmul", x1, weight, left=f"{lead}x", right="zxy", out=f"{lead}zy")
    return call.emit("matmul", half, x2, *(() if bias is None else (bias,)), left=f"{lead}zy", right=f"{lead}y", out=f"{lead}z")


def tensordot(call: Call) -> Value:
    """Sums over the named axes of both; the remaining axes follow one another."""
    a, b = call.tensor(), call.tensor("other")
    letters = iter(string.ascii_letters)
    left = [next(letters) for _ in a.shape]
    right = [next(letters) for _ in b.shape]
    summed = []
    for i, j in zip(call.ints("dims_self"), call.ints("dims_other"), strict=True):
        right[call.axis(j, len(b.shape))] = left[call.axis(i, len(a.shape))]
        summed.append(left[call.axis(i, len(a.shape))])
    out = [label for label in left + right if label not in summed]
    return call.emit("matmul", a, b, left="".join(left), right="".join(right), out="".join(out))


def einsum(call: Call) -> Value:
    """Two operands at a time, left to right or in the order that ``path`` gives."""
    return contracted(call.builder, call.text("equation"), call.tensors("tensors"), call.ints("path", ()))

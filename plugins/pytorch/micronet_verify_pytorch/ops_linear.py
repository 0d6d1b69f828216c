"""Convolutions and matrix products: every spelling becomes ``conv`` or one ``matmul`` in index notation."""

from __future__ import annotations

import string
from collections.abc import Callable

from micronet_verify.plugin import Value
from micronet_verify_pytorch.call import Call

Translate = Callable[[Call], Value]


def convolution(rank: int, transposed: bool = False) -> Translate:
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
    x, bias = call.tensor("input"), call.optional("bias")
    single = len(x.shape) == len(weight.shape) - 1
    if single:
        x = call.builder.reshape(x, (1, *x.shape))
    y = call.builder.emit(
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
    return call.builder.reshape(y, y.shape[1:]) if single else y


def linear(call: Call) -> Value:
    return call.builder.linear(call.tensor("input"), call.tensor("weight"), call.optional("bias"))


def matmul(left: str = "self", right: str = "other") -> Translate:
    """mm, bmm, mv, dot, matmul: the numpy product of two tensors."""

    def translate(call: Call) -> Value:
        return call.builder.matmul(call.tensor(left), call.tensor(right))

    return translate


def add_product(left: str, right: str) -> Translate:
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
    return call.builder.emit("matmul", call.tensor(), call.tensor("vec2"), left="x", right="y", out="xy")


def bilinear(call: Call) -> Value:
    """y_k = x1ᵀ·W_k·x2 + b_k, as two products."""
    x1, x2, weight, bias = call.tensor("input1"), call.tensor("input2"), call.tensor("weight"), call.optional("bias")
    lead = string.ascii_lowercase[: len(x1.shape) - 1]
    half = call.builder.emit("matmul", x1, weight, left=f"{lead}x", right="zxy", out=f"{lead}zy")
    return call.builder.emit("matmul", half, x2, *(() if bias is None else (bias,)), left=f"{lead}zy", right=f"{lead}y", out=f"{lead}z")


def tensordot(call: Call) -> Value:
    """Sums over the named axes of both; the remaining axes follow one another."""
    a, b = call.tensor(), call.tensor("other")
    letters = iter(string.ascii_letters)
    left = [next(letters) for _ in a.shape]
    right = [next(letters) for _ in b.shape]
    summed = []
    for i, j in zip(call.ints("dims_self"), call.ints("dims_other"), strict=True):
        right[call.wrap(j, len(b.shape))] = left[call.wrap(i, len(a.shape))]
        summed.append(left[call.wrap(i, len(a.shape))])
    out = [label for label in left + right if label not in summed]
    return call.builder.emit("matmul", a, b, left="".join(left), right="".join(right), out="".join(out))


def einsum(call: Call) -> Value:
    """Two operands at a time, left to right or in the order that ``path`` gives; an index leaves as soon as nobody needs it."""
    operands = list(call.tensors("tensors"))
    terms, out = _terms(call, call.text("equation"), operands)
    path = list(call.ints("path", ()))
    while len(operands) > 1:
        i, j = (path.pop(0), path.pop(0)) if len(path) > 1 else (0, 1)
        if not (0 <= i < len(operands) and 0 <= j < len(operands) and i != j):
            call.refuse(f"a contraction of operands {i} and {j}", f"be of two of {len(operands)}")
        (a, left), (b, right) = (operands[i], terms[i]), (operands[j], terms[j])
        rest = [k for k in range(len(operands)) if k not in (i, j)]
        needed = set(out).union(*(terms[k] for k in rest))
        a, left = _summed(call, a, left, needed | set(right))
        b, right = _summed(call, b, right, needed | set(left))
        kept = "".join(dict.fromkeys(label for label in left + right if label in needed))
        if not rest:
            kept = out
        y = call.builder.emit("matmul", a, b, left=left, right=right, out=kept)
        operands = [operands[k] for k in rest] + [y]
        terms = [terms[k] for k in rest] + [kept]
        if not path and rest:  # left to right: the product is the next left operand
            operands, terms = [operands[-1], *operands[:-1]], [terms[-1], *terms[:-1]]
    value, term = _summed(call, operands[0], terms[0], set(out))
    return call.builder.transpose(value, [term.index(label) for label in out])


def _terms(call: Call, equation: str, operands: list[Value]) -> tuple[list[str], str]:
    """Index letters of each operand and of the output, ``...`` written out."""
    inputs, arrow, out = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        call.refuse(f"the equation {equation!r} for {len(operands)} operands", "have a term each")
    free = [letter for letter in string.ascii_letters if letter not in equation]
    widest = max((len(value.shape) - len(term.replace("...", "")) for term, value in zip(terms, operands, strict=True)), default=0)
    dots = "".join(free[: max(widest, 0)])
    for position, (term, value) in enumerate(zip(terms, operands, strict=True)):
        spread = len(value.shape) - len(term.replace("...", ""))
        terms[position] = term.replace("...", dots[len(dots) - spread :] if spread > 0 else "")
        if len(terms[position]) != len(value.shape) or len(set(terms[position])) != len(terms[position]):
            call.refuse(f"the term {term!r} for a tensor of shape {value.shape}", "name each axis once (diagonals cannot be counted)")
    if not arrow:
        letters = "".join(terms)
        out = ("..." if "..." in inputs else "") + "".join(sorted(c for c in set(letters) - set(dots) if letters.count(c) == 1))
    return terms, out.replace("...", dots)


def _summed(call: Call, value: Value, term: str, needed: set[str]) -> tuple[Value, str]:
    """Indices that only this operand has are summed before the product."""
    axes = tuple(axis for axis, label in enumerate(term) if label not in needed)
    if not axes:
        return value, term
    return call.builder.emit("reduce", value, op="sum", axes=axes, keepdims=False), "".join(label for label in term if label in needed)

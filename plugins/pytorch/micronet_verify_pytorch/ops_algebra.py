"""Products by other names: each becomes ``matmul`` in index notation, or a multiply."""

from __future__ import annotations

import string

from micronet_verify.plugin import INT32, Value
from micronet_verify_pytorch.call import Call


def vecdot(call: Call) -> Value:
    """Σ x·y along one axis of tensors that broadcast."""
    x, y = call.tensor("x"), call.tensor("y")
    rank = max(len(x.shape), len(y.shape))
    x, y = (call.builder.reshape(value, (1,) * (rank - len(value.shape)) + value.shape) for value in (x, y))
    axis, letters = call.dim("dim", rank, -1), string.ascii_lowercase[:rank]
    return call.emit("matmul", x, y, left=letters, right=letters, out=letters[:axis] + letters[axis + 1 :])


def inner(call: Call) -> Value:
    """Σ over the last axis of both; the other axes follow one another."""
    x, y = call.tensor(), call.tensor("other")
    if not x.shape or not y.shape:
        return call.elementwise("mul", x, y)
    left = string.ascii_lowercase[: len(x.shape) - 1]
    right = string.ascii_uppercase[: len(y.shape) - 1]
    return call.emit("matmul", x, y, left=f"{left}z", right=f"{right}z", out=left + right)


def kron(call: Call) -> Value:
    """Every element of the first times the whole second."""
    x, y = call.tensor(), call.tensor("other")
    rank = max(len(x.shape), len(y.shape))
    a, b = ((1,) * (rank - len(value.shape)) + value.shape for value in (x, y))
    spread = call.builder.reshape(x, tuple(size for pair in a for size in (pair, 1)))
    laid = call.builder.reshape(y, tuple(size for pair in b for size in (1, pair)))
    product = call.elementwise("mul", spread, laid)
    return call.builder.reshape(product, tuple(m * n for m, n in zip(a, b, strict=True)))


def trilinear(call: Call) -> Value:
    """Σ a·b·c over some axes, what ``Bilinear`` is decomposed to: two products. ``expand``: axes that an operand does not have."""
    operands = [call.tensor(name) for name in ("i1", "i2", "i3")]
    missing = [call.ints(name) for name in ("expand1", "expand2", "expand3")]
    call.ignore("unroll_dim")
    rank = len(operands[0].shape) + len(missing[0])
    terms = ["".join(string.ascii_lowercase[axis] for axis in range(rank) if axis not in axes) for axes in missing]
    summed = {string.ascii_lowercase[axis] for axis in call.ints("sumdim")}
    out = "".join(letter for letter in string.ascii_lowercase[:rank] if letter not in summed)
    half = "".join(letter for letter in string.ascii_lowercase[:rank] if letter in terms[0] + terms[1] and letter in out + terms[2])
    first = call.emit("matmul", operands[0], operands[1], left=terms[0], right=terms[1], out=half)
    return call.emit("matmul", first, operands[2], left=half, right=terms[2], out=out)


def integer_product(call: Call) -> Value:
    """``_int_mm``: 8-bit matrices, summed in 32 bits."""
    return call.emit("matmul", call.tensor(), call.tensor("mat2"), fmt=INT32, left="xz", right="zy", out="xy")

"""Tensors that the program makes: a fill is one stored number expanded, a sequence is stored as its values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import BOOL, FLOAT32, INT64, MOST_GENERATED, NumericFormat, Shape, Value, numpy_dtype
from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.formats import container, number_format
from micronet_verify_pytorch.ops_shape import converted


def full(number: float | None = None, like: bool = False) -> Rule:
    """zeros, ones, full and their ``_like`` and ``new_`` forms; ``number`` is None where the call states it."""

    def translate(call: Call) -> Value:
        x = call.tensor() if like else None
        fill = call.raw("fill_value", call.raw("value")) if number is None else number
        if isinstance(fill, Value):
            return call.expand(fill, x.shape if x else ())
        if not isinstance(fill, bool | int | float):
            call.refuse(f"a fill of {fill!r}", "be a number")
        default = container(x.format) if x else (number_format(fill) if number is None else FLOAT32)
        shape = call.ints("size", x.shape if x else ())
        return _fill(call, fill, shape, call.dtype("dtype", default))

    return translate


def scalar_tensor(call: Call) -> Value:
    fill = call.operand("s")
    return fill if isinstance(fill, Value) else call.builder.scalar(fill, call.dtype("dtype", FLOAT32))


def _fill(call: Call, number: float, shape: Shape, fmt: NumericFormat) -> Value:
    return call.expand(call.builder.scalar(number, fmt), shape)


def generated(call: Call, array: NDArray[Any], fmt: NumericFormat, label: str) -> Value:
    """A computed constant; rule S2 stores every value of it."""
    return call.builder.constant(array.astype(numpy_dtype(fmt)), label, fmt)


def within(call: Call, count: float) -> int:
    if not 0 <= count <= MOST_GENERATED:
        call.refuse(f"a sequence of {count:,} numbers", f"have at most {MOST_GENERATED:,}")
    return int(count)


def arange(call: Call) -> Value:
    start, end, step = call.operand("start", 0), call.operand("end"), call.operand("step", 1)
    if isinstance(start, Value) or isinstance(end, Value) or isinstance(step, Value) or not step:
        call.refuse("a sequence with bounds from the data", "have constant bounds")
    whole = not any(isinstance(bound, float) for bound in (start, end, step))
    fmt = call.dtype("dtype", INT64 if whole else FLOAT32)
    within(call, max(0.0, (end - start) / step))
    return generated(call, np.arange(start, end, step), fmt, "arange")


def linspace(call: Call) -> Value:
    steps = within(call, call.integer("steps"))
    return generated(call, np.linspace(call.number("start"), call.number("end"), steps), call.dtype("dtype", FLOAT32), "linspace")


def eye(call: Call) -> Value:
    n = call.integer("n")
    m = call.integer("m", n)
    within(call, n * m)
    return generated(call, np.eye(n, m), call.dtype("dtype", FLOAT32), "eye")


def one_hot(call: Call) -> Value:
    """Compares the number with every class."""
    x, classes = call.tensor(), call.integer("num_classes", -1)
    if classes < 1:
        call.refuse("one_hot without a number of classes", "state num_classes")
    numbers = generated(call, np.arange(within(call, classes)), INT64, "arange")
    hit = call.builder.elementwise("equal", call.builder.reshape(x, (*x.shape, 1)), numbers, fmt=BOOL)
    return call.emit("move", hit, fmt=INT64, op="cast")


def fill_in_place(call: Call) -> Value:
    """fill_ and zero_ as values: the whole tensor is one number."""
    x = call.tensor()
    number = call.operand("value", 0)
    if isinstance(number, Value):
        return call.expand(number, x.shape)
    return _fill(call, number, x.shape, container(x.format))


def copy(call: Call) -> Value:
    """copy_ as a value: the source in the shape and type of the target."""
    x = call.tensor()
    return call.expand(converted(call, call.tensor("src"), container(x.format)), x.shape)

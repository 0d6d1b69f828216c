"""Functions without a node of their own, written out as their usual formula."""

from __future__ import annotations

import math

from micronet_verify.plugin import BOOL, Value
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.formats import as_float, container
from micronet_verify_pytorch.ops_shape import joined

# The largest number of each format (torch.finfo).
LARGEST = {
    "float64": (2.0 - 2.0**-52) * 2.0**1023,
    "float32": (2.0 - 2.0**-23) * 2.0**127,
    "bfloat16": (2.0 - 2.0**-7) * 2.0**127,
    "float16": 65504.0,
}


def hypot(call: Call) -> Value:
    """√(x² + y²)."""
    x, y = call.tensor(), call.tensor("other")
    return call.elementwise("sqrt", call.elementwise("add", call.elementwise("square", x), call.elementwise("square", y)))


def log10(call: Call) -> Value:
    """log x · 1/log 10."""
    x = call.tensor()
    return call.elementwise("mul", call.builder.elementwise("log", x, fmt=as_float(x.format)), 1 / math.log(10))


def logit(call: Call) -> Value:
    """log(x / (1 − x)), x kept ``eps`` away from 0 and 1."""
    x = call.tensor()
    if call.raw("eps") is not None:
        eps = call.number("eps")
        x = call.elementwise("clip", x, low=eps, high=1 - eps)
    return call.builder.elementwise("log", call.elementwise("div", x, call.elementwise("sub", 1.0, x)))


def nan_to_num(call: Call) -> Value:
    """Three tests and three selects: of NaN, −∞ and ∞."""
    x = call.tensor()
    if container(x.format).family != "float":
        call.ignore("nan", "neginf", "posinf")
        return x
    most = LARGEST.get(container(x.format).name, math.inf)
    y = _replaced(call, call.builder.elementwise("isnan", x, fmt=BOOL), float(call.number("nan", 0.0)), x)
    for name, bound, instead in (("neginf", -math.inf, -most), ("posinf", math.inf, most)):
        y = _replaced(call, call.elementwise("equal", x, bound, fmt=BOOL), float(call.number(name, instead)), y)
    return y


def _replaced(call: Call, where: Value, number: float, x: Value) -> Value:
    return call.builder.elementwise("where", where, call.builder.scalar(number, x.format), x, fmt=x.format)


def diff(call: Call) -> Value:
    """x[1:] − x[:−1] along an axis, n times; of truth values, whether they differ."""
    x, times = call.tensor(), call.integer("n", 1)
    axis = call.dim("dim", len(x.shape), -1)
    ends = [call.optional("prepend"), x, call.optional("append")]
    x = joined(call, [part for part in ends if part is not None], axis)
    for _ in range(times):
        size = x.shape[axis]
        upper, lower = call.slice(x, axis, 1, size), call.slice(x, axis, 0, size - 1)
        x = call.elementwise("xor" if x.format == BOOL else "sub", upper, lower)
    return x

"""Reductions, softmax, running sums, and choosing by value."""

from __future__ import annotations

import math
from collections.abc import Callable

from micronet_verify.plugin import BOOL, INT64, NumericFormat, RuleResult, Value
from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.formats import as_float, as_sum, container
from micronet_verify_pytorch.ops_shape import converted


def reduce(op: str, result: Callable[[NumericFormat], NumericFormat] = container, over: str = "dim") -> Rule:
    """A reduction over ``dim`` (all axes without one); ``result`` makes the type of the answer."""

    def translate(call: Call) -> Value:
        x = call.tensor()
        fmt = call.dtype("dtype", result(container(x.format)))
        return _reduce(call, op, x, call.dims(over, len(x.shape)), call.flag("keepdim"), fmt)

    return translate


def _reduce(call: Call, op: str, x: Value, axes: tuple[int, ...], keep: bool, fmt: NumericFormat, correction: float | None = None) -> Value:
    if not x.shape and op in ("sum", "mean", "max", "min", "prod", "any", "all"):
        return converted(call, x, fmt)
    return call.emit("reduce", x, fmt=fmt, op=op, axes=axes, keepdims=keep, correction=correction)


def truth(op: str) -> Rule:
    """any and all."""
    return reduce(op, lambda fmt: fmt if fmt.name == "uint8" else BOOL)


def variance(root: bool = False) -> Rule:
    return lambda call: _variance(call, root)


def variance_mean(root: bool = False) -> Callable[[Call], tuple[Value, Value]]:
    def translate(call: Call) -> tuple[Value, Value]:
        x = call.tensor()
        mean = _reduce(call, "mean", x, call.dims("dim", len(x.shape)), call.flag("keepdim"), container(x.format))
        return _variance(call, root), mean

    return translate


def _variance(call: Call, root: bool) -> Value:
    """The correction (1 where none is stated) is taken off the number of values before dividing."""
    x, correction = call.tensor(), float(call.number("correction", float(call.flag("unbiased", True))))
    y = _reduce(call, "var", x, call.dims("dim", len(x.shape)), call.flag("keepdim"), container(x.format), correction or None)
    return call.builder.elementwise("sqrt", y) if root else y


def extreme(op: str) -> Rule:
    """max and min: of everything, of two tensors, or along one axis with the place, charged as a search if it is read."""

    def translate(call: Call) -> RuleResult:
        x = call.tensor()
        if call.raw("other") is not None:
            return call.elementwise(op, x, call.tensor("other"))
        if call.raw("dim") is None:
            return _reduce(call, op, x, tuple(range(len(x.shape))), False, container(x.format))
        axis, keep = call.dim("dim", len(x.shape)), call.flag("keepdim")
        values = _reduce(call, op, x, (axis,), keep, container(x.format)) if call.used[0] else None
        places = call.emit("select", x, op=f"arg{op}", axis=axis, keepdims=keep) if call.used[1] else None
        return values, places

    return translate


def vector_norm(call: Call) -> Value:
    """Norms of order 1, 2 and infinity."""
    x, order = call.tensor(), call.raw("ord", call.raw("p", 2))
    axes = call.dims("dim", len(x.shape))
    keep, fmt = call.flag("keepdim"), call.dtype("dtype", as_float(x.format))
    order = 2 if order is None else order
    if order in (1, 2):
        return _reduce(call, "l1" if order == 1 else "l2", x, axes, keep, fmt)
    if order in (math.inf, -math.inf):
        return _reduce(call, "max" if order == math.inf else "min", call.builder.elementwise("abs", x), axes, keep, fmt)
    call.refuse(f"a norm of order {order!r}", "be of order 1, 2 or infinity")


def softmax(op: str, safe: bool = False) -> Rule:
    """``safe``: of −∞ alone it is 0."""

    def translate(call: Call) -> Value:
        x = call.tensor()
        if call.raw("half_to_float") is True:
            call.refuse(f"{op} from float16 to float32", "keep one type")
        x = converted(call, x, call.dtype("dtype", container(x.format)))
        return call.emit("softmax", x, op=op, axis=call.dim("dim", len(x.shape)), safe=safe or None)

    return translate


def cumulative(op: str) -> Rule:
    def translate(call: Call) -> Value:
        x = call.tensor()
        fmt = call.dtype("dtype", as_sum(container(x.format)))
        return call.emit("cumulative", x, fmt=fmt, op=op, axis=call.dim("dim", len(x.shape)))

    return translate


def arg_extreme(op: str) -> Rule:
    """argmax and argmin; without an axis, of the flattened tensor."""

    def translate(call: Call) -> Value:
        x, keep = call.tensor(), call.flag("keepdim")
        if call.raw("dim") is not None:
            return call.emit("select", x, op=op, axis=call.dim("dim", len(x.shape)), keepdims=keep)
        flat = call.builder.reshape(x, (x.numel,))
        y = call.emit("select", flat, op=op, axis=0, keepdims=False)
        return call.builder.reshape(y, (1,) * len(x.shape)) if keep else y

    return translate


def topk(call: Call) -> tuple[Value, ...]:
    """The largest, or least, in their order; ``sorted=False`` promises no order, so this one is as good."""
    x = call.tensor()
    call.ignore("sorted")
    return call.builder.emit_many(
        "select",
        (x,),
        (container(x.format), INT64),
        op="topk",
        axis=call.dim("dim", len(x.shape), -1),
        k=call.integer("k"),
        smallest=None if call.flag("largest", True) else True,
    )


def sort(call: Call) -> tuple[Value, ...]:
    x = call.tensor()
    call.ignore("stable")
    axis, falls = call.dim("dim", len(x.shape), -1), True if call.flag("descending") else None
    return call.builder.emit_many("select", (x,), (container(x.format), INT64), op="sort", axis=axis, descending=falls)


def argsort(call: Call) -> Value:
    return sort(call)[1]


def aminmax(call: Call) -> tuple[Value, ...]:
    """Both extremes, along one axis or of everything."""
    x = call.tensor()
    axes = (call.dim("dim", len(x.shape)),) if call.raw("dim") is not None else tuple(range(len(x.shape)))
    keep = call.flag("keepdim")
    return tuple(_reduce(call, op, x, axes, keep, container(x.format)) for op in ("min", "max"))

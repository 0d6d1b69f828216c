"""Reductions, running sums, and choosing by value."""

from __future__ import annotations

from micronet_verify.plugin import INT64, Operand, Result, Value
from micronet_verify_onnx.op import Op, Rule

# From this opset on, the axes are an operand.
_AXES_OPERAND = {"ReduceSum": 13}


def reduce(function: str, then: str = "") -> Rule:
    """A reduction over the given axes, all without any; ``then`` is applied to the result (ReduceLogSum)."""

    def rule(op: Op) -> Result:
        x = op.operand(0)
        rank = len(x.shape)
        axes = op.known_ints(1, "axes", ()) if op.version >= _AXES_OPERAND.get(op.kind, 18) else op.integers("axes", ())
        if (not axes and op.integer("noop_with_empty_axes", 0)) or not rank:
            return _of_one(op, x, function, then)
        chosen = tuple(sorted({op.axis(axis, rank) for axis in axes})) or tuple(range(rank))
        if function in ("max", "min") and any(x.shape[axis] == 0 for axis in chosen):
            op.refuse(f"an extreme over no values of {x.shape}", "be over at least one")
        y = op.emit("reduce", x.value, op=function, axes=chosen, keepdims=bool(op.integer("keepdims", 1)), fmt=x.format)
        return op.elementwise(then, y) if then else y

    return rule


# What a reduction of each single value comes to.
_SINGLE = {"l1": "abs", "l2": "abs", "sum_square": "square"}


def _of_one(op: Op, x: Operand, function: str, then: str) -> Result:
    applied = [name for name in (_SINGLE.get(function, ""), then) if name]
    if not applied:
        return x
    y = x.value
    for name in applied:
        y = op.elementwise(name, y)
    return y


def arg_extreme(function: str) -> Rule:
    def rule(op: Op) -> Value:
        x = op.x()
        axis = op.axis(op.integer("axis", 0), len(x.shape))
        last = True if op.integer("select_last_index", 0) else None
        return op.emit("select", x, op=function, axis=axis, keepdims=bool(op.integer("keepdims", 1)), last=last)

    return rule


def top_k(op: Op) -> tuple[Value, ...]:
    x = op.x()
    k = op.integer("k") if op.version < 10 else op.known_ints(1, what="a number of elements")[0]
    axis = op.axis(op.integer("axis", -1), len(x.shape))
    if not 0 <= k <= x.shape[axis]:
        op.refuse(f"the top {k} of {x.shape[axis]}", "be at most that many")
    smallest = None if op.integer("largest", 1) else True
    return op.builder.emit_many("select", (x,), (x.format, INT64), op="topk", axis=axis, k=k, smallest=smallest)


def cumulative(function: str) -> Rule:
    """Running sums and products, from either end, with the element itself or without."""

    def rule(op: Op) -> Value:
        x = op.x()
        axis = op.axis(op.known_ints(1, what="an axis")[0], len(x.shape))
        flags = {name: True if op.integer(name, 0) else None for name in ("exclusive", "reverse")}
        return op.emit("cumulative", x, op=function, axis=axis, fmt=x.format, **flags)

    return rule

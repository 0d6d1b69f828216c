"""Shape arithmetic of ONNX: which operators take part, and what their attributes mean (``framework/translation/shape_arithmetic``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from micronet_verify.plugin import (
    Array,
    Fold,
    Folds,
    Found,
    arithmetic,
    cumulated,
    filled,
    modulo,
    named,
    numpy_dtype,
    reduced,
    remainder,
    taken,
)
from micronet_verify_onnx.formats import element_type
from micronet_verify_onnx.op import Op


def _reduce(function: Callable[..., Any]) -> Fold:
    def rule(op: Op, x: list[Array]) -> Found:
        axes = _axes(op, x)
        if not axes and op.integer("noop_with_empty_axes", 0):
            return x[0]
        return reduced(function, x[0], axes or None, bool(op.integer("keepdims", 1)))

    return rule


def _axes(op: Op, x: list[Array]) -> tuple[int, ...]:
    return tuple(x[1].reshape(-1).tolist()) if len(x) > 1 else op.integers("axes", ())


def _slice(op: Op, x: list[Array]) -> Found:
    if op.version < 10:
        starts, ends = op.integers("starts"), op.integers("ends")
        axes, steps = op.integers("axes", tuple(range(len(starts)))), (1,) * len(starts)
    else:
        starts, ends = tuple(x[1].tolist()), tuple(x[2].tolist())
        axes = tuple(op.known_ints(3, "axes", tuple(range(len(starts)))))
        steps = tuple(op.known_ints(4, "steps", (1,) * len(starts)))
    cut = [slice(None)] * x[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # A start or end before the beginning means the beginning, except for the end of a backward slice.
        size = x[0].shape[axis]
        last = None if step < 0 and end < -size else end
        cut[axis] = slice(start, last, step)
    return x[0][tuple(cut)]


def _reshape(op: Op, x: list[Array]) -> Found:
    shape = [x[0].shape[axis] if size == 0 and not op.integer("allowzero", 0) else int(size) for axis, size in enumerate(x[1].reshape(-1))]
    return x[0].reshape(shape)


def _split(op: Op, x: list[Array]) -> Found:
    axis, count = op.integer("axis", 0), len(op.node.output)
    sizes = op.known_ints(1, "sizes", ()) if len(x) > 1 else op.integers("split", ())
    if not sizes:
        step = -(-x[0].shape[axis] // count)
        sizes = (step,) * (count - 1) + (x[0].shape[axis] - step * (count - 1),)
    return np.split(x[0], np.cumsum(sizes)[:-1], axis)


def _trilu(op: Op, x: list[Array]) -> Found:
    k = int(x[1].reshape(-1)[0]) if len(x) > 1 else 0
    return np.triu(x[0], k) if op.integer("upper", 1) else np.tril(x[0], k)


def _scatter_nd(op: Op, x: list[Array]) -> Found:
    if op.text("reduction", "none") != "none":
        return None
    out = x[0].copy()
    out[tuple(np.moveaxis(x[1], -1, 0))] = x[2]
    return out


def _constant_of_shape(op: Op, x: list[Array]) -> Found:
    value = op.tensor("value")
    return filled(x[0], np.zeros(1, np.float32) if value is None else value.load())


def _shape(op: Op) -> Found:
    sizes = op.operand(0).shape
    return np.array(sizes[slice(op.integer("start", 0), op.integer("end", len(sizes)))], np.int64)


FOLDS = Folds(
    {
        **named(
            "Abs=abs Add=add And=and Ceil=ceil Div=div Equal=equal Expand=expand Floor=floor Greater=greater GreaterOrEqual=greater_equal "
            "Less=less LessOrEqual=less_equal Max=max Min=min Mul=mul Neg=neg Not=not Or=or Pow=pow Range=range Round=round Sqrt=sqrt "
            "Sub=sub Sum=add Tile=tile Where=where Xor=xor"
        ),
        "Cast": lambda op, x: x[0].astype(numpy_dtype(element_type(op.integer("to"), op.where).format)),
        "CastLike": lambda op, x: x[0].astype(x[1].dtype),
        "Concat": lambda op, x: np.concatenate(x, op.integer("axis")),
        "ConstantOfShape": _constant_of_shape,
        "CumSum": lambda op, x: cumulated(x[0], x[1], not op.integer("exclusive", 0) and not op.integer("reverse", 0)),
        "Gather": lambda op, x: taken(op, x[0], x[1], op.integer("axis", 0), from_end=True),
        "Mod": lambda op, x: arithmetic(remainder if op.integer("fmod", 0) else modulo)(op, x),
        "NonZero": lambda op, x: np.array(np.nonzero(x[0]), np.int64),
        "ReduceMax": _reduce(np.max),
        "ReduceMin": _reduce(np.min),
        "ReduceProd": _reduce(np.prod),
        "ReduceSum": _reduce(np.sum),
        "Reshape": _reshape,
        "ScatterND": _scatter_nd,
        "Slice": _slice,
        "Split": _split,
        "Squeeze": lambda op, x: np.squeeze(x[0], _axes(op, x) or None),
        "Transpose": lambda op, x: x[0].transpose(op.integers("perm", tuple(reversed(range(x[0].ndim))))),
        "Trilu": _trilu,
        "Unsqueeze": lambda op, x: np.expand_dims(x[0], _axes(op, x)),
    },
    {"Shape": _shape, "Size": lambda op: np.array(op.operand(0).numel, np.int64)},
)

"""Shape arithmetic of TFLite: which operators take part, and what their options mean (``framework/translation/shape_arithmetic``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from micronet_verify.plugin import Array, Fold, Folds, Found, cumulated, filled, named, numpy_dtype, reduced, slices, strided, taken
from micronet_verify_tflite.op import Op


def _reduce(function: Callable[..., Any]) -> Fold:
    return lambda op, x: reduced(function, x[0], x[1].reshape(-1).tolist(), bool(op.option("keep_dims")))


def _gather(op: Op, x: list[Array]) -> Found:
    return None if op.integer("batch_dims") else taken(op, x[0], x[1], op.integer("axis"))


def _split(op: Op, x: list[Array]) -> Found:
    if op.integer("num_splits") != len(op.node.outputs):
        op.refuse(f"{op.integer('num_splits')} pieces and {len(op.node.outputs)} results", "be as many")
    return np.split(x[1], op.integer("num_splits"), int(x[0].reshape(-1)[0]))


FOLDS = Folds(
    {
        **named(
            "ABS=abs ADD=add BROADCAST_ARGS=shapes BROADCAST_TO=expand CEIL=ceil DIV=div EQUAL=equal EXPAND_DIMS=insert_axis FLOOR=floor "
            "FLOOR_DIV=floor_div FLOOR_MOD=mod GREATER=greater GREATER_EQUAL=greater_equal LESS=less LESS_EQUAL=less_equal LOGICAL_AND=and "
            "LOGICAL_NOT=not LOGICAL_OR=or MAXIMUM=max MINIMUM=min MUL=mul NEG=neg NOT_EQUAL=not_equal POW=pow RANGE=range SELECT=where "
            "SELECT_V2=where SLICE=begun SUB=sub TILE=tile TRANSPOSE=transpose ZEROS_LIKE=zeros_like"
        ),
        "CAST": lambda op, x: x[0].astype(numpy_dtype(op.out_format())),
        "CONCATENATION": lambda op, x: np.concatenate(x, op.integer("axis")),
        "CUMSUM": lambda op, x: cumulated(x[0], x[1], not op.option("exclusive") and not op.option("reverse")),
        "FILL": lambda op, x: filled(x[0], x[1]),
        "GATHER": _gather,
        "PACK": lambda op, x: np.stack(x, op.integer("axis")),
        "REDUCE_MAX": _reduce(np.max),
        "REDUCE_MIN": _reduce(np.min),
        "REDUCE_PROD": _reduce(np.prod),
        "RESHAPE": lambda op, x: x[0].reshape(x[1].reshape(-1).tolist()) if len(x) > 1 else None,
        "SPLIT": _split,
        "SQUEEZE": lambda op, x: np.squeeze(x[0], op.option("squeeze_dims") or None),
        "STRIDED_SLICE": lambda op, x: strided(op, op.integer, bool(op.option("offset"))).of(x[0]),
        "SUM": _reduce(np.sum),
        "UNPACK": lambda op, x: slices(x[0], op.integer("axis")),
    },
    {
        "RANK": lambda op: np.array(len(op.operand(0).shape), numpy_dtype(op.out_format())),
        "SHAPE": lambda op: np.array(op.operand(0).shape, numpy_dtype(op.out_format())),
    },
)

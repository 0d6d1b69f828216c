"""Shape arithmetic of TensorFlow: which operators take part, and what their attributes mean (``translation/shape_arithmetic``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from micronet_verify.plugin import Array, Fold, Folds, Found, cumulated, filled, named, numpy_dtype, reduced, slices, strided, taken
from micronet_verify_tensorflow.op import Op
from micronet_verify_tensorflow.operands import Handle


def _whole(op: Op, attribute: str) -> Any:
    return numpy_dtype(op.format(attribute)) if attribute in op.node.attributes else np.int32


def _shape(op: Op) -> list[Array]:
    return [np.array(operand.shape, _whole(op, "out_type")) for operand in op.operands()]


def _variable_shape(op: Op) -> Found:
    handle = op.item(0)
    return np.array(handle.operand.shape, _whole(op, "out_type")) if isinstance(handle, Handle) else None


def _reduce(function: Callable[..., Any]) -> Fold:
    return lambda op, x: reduced(function, x[0], x[1].reshape(-1).tolist(), op.flag("keep_dims"))


def _gather(op: Op, x: list[Array]) -> Found:
    return None if op.integer("batch_dims", 0) else taken(op, x[0], x[1], int(x[2]) if len(x) > 2 else 0)


FOLDS = Folds(
    {
        **named(
            "Abs=abs Add=add AddV2=add BroadcastArgs=shapes BroadcastTo=expand Ceil=ceil Div=div Equal=equal ExpandDims=insert_axis "
            "Floor=floor FloorDiv=floor_div FloorMod=mod Greater=greater GreaterEqual=greater_equal Less=less LessEqual=less_equal "
            "LogicalAnd=and LogicalNot=not LogicalOr=or Maximum=max Minimum=min Mul=mul Neg=neg NotEqual=not_equal Range=range RealDiv=div "
            "Reshape=reshape Round=round Select=where SelectV2=where Slice=begun Sub=sub Tile=tile Transpose=transpose TruncateDiv=div"
        ),
        "All": _reduce(np.all),
        "Any": _reduce(np.any),
        "Cast": lambda op, x: x[0].astype(numpy_dtype(op.format("DstT"))),
        "ConcatV2": lambda op, x: np.concatenate([np.atleast_1d(part) for part in x[:-1]], int(x[-1])),
        "Cumsum": lambda op, x: cumulated(x[0], x[1], not op.flag("exclusive") and not op.flag("reverse")),
        "Fill": lambda op, x: filled(x[0], x[1]),
        "GatherV2": _gather,
        "InvertPermutation": lambda op, x: np.argsort(x[0]).astype(x[0].dtype),
        "Max": _reduce(np.max),
        "Min": _reduce(np.min),
        "Pack": lambda op, x: np.stack(x, op.integer("axis", 0)),
        "Prod": _reduce(np.prod),
        "Split": lambda op, x: np.split(x[1], op.integer("num_split"), int(x[0])),
        "SplitV": lambda op, x: np.split(x[0], np.cumsum(x[1])[:-1], int(x[2])),
        "Squeeze": lambda op, x: np.squeeze(x[0], op.integers("squeeze_dims") or None),
        "StridedSlice": lambda op, x: strided(op, lambda name: op.integer(name, 0)).of(x[0]),
        "Sum": _reduce(np.sum),
        "Unpack": lambda op, x: slices(x[0], op.integer("axis", 0)),
    },
    {
        "Rank": lambda op: np.array(len(op.operand(0).shape), np.int32),
        "Shape": _shape,
        "ShapeN": _shape,
        "Size": lambda op: np.array(op.operand(0).numel, _whole(op, "out_type")),
        "VariableShape": _variable_shape,
    },
)

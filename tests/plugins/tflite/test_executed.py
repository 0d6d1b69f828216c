"""Every line of the op table, executed: the neutral graph gives the answers of TFLite's kernels on inputs that reach the bounds.

Lines without a program here are executed elsewhere in this folder, where their setting is (``ELSEWHERE``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from micronet_verify_tflite.op_table import TABLE

from micronet_verify.framework.translation.table import Line
from tests.difference import CLOSE
from tests.plugins.tflite.support import compare, ints, random
from tests.plugins.tflite.writer import File

# Ties, bounds of relu6, both signs, and zeros.
X = np.concatenate([np.array([-7.5, -2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 5.5, 6.0, 6.5, 8.0], np.float32), random(12)]).reshape(1, 2, 3, 4)
WHOLE = ints(-13, -7, -6, -1, 0, 1, 5, 6, 7, 12, 2**31 - 1, -(2**31)).reshape(1, 12)
POSITIVE = np.abs(X) + np.float32(0.25)
IMAGE = random(1, 5, 6, 4)
WINDOW = {"padding": 0, "strideH": 2, "strideW": 1}
DILATION = {"dilationHFactor": 1, "dilationWFactor": 1}


@dataclass(frozen=True)
class One:
    """One operator: its input, constants before and behind it, options, and the types of its results."""

    x: Any
    behind: Sequence[Any] = ()
    before: Sequence[Any] = ()
    options: str = ""
    results: Sequence[str] = ("float32",)
    version: int = 1
    most: float = CLOSE
    fields: dict[str, Any] = field(default_factory=dict)
    shape: Sequence[int] = ()


def resized(name: str) -> list[One]:
    modes = ((True, False), (False, True), (False, False))
    return [One(IMAGE, [ints(7, 11)], options=name, fields={"halfPixelCenters": half, "alignCorners": corners}) for half, corners in modes]


def pooled(x: Any) -> One:
    return One(x, options="Pool2D", fields={**WINDOW, "filterHeight": 3, "filterWidth": 3})


Y = np.ascontiguousarray(X[..., ::-1])
ROUNDED = np.round(X)
ADDED = ints(0, 0, 0, 0, 1, 1, 2, 1).reshape(4, 2)
PROGRAMS: dict[str, One | list[One]] = {
    **{name: One(X) for name in (
        "ABS CEIL COS ELU EXP FLOOR HARD_SWISH LOGISTIC NEG RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND SIGN SIN SQUARE TANH LOG_SOFTMAX "
        "ZEROS_LIKE"
    ).split()},
    **{name: One(POSITIVE) for name in "LOG RSQRT SQRT".split()},
    **{name: One(X, [Y], options=options) for name, options in
       {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "MAXIMUM": "", "MINIMUM": "", "SQUARED_DIFFERENCE": "", "ATAN2": ""}.items()},
    **{name: One(ROUNDED, [np.round(Y)], results=("bool",)) for name in "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL".split()},
    **{name: One(X, [np.array(axes, np.int32)], options="Reducer") for name, axes in
       {"MEAN": [1, -1], "SUM": [2], "REDUCE_MAX": [1], "REDUCE_MIN": [3], "REDUCE_PROD": [2]}.items()},
    **{name: One(X > 0, [ints(1)], options="Reducer", results=("bool",)) for name in ("REDUCE_ALL", "REDUCE_ANY")},
    **{name: One(X > 0, [Y > 0], results=("bool",)) for name in ("LOGICAL_AND", "LOGICAL_OR")},
    "LOGICAL_NOT": One(X > 0, results=("bool",)),
    "DIV": [One(X, [np.float32(0.3)], options="Div"), One(WHOLE, [np.int32(5)], options="Div", results=("int32",))],
    "FLOOR_DIV": [One(X, [np.float32(0.3)]), One(WHOLE, [np.int32(-5)], results=("int32",))],
    "FLOOR_MOD": [One(X, [np.float32(2.5)]), One(WHOLE, [np.int32(-5)], results=("int32",))],
    "BITWISE_XOR": One(WHOLE, [np.int32(6)], results=("int32",)),
    "RIGHT_SHIFT": One(WHOLE, [np.full(12, 2, np.int32)], results=("int32",)),
    "ADD_N": One(X, [Y, 2 * Y]),
    "ARG_MAX": One(ROUNDED, [np.int32(2)], options="ArgMax", results=("int32",), fields={"outputType": 2}),
    "ARG_MIN": One(ROUNDED, [np.int32(2)], options="ArgMin", results=("int32",), fields={"outputType": 2}),
    "AVERAGE_POOL_2D": pooled(IMAGE + 5),
    "MAX_POOL_2D": pooled(IMAGE - 5),
    "BATCH_MATMUL": One(X, [random(2, 4, 5)], options="BatchMatMul"),
    "SPACE_TO_BATCH_ND": One(IMAGE, [ints(2, 3), ints(0, 1, 1, 2).reshape(2, 2)], shape=(1, 5, 6, 4)),
    "BROADCAST_TO": One(X[:, :1], [ints(1, 5, 3, 4)], version=2),
    "CAST": One(X, options="Cast", results=("int32",)),
    "CONCATENATION": One(X, [Y], options="Concatenation", fields={"axis": 2, "fusedActivationFunction": 0}, shape=X.shape),
    "CONV_2D": One(IMAGE, [random(6, 3, 2, 4), random(6)], options="Conv2D", fields=WINDOW | DILATION | {"fusedActivationFunction": 3}),
    "CONV_3D": One(random(1, 4, 5, 6, 3), [random(2, 3, 2, 3, 5), random(5)], options="Conv3D", fields=dict.fromkeys(
        ("strideD", "strideH", "strideW", "dilationDFactor", "dilationHFactor", "dilationWFactor"), 1)),
    "DEPTHWISE_CONV_2D": One(
        IMAGE, [random(1, 3, 2, 8), random(8)], options="DepthwiseConv2D", fields=WINDOW | DILATION | {"depthMultiplier": 2}),
    "CUMSUM": [One(X, [np.int32(2)], options="Cumsum", fields={"exclusive": a, "reverse": b}) for a in (0, 1) for b in (0, 1)],
    "DEPTH_TO_SPACE": One(IMAGE, options="DepthToSpace", fields={"blockSize": 2}),
    "SPACE_TO_DEPTH": One(IMAGE[:, :4], options="SpaceToDepth", fields={"blockSize": 2}),
    "DYNAMIC_UPDATE_SLICE": [
        One(random(1, 3, 4), [random(1, *size), ints(0, *at)], shape=(1, 3, 4))
        for size, at in (((3, 2), (0, 3)), ((2, 4), (-1, 0)), ((2, 2), (1, 1)), ((3, 4), (0, 0)))],
    "EXPAND_DIMS": One(X, [np.int32(-1)]),
    "FAKE_QUANT": One(0.5 * X, options="FakeQuant", fields={"min": -4.0, "max": 3.5, "numBits": 4}),
    "GATHER": [One(X, [ints(1, 0, 2)], options="Gather", fields={"axis": 2}),
               One(random(1, 3, 4), [ints(2, 0).reshape(1, 2)], options="Gather", fields={"axis": 1, "batchDims": 1}, shape=(1, 3, 4))],
    "GATHER_ND": One(X, [ints(0, 1, 2, 0, 0, 1).reshape(2, 3)], shape=X.shape),
    "GELU": [One(X, options="Gelu", fields={"approximate": fast}) for fast in (False, True)],
    "L2_NORMALIZATION": One(X, options="L2Norm"),
    "LEAKY_RELU": One(X, options="LeakyRelu", fields={"alpha": 0.1}),
    "LOCAL_RESPONSE_NORMALIZATION": One(
        X, options="LocalResponseNormalization", fields={"radius": 1, "bias": 1.5, "alpha": 0.3, "beta": 0.75}),
    "MIRROR_PAD": [One(IMAGE, [ADDED], options="MirrorPad", fields={"mode": mode}) for mode in (0, 1)],
    "PAD": One(X, [ADDED]),
    "PADV2": One(X, [ADDED, np.float32(-3.5)]),
    "PACK": One(X, [Y], options="Pack", fields={"axis": 2, "valuesCount": 2}, shape=X.shape),
    "POW": [One(POSITIVE, [np.float32(number)]) for number in (2, 0.3)],
    "PRELU": One(X, [np.array([[[0.1, -0.5, 2.0, 0.0]]], np.float32)]),
    "RESHAPE": One(X, [ints(-1, 12, 2)]),
    "RESIZE_BILINEAR": resized("ResizeBilinear"),
    "RESIZE_NEAREST_NEIGHBOR": resized("ResizeNearestNeighbor"),
    "REVERSE_V2": One(X, [ints(2)]),
    "SCATTER_ND": One(random(1, 4, 3), [ints(6, 3)], [ints(2, 0, 2, 5).reshape(1, 4, 1)], shape=(1, 4, 3)),
    "SLICE": One(X, [ints(0, 1, 0, 2), ints(-1, 1, -1, 2)]),
    "SOFTMAX": One(X, options="Softmax", fields={"beta": 0.5}),
    "SQUEEZE": One(X[:, :1], options="Squeeze", fields={"squeezeDims": [1]}),
    "STRIDED_SLICE": One(X, [ints(0, 1, 2, 3), ints(1, 2, 0, 0), ints(1, 1, -1, -2)], options="StridedSlice", fields={"endMask": 1}),
    "TILE": One(X, [ints(1, 2, 1, 3)]),
    "TOPK_V2": One(ROUNDED, [np.int32(3)], results=("float32", "int32")),
    "TRANSPOSE": One(X, [ints(0, 3, 1, 2)]),
    "UNPACK": One(X, options="Unpack", results=("float32",) * 3, fields={"axis": 2, "num": 3}),
    "SPLIT": One(X, (), [np.int32(3)], options="Split", results=("float32",) * 2, fields={"numSplits": 2}),
    "SPLIT_V": One(X, [ints(1, -1), np.int32(3)], options="SplitV", results=("float32",) * 2, fields={"numSplits": 2}),
    "SELECT_V2": One(X > 0, [X, np.float32(0.5)]),
    "SELECT": One(X > 0, [X, Y]),
    "ONE_HOT": One(ints(2, 0, 3).reshape(1, 3), [np.int32(3), np.float32(2), np.float32(-1)], options="OneHot", fields={"axis": 1}),
    "REVERSE_SEQUENCE": One(X, [ints(2)], options="ReverseSequence", fields={"seqDim": 1, "batchDim": 0}, shape=X.shape),
    "TRANSPOSE_CONV": One(
        X, (), [ints(1, 5, 7, 6), random(6, 3, 3, 4)], options="TransposeConv",
        fields={"padding": 1, "strideH": 2, "strideW": 2}, shape=X.shape),
}  # fmt: skip

ELSEWHERE = frozenset(
    # Shapes and constants: test_operators.
    "BROADCAST_ARGS FILL RANGE RANK SHAPE EMBEDDING_LOOKUP BATCH_TO_SPACE_ND "
    # Codes: test_quantized.
    "QUANTIZE DEQUANTIZE DENSIFY FULLY_CONNECTED "
    # Branches and loops: test_control; recurrent layers: test_recurrent.
    "IF WHILE UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN".split()
)


def test_every_line_has_a_program() -> None:
    assert {name for name, line in TABLE.items() if isinstance(line, Line)} == PROGRAMS.keys() | ELSEWHERE


CASES = [(name, one) for name, found in PROGRAMS.items() for one in (found if isinstance(found, list) else [found])]


@pytest.mark.parametrize(("name", "one"), CASES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(CASES)])
def test_the_neutral_graph_gives_tflites_answers(name: str, one: One) -> None:
    file, sub = File.new()
    data = np.asarray(one.x)
    given = sub.input(one.shape or (-1, *data.shape[1:]), data.dtype.name)
    before, behind = ([sub.constant(constant) for constant in each] for each in (one.before, one.behind))
    results = [sub.tensor((), dtype) for dtype in one.results]
    sub.outputs = sub.op(name, [*before, given, *behind], results, one.options, version=one.version, **one.fields)
    compare(file, data, most=one.most, batch=-1 in (one.shape or (-1,)))

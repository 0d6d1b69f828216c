"""Every line of the op table, executed: the neutral graph gives TensorFlow's answers on inputs that reach the bounds.

Lines without a program of their own here are executed elsewhere in this folder, where their setting is (``ELSEWHERE``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from micronet_verify_tensorflow.counter import read_program
from micronet_verify_tensorflow.op_table import TABLE

from micronet_verify.framework.translation.table import Line
from tests.plugins.tensorflow.support import Builder, random

# Ties, bounds of relu6, both signs, and zeros.
X = np.concatenate([np.array([-7.5, -2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 5.5, 6.0, 6.5, 8.0], np.float32), random(12)]).reshape(1, 4, 6)
WHOLE = np.array([-13, -7, -6, -1, 0, 1, 5, 6, 7, 12, 2**31 - 1, -(2**31)], np.int32).reshape(1, 12)
IMAGE = random(1, 5, 6, 4)
SMALL = 0.9 * np.tanh(X)
POSITIVE = np.abs(X) + np.float32(0.25)
PICK = np.array([[3, 0, 2, 3]], np.int32)

Run = Callable[[Any, Any], Any]


def raw(name: str, **more: Any) -> Run:
    """The operator ``name`` of one tensor, whatever its argument is called."""

    def run(tf: Any, x: Any) -> Any:
        function = getattr(tf.raw_ops, name)
        argument = next(key for key in ("x", "features", "logits", "input", "t") if key in function.__signature__.parameters)
        return function(**{argument: x}, **more)

    return run


def with_numbers(name: str, number: float) -> Run:
    return lambda tf, x: getattr(tf.raw_ops, name)(x=x, y=tf.constant(number, x.dtype))


def reduced(name: str) -> Run:
    return lambda tf, x: getattr(tf.raw_ops, name)(input=x, axis=[2], keep_dims=False)


def pair(name: str) -> Run:
    return lambda tf, x: getattr(tf.raw_ops, name)(x=x, y=x[:, ::-1])


PROGRAMS: dict[str, tuple[Run, Any]] = {
    **{name: (raw(name), X) for name in (
        "Abs Atan Ceil Cos Cosh Elu Erf Erfc Exp Expm1 Floor IsFinite IsInf IsNan LogSoftmax Neg Relu Relu6 Rint Round Selu Sigmoid Sign "
        "Sin Sinh Softmax Softplus Softsign Square Tanh ZerosLike OnesLike Asinh Snapshot StopGradient PreventGradient"
    ).split()},
    **{name: (raw(name), SMALL) for name in "Acos Asin Atanh Tan".split()},
    **{name: (raw(name), POSITIVE) for name in "Inv Log Log1p Reciprocal Rsqrt Sqrt".split()},
    **{name: (reduced(name), X) for name in "EuclideanNorm Max Mean Min Prod Sum".split()},
    **{name: (pair(name), np.round(X)) for name in
       "Add AddV2 Sub Mul Maximum Minimum Equal NotEqual Greater GreaterEqual Less LessEqual".split()},
    **{name: (pair(name), X) for name in "SquaredDifference DivNoNan".split()},
    **{name: (with_numbers(name, 2.5), X) for name in "Div RealDiv FloorMod Mod TruncateMod".split()},
    "FloorDiv": (with_numbers("FloorDiv", 0.3), X),
    "TruncateDiv": (with_numbers("TruncateDiv", 5), WHOLE),
    **{name: (lambda tf, x, name=name: getattr(tf.raw_ops, name)(x=x, y=tf.constant(6, x.dtype)), WHOLE) for name in
       "BitwiseAnd BitwiseOr BitwiseXor".split()},
    "Acosh": (raw("Acosh"), POSITIVE + 1),
    "AddN": (lambda tf, x: tf.add_n([x, x * x, x[:, ::-1]]), X),
    "All": (lambda tf, x: tf.reduce_all(x > -1, 1), X),
    "Any": (lambda tf, x: tf.reduce_any(x > 2, 1), X),
    "ArgMax": (lambda tf, x: tf.argmax(tf.round(x), 2), np.tile(X, (1, 1, 2))),
    "ArgMin": (lambda tf, x: tf.argmin(tf.round(x), 2), np.tile(X, (1, 1, 2))),
    "Atan2": (lambda tf, x: tf.atan2(x, x[:, ::-1]), X),
    "AvgPool": (lambda tf, x: tf.nn.avg_pool2d(x, 3, 2, "SAME"), IMAGE + 5),
    "AvgPool3D": (lambda tf, x: tf.nn.avg_pool3d(x, 3, 2, "SAME"), random(1, 4, 5, 6, 2) + 5),
    "MaxPool": (lambda tf, x: tf.nn.max_pool2d(x, 3, 2, "SAME"), IMAGE - 5),
    "MaxPool3D": (lambda tf, x: tf.nn.max_pool3d(x, 3, 2, "SAME"), random(1, 4, 5, 6, 2) - 5),
    **{name: (lambda tf, x, name=name: getattr(tf.raw_ops, name)(x=x, y=x, adj_y=True), X) for name in ("BatchMatMul", "BatchMatMulV2")},
    "BatchMatMulV3": (lambda tf, x: tf.raw_ops.BatchMatMulV3(x=x, y=x, adj_x=True, Tout=tf.float32), X),
    "BiasAdd": (lambda tf, x: tf.nn.bias_add(x, [1.0, 2, 3, 4]), IMAGE),
    "BroadcastTo": (lambda tf, x: tf.broadcast_to(x[:, :1], tf.shape(x)), X),
    "Cast": (lambda tf, x: tf.cast(tf.cast(x, tf.int32), tf.float32) + tf.cast(tf.cast(x, tf.bool), tf.float32), X),
    "CheckNumerics": (lambda tf, x: tf.debugging.check_numerics(x, ""), X),
    "ClipByValue": (lambda tf, x: tf.raw_ops.ClipByValue(t=x, clip_value_min=-0.5, clip_value_max=2.5), X),
    "Concat": (lambda tf, x: tf.raw_ops.Concat(concat_dim=1, values=[x, 2 * x]), X),
    "ConcatV2": (lambda tf, x: tf.concat([x, 2 * x, x[:, :0]], 1), X),
    "Const": (lambda tf, x: x + tf.constant(random(4, 6)), X),
    "Conv2D": (lambda tf, x: tf.nn.conv2d(x, random(3, 2, 2, 6), [2, 1], "SAME"), IMAGE),
    "Conv3D": (lambda tf, x: tf.nn.conv3d(x, random(3, 2, 2, 2, 3), [1, 2, 1, 1, 1], "SAME"), random(1, 4, 5, 6, 2)),
    "Conv2DBackpropInput": (lambda tf, x: tf.nn.conv2d_transpose(x, random(3, 3, 5, 4), [1, 10, 12, 5], 2, "SAME"), IMAGE),
    "Conv3DBackpropInputV2": (
        lambda tf, x: tf.nn.conv3d_transpose(x, random(2, 3, 3, 5, 2), [1, 8, 10, 12, 5], 2, "SAME"), random(1, 4, 5, 6, 2)),
    "Cumprod": (lambda tf, x: tf.math.cumprod(x, 1, exclusive=True, reverse=True), X),
    "Cumsum": (lambda tf, x: (tf.cumsum(x, 1, exclusive=True), tf.cumsum(x, 2, reverse=True)), X),
    "DepthToSpace": (lambda tf, x: tf.nn.depth_to_space(x, 2), IMAGE),
    "DepthwiseConv2dNative": (lambda tf, x: tf.nn.depthwise_conv2d(x, random(3, 2, 4, 2), [1, 2, 2, 1], "SAME"), IMAGE),
    "Einsum": (lambda tf, x: tf.einsum("bij,jk->bki", x, random(6, 3)), X),
    "EnsureShape": (lambda tf, x: tf.ensure_shape(x, [None, 4, 6]), X),
    "ExpandDims": (lambda tf, x: tf.expand_dims(x, -1), X),
    "FakeQuantWithMinMaxArgs": (lambda tf, x: tf.quantization.fake_quant_with_min_max_args(x, -1, 5.4), X),
    # Steps of ½, so that ties are ties in every order of the arithmetic: ½ up, on both sides of 0.
    "FakeQuantWithMinMaxVars": (lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(0.5 * x, -4.0, 3.5, 4), X),
    "FakeQuantWithMinMaxVarsPerChannel": (
        lambda tf, x: tf.quantization.fake_quant_with_min_max_vars_per_channel(x, [-1.0, -2, 0, -4, -0.1, -6], [1.0, 3, 2, 9, 4, 6]), X),
    "Fill": (lambda tf, x: x + tf.fill([4, 6], 2.0), X),
    "GatherNd": (
        lambda tf, x: (tf.gather_nd(x, [[[0, 3, 1], [0, 0, 5]]]), tf.gather_nd(x, tf.cast(tf.abs(x[:, :2, :1]) / 3, tf.int32), 1)), X),
    "GatherV2": (
        lambda tf, x: (tf.gather(X[0], x), tf.gather(tf.cast(x, tf.float32) * 2, x, axis=1, batch_dims=1), tf.gather(x, [3, 1], axis=1)),
        PICK),
    "Identity": (lambda tf, x: tf.identity(x), X),
    "IdentityN": (lambda tf, x: tf.identity_n([x, 2 * x]), X),
    "LRN": (lambda tf, x: tf.nn.lrn(x, 2, 1.5, 0.3, 0.75), random(1, 3, 3, 8)),
    "LeakyRelu": (lambda tf, x: tf.nn.leaky_relu(x, 0.3), X),
    "LogicalAnd": (lambda tf, x: tf.logical_and(x > 0, x < 2), X),
    "LogicalNot": (lambda tf, x: tf.logical_not(x > 0), X),
    "LogicalOr": (lambda tf, x: tf.logical_or(x < 0, x > 2), X),
    "MatMul": (lambda tf, x: tf.matmul(x[:, 0], random(3, 6), transpose_b=True), X),
    "MatrixBandPart": (lambda tf, x: tf.linalg.band_part(x, 1, 2), X),
    "MirrorPad": (lambda tf, x: (tf.pad(x, [[0, 0], [2, 1], [0, 3]], "REFLECT"), tf.pad(x, [[0, 0], [2, 1], [0, 3]], "SYMMETRIC")), X),
    "OneHot": (lambda tf, x: (tf.one_hot(x, 3), tf.one_hot(x, 4, 2.0, -1.0, axis=1)), PICK),
    "Pack": (lambda tf, x: tf.stack([x, x + 1], 2), X),
    "Pad": (lambda tf, x: tf.pad(x, [[0, 0], [1, 2], [0, 1]]), X),
    "PadV2": (lambda tf, x: tf.pad(x, [[0, 0], [1, 2], [0, 1]], constant_values=-3.5), X),
    "Pow": (lambda tf, x: x**2 + x**1 + x**0.3, POSITIVE),
    "Range": (lambda tf, x: tf.reduce_sum(x) + tf.range(5000.0) * 0.001, X),
    "Reshape": (lambda tf, x: tf.reshape(x, [-1, 24]), X),
    "ResizeBicubic": (
        lambda tf, x: [tf.raw_ops.ResizeBicubic(images=x, size=[10, 12], half_pixel_centers=half) for half in (True, False)], IMAGE),
    "ResizeBilinear": (
        lambda tf, x: [tf.raw_ops.ResizeBilinear(images=x, size=[7, 11], half_pixel_centers=half, align_corners=corners)
                       for half, corners in ((True, False), (False, True), (False, False))], IMAGE),
    "ResizeNearestNeighbor": (
        lambda tf, x: [tf.raw_ops.ResizeNearestNeighbor(images=x, size=[9, 4], half_pixel_centers=half, align_corners=corners)
                       for half, corners in ((True, False), (False, True), (False, False))], IMAGE),
    "ReverseV2": (lambda tf, x: tf.reverse(x, [1, 2]), X),
    "ScatterNd": (lambda tf, x: tf.scatter_nd([[2], [0], [2], [5]], x[0], [7, 6]), X),
    "Select": (lambda tf, x: tf.raw_ops.Select(condition=x > 0, x=x, y=2 * x), X),
    "SelectV2": (lambda tf, x: tf.where(x > 0, x, 0.5), X),
    "Slice": (lambda tf, x: tf.slice(x, [0, 1, 2], [-1, 2, -1]), X),
    "SpaceToBatchND": (
        lambda tf, x: tf.batch_to_space(tf.space_to_batch(x, [2, 3], [[0, 1], [1, 2]]) * 2, [2, 3], [[0, 1], [1, 2]]), IMAGE),
    "SpaceToDepth": (lambda tf, x: tf.nn.space_to_depth(x, 2), IMAGE[:, :4]),
    "Split": (lambda tf, x: tf.split(x, 3, -1), X),
    "SplitV": (lambda tf, x: tf.split(x, [1, -1, 2], -1), X),
    "Squeeze": (lambda tf, x: tf.squeeze(x[:, :, :1], [2]), X),
    "StridedSlice": (lambda tf, x: x[:, 1:4:2, ..., tf.newaxis, ::-2], X),
    "Tile": (lambda tf, x: tf.tile(x, [1, 2, 3]), X),
    "TopKV2": (lambda tf, x: tuple(tf.math.top_k(x, 4)), np.round(X)),
    "Transpose": (lambda tf, x: tf.transpose(x, [0, 2, 1]), X),
    "Unpack": (lambda tf, x: tf.unstack(x, axis=1), X),
    **{f"TensorScatter{name}": (lambda tf, x, name=name: getattr(tf.raw_ops, f"TensorScatter{name}")(
        tensor=x[0], indices=[[2, 1], [0, 5], [3, 3]], updates=[9.5, -3.0, 0.25]), X) for name in ("Add", "Sub", "Max", "Min", "Update")},
}  # fmt: skip

ELSEWHERE = frozenset(
    # Shapes, which are folded, and one output that the whole folder uses.
    "BroadcastArgs InvertPermutation Rank Shape ShapeN Size VariableShape "
    # Variables, calls, branches, loops and lists: test_control, test_operators, test_keras_files.
    "ReadVariableOp ResourceGather ResourceGatherNd VarHandleOp PartitionedCall StatefulPartitionedCall If StatelessIf While "
    "StatelessWhile EmptyTensorList "
    "TensorListFromTensor TensorListGetItem TensorListLength TensorListPushBack TensorListReserve TensorListSetItem TensorListStack "
    # Inference alone: test_operators.
    "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 "
    # The other half of SpaceToBatchND; and what old files hold and TensorFlow no longer runs.
    "BatchToSpaceND TopK".split()
)


def test_every_line_has_a_program() -> None:
    assert {name for name, line in TABLE.items() if isinstance(line, Line)} == PROGRAMS.keys() | ELSEWHERE


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_neutral_graph_gives_tensorflows_answers(build: Builder, name: str) -> None:
    run, x = PROGRAMS[name]
    found = build.compare(lambda x: run(build.tf, x), x)
    program = read_program(found.path)
    assert name in {node.op for body in (program.main, *program.functions.values()) for node in body.nodes.values()}

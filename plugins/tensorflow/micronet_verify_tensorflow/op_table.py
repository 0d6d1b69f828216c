"""The op table: one line per TensorFlow operator, sorted. What has no line is refused by name and place (rule O17).

``priced`` operators do work; ``moves`` arrange, copy or describe data and cost nothing themselves (rule O9), with the
reason; ``refused`` ones are named with what to do instead. Every operator here computes and does nothing else: this is also the
list of what may stand in functions that the signature does not call (``allowed``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from micronet_verify_tensorflow import control, lists, ops_index, ops_layers, ops_linear, ops_move, ops_quantize
from micronet_verify_tensorflow import ops_elementwise as elementwise
from micronet_verify_tensorflow.op import Rule

Treatment = Literal["priced", "moves"]


@dataclass(frozen=True, slots=True)
class Line:
    """An operator that is counted; ``outputs`` are its results' names, where a function may ask for more than one."""

    rule: Rule
    treatment: Treatment
    note: str = ""
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operator that fails the count, and what to do about it."""

    reason: str
    advice: str = ""


def priced(rule: Rule, note: str = "", outputs: str = "") -> Line:
    return Line(rule, "priced", note, tuple(outputs.split()))


def moves(rule: Rule, note: str) -> Line:
    return Line(rule, "moves", note)


_RANDOM = Refusal("random numbers", "constants must be stored in the file, and answers must repeat: call the model with training=False")
_DATA_SIZE = Refusal("a result whose size the data decides", "fixed shapes are counted: mask instead of selecting")
_TRAINING = Refusal("an operator of training", "export the model for inference")
_NO_PRICE = Refusal("an operator whose work has no agreed price", "ask the organizers for a line in the op table")

_FUSED_NORM = priced(ops_layers.batch_norm, "inference only", "y batch_mean batch_variance reserve_space_1 reserve_space_2 reserve_space_3")
_TOP_K = priced(ops_layers.top_k, outputs="values indices")
_SHAPE = moves(ops_move.shape_only, "describes a tensor")
_CALL = priced(control.call, "inlined")
_SAME = moves(ops_move.identity, "the same value")
_WHILE = priced(control.while_, "a constant number of turns, written out")
_IF = priced(control.if_, "the chosen branch, or both where the data decides")

_LINES: dict[str, Line | Refusal] = {
    "Abs": priced(elementwise.unary("abs")),
    "Acos": priced(elementwise.unary("acos")),
    "Acosh": priced(elementwise.unary("acosh")),
    "Add": priced(elementwise.binary("add")),
    "AddN": priced(elementwise.add_n),
    "AddV2": priced(elementwise.binary("add"), "the end of a batch or layer norm, where one is written out"),
    "All": priced(ops_layers.reduce("all")),
    "Any": priced(ops_layers.reduce("any")),
    "ArgMax": priced(ops_layers.arg_extreme("argmax")),
    "ArgMin": priced(ops_layers.arg_extreme("argmin")),
    "Asin": priced(elementwise.unary("asin")),
    "Asinh": priced(elementwise.unary("asinh")),
    "Assert": Refusal("an assertion", "export the model without assertions"),
    "Atan": priced(elementwise.unary("atan")),
    "Atan2": priced(elementwise.binary("atan2")),
    "Atanh": priced(elementwise.unary("atanh")),
    "AvgPool": priced(ops_layers.pool("average")),
    "AvgPool3D": priced(ops_layers.pool("average")),
    "AvgPoolGrad": _TRAINING,
    "BatchMatMul": priced(ops_linear.batch_matmul),
    "BatchMatMulV2": priced(ops_linear.batch_matmul),
    "BatchMatMulV3": priced(ops_linear.batch_matmul),
    "BatchToSpaceND": moves(ops_move.batch_to_space, "reshape, transpose, reshape, slice"),
    "BiasAdd": priced(elementwise.bias_add),
    "BiasAddGrad": _TRAINING,
    "BitwiseAnd": priced(elementwise.bitwise("and")),
    "BitwiseOr": priced(elementwise.bitwise("or")),
    "BitwiseXor": priced(elementwise.bitwise("xor")),
    "BroadcastArgs": _SHAPE,
    "BroadcastGradientArgs": _TRAINING,
    "BroadcastTo": moves(ops_move.broadcast_to, "repeats data"),
    "Cast": moves(ops_move.cast, "another number format (rule O11)"),
    "Ceil": priced(elementwise.unary("ceil")),
    "CheckNumerics": _SAME,
    "ClipByValue": priced(elementwise.clip),
    "Concat": moves(ops_move.concat, "joins tensors"),
    "ConcatV2": moves(ops_move.concat, "joins tensors"),
    "Const": moves(ops_move.constant, "a stored constant"),
    "Conv2D": priced(ops_linear.conv, "groups by the filter's shape"),
    "Conv2DBackpropFilter": _TRAINING,
    "Conv2DBackpropInput": priced(ops_linear.transposed, "a transposed convolution"),
    "Conv3D": priced(ops_linear.conv),
    "Conv3DBackpropInputV2": priced(ops_linear.transposed, "a transposed convolution"),
    "Cos": priced(elementwise.unary("cos")),
    "Cosh": priced(elementwise.unary("cosh")),
    "Cumprod": priced(ops_layers.cumulative("cumprod")),
    "Cumsum": priced(ops_layers.cumulative("cumsum")),
    "DepthToSpace": moves(ops_move.depth_to_space, "reshape, transpose, reshape"),
    "DepthwiseConv2dNative": priced(ops_linear.depthwise),
    "DepthwiseConv2dNativeBackpropFilter": _TRAINING,
    "DepthwiseConv2dNativeBackpropInput": _TRAINING,
    "Div": priced(elementwise.binary("div")),
    "DivNoNan": priced(elementwise.no_nan, "compare, divide, select"),
    "Einsum": priced(ops_linear.einsum, "products of two operands, left to right"),
    "Elu": priced(elementwise.unary("elu", alpha=1.0)),
    "EluGrad": _TRAINING,
    "EmptyTensorList": moves(lists.empty, "a list of tensors"),
    "EnsureShape": moves(ops_move.ensure_shape, "the same value"),
    "Equal": priced(elementwise.binary("equal")),
    "Erf": priced(elementwise.unary("erf")),
    "Erfc": priced(elementwise.erfc, "1 − erf"),
    "EuclideanNorm": priced(ops_layers.reduce("l2")),
    "Exp": priced(elementwise.unary("exp")),
    "ExpandDims": moves(ops_move.expand_dims, "a view"),
    "Expm1": priced(elementwise.unary("expm1")),
    "FakeQuantWithMinMaxArgs": priced(ops_quantize.fake_quant_args, "quantize, dequantize"),
    "FakeQuantWithMinMaxVars": priced(ops_quantize.fake_quant_vars, "quantize, dequantize"),
    "FakeQuantWithMinMaxVarsPerChannel": priced(ops_quantize.fake_quant_vars, "quantize, dequantize"),
    "Fill": moves(ops_move.fill, "one stored number, expanded"),
    "Floor": priced(elementwise.unary("floor")),
    "FloorDiv": priced(elementwise.binary("floor_div")),
    "FloorMod": priced(elementwise.binary("mod")),
    "FusedBatchNorm": _FUSED_NORM,
    "FusedBatchNormGradV3": _TRAINING,
    "FusedBatchNormV2": _FUSED_NORM,
    "FusedBatchNormV3": _FUSED_NORM,
    "GatherNd": priced(ops_index.gather_nd, "by constants a permutation (rule O9), by the data a look-up"),
    "GatherV2": priced(ops_index.gather, "by constants a slice or permutation (rule O9), by the data a look-up"),
    "Greater": priced(elementwise.binary("greater")),
    "GreaterEqual": priced(elementwise.binary("greater_equal")),
    "Identity": _SAME,
    "IdentityN": moves(ops_move.identities, "the same values"),
    "If": _IF,
    "Inv": priced(elementwise.unary("reciprocal")),
    "InvertPermutation": _SHAPE,
    "IsFinite": priced(elementwise.is_finite),
    "IsInf": priced(elementwise.unary("isinf")),
    "IsNan": priced(elementwise.unary("isnan")),
    "LRN": priced(ops_layers.local_response_norm),
    "LeakyRelu": priced(elementwise.leaky_relu),
    "LeakyReluGrad": _TRAINING,
    "Less": priced(elementwise.binary("less")),
    "LessEqual": priced(elementwise.binary("less_equal")),
    "Log": priced(elementwise.unary("log")),
    "Log1p": priced(elementwise.unary("log1p")),
    "LogSoftmax": priced(ops_layers.softmax("log_softmax")),
    "LogicalAnd": priced(elementwise.binary("and")),
    "LogicalNot": priced(elementwise.logical_not),
    "LogicalOr": priced(elementwise.binary("or")),
    "MatMul": priced(ops_linear.matmul),
    "MatrixBandPart": priced(ops_index.band, "a constant mask selects"),
    "Max": priced(ops_layers.reduce("max")),
    "MaxPool": priced(ops_layers.pool("max")),
    "MaxPool3D": priced(ops_layers.pool("max")),
    "MaxPoolGrad": _TRAINING,
    "Maximum": priced(elementwise.binary("max")),
    "Mean": priced(ops_layers.reduce("mean")),
    "Min": priced(ops_layers.reduce("min")),
    "Minimum": priced(elementwise.binary("min")),
    "MirrorPad": moves(ops_move.pad, "adds copies around the data"),
    "Mod": priced(elementwise.binary("mod")),
    "Mul": priced(elementwise.binary("mul")),
    "Multinomial": _RANDOM,
    "Neg": priced(elementwise.unary("neg")),
    "NonMaxSuppressionV3": _DATA_SIZE,
    "NonMaxSuppressionV5": _DATA_SIZE,
    "NotEqual": priced(elementwise.binary("not_equal")),
    "OneHot": priced(ops_index.one_hot, "compares with every class"),
    "OnesLike": moves(ops_move.like(1.0), "one stored number, expanded"),
    "Pack": moves(ops_move.pack, "joins tensors"),
    "Pad": moves(ops_move.pad, "adds zeros around the data"),
    "PadV2": moves(ops_move.pad, "adds a constant around the data"),
    "PartitionedCall": _CALL,
    "Pow": priced(elementwise.power, "exponent 2 is a square"),
    "PreventGradient": _SAME,
    "Prod": priced(ops_layers.reduce("prod")),
    "QuantizeAndDequantizeV2": _NO_PRICE,
    "QuantizeAndDequantizeV3": _NO_PRICE,
    "QuantizeAndDequantizeV4": _NO_PRICE,
    "RandomStandardNormal": _RANDOM,
    "RandomUniform": _RANDOM,
    "RandomUniformInt": _RANDOM,
    "Range": moves(ops_move.range_, "describes a tensor, or is a stored constant"),
    "Rank": _SHAPE,
    "ReadVariableOp": moves(ops_move.read, "a stored constant"),
    "RealDiv": priced(elementwise.binary("div")),
    "Reciprocal": priced(elementwise.unary("reciprocal")),
    "Relu": priced(elementwise.unary("relu")),
    "Relu6": priced(elementwise.unary("clip", low=0.0, high=6.0)),
    "Relu6Grad": _TRAINING,
    "ReluGrad": _TRAINING,
    "Reshape": moves(ops_move.reshape, "a view"),
    "ResizeBicubic": priced(ops_layers.resize("cubic")),
    "ResizeBilinear": priced(ops_layers.resize("linear")),
    "ResizeBilinearGrad": _TRAINING,
    "ResizeNearestNeighbor": priced(ops_layers.resize("nearest")),
    "ResizeNearestNeighborGrad": _TRAINING,
    "ResourceGather": priced(ops_index.gather, "a look-up in a variable"),
    "ReverseV2": priced(ops_move.reverse, "as a flip (rule O9)"),
    "Rint": priced(elementwise.unary("round")),
    "Round": priced(elementwise.unary("round")),
    "Rsqrt": priced(elementwise.unary("rsqrt")),
    "RsqrtGrad": _TRAINING,
    "ScatterNd": priced(ops_index.scatter_nd),
    "Select": priced(elementwise.where),
    "SelectV2": priced(elementwise.where),
    "Selu": priced(elementwise.unary("selu", alpha=1.6732632, gamma=1.0507009)),
    "SeluGrad": _TRAINING,
    "Shape": _SHAPE,
    "ShapeN": _SHAPE,
    "Sigmoid": priced(elementwise.unary("sigmoid")),
    "SigmoidGrad": _TRAINING,
    "Sign": priced(elementwise.unary("sign")),
    "Sin": priced(elementwise.unary("sin")),
    "Sinh": priced(elementwise.unary("sinh")),
    "Size": _SHAPE,
    "Slice": moves(ops_move.slice_, "a part"),
    "Snapshot": _SAME,
    "Softmax": priced(ops_layers.softmax("softmax")),
    "Softplus": priced(elementwise.unary("softplus")),
    "SoftplusGrad": _TRAINING,
    "Softsign": priced(elementwise.unary("softsign")),
    "SpaceToBatchND": moves(ops_move.space_to_batch, "pad, reshape, transpose, reshape"),
    "SpaceToDepth": moves(ops_move.space_to_depth, "reshape, transpose, reshape"),
    "SparseSoftmaxCrossEntropyWithLogits": _TRAINING,
    "Split": moves(ops_move.split, "parts"),
    "SplitV": moves(ops_move.split, "parts"),
    "Sqrt": priced(elementwise.unary("sqrt")),
    "SqrtGrad": _TRAINING,
    "Square": priced(elementwise.unary("square")),
    "SquaredDifference": priced(elementwise.squared_difference, "subtract, square"),
    "Squeeze": moves(ops_move.squeeze, "a view"),
    "StatefulPartitionedCall": _CALL,
    "StatelessIf": _IF,
    "StatelessRandomGetAlg": _RANDOM,
    "StatelessRandomGetKeyCounter": _RANDOM,
    "StatelessRandomGetKeyCounterAlg": _RANDOM,
    "StatelessRandomNormalV2": _RANDOM,
    "StatelessRandomUniformV2": _RANDOM,
    "StatelessWhile": _WHILE,
    "StopGradient": _SAME,
    "StridedSlice": moves(ops_move.strided_slice, "a part; backwards it is a flip (rule O9)"),
    "StridedSliceGrad": _TRAINING,
    "Sub": priced(elementwise.binary("sub")),
    "Sum": priced(ops_layers.reduce("sum")),
    "Tan": priced(elementwise.unary("tan")),
    "Tanh": priced(elementwise.unary("tanh")),
    "TanhGrad": _TRAINING,
    "TensorListFromTensor": moves(lists.from_tensor, "a list of slices"),
    "TensorListGetItem": moves(lists.get_item, "an element of a list"),
    "TensorListLength": moves(lists.length, "describes a list"),
    "TensorListPushBack": moves(lists.push_back, "a list of tensors"),
    "TensorListReserve": moves(lists.reserve, "a list of tensors"),
    "TensorListSetItem": moves(lists.set_item, "a list of tensors"),
    "TensorListStack": moves(lists.stack, "joins tensors"),
    "TensorScatterAdd": priced(ops_index.scatter("add")),
    "TensorScatterUpdate": priced(ops_index.scatter("replace")),
    "Tile": moves(ops_move.tile, "repeats data"),
    "TopK": _TOP_K,
    "TopKV2": _TOP_K,
    "Transpose": moves(ops_move.transpose, "axes in another order"),
    "TruncateDiv": priced(elementwise.binary("floor_div")),
    "Unique": _DATA_SIZE,
    "Unpack": moves(ops_move.unpack, "parts"),
    "UnsortedSegmentSum": _NO_PRICE,
    "VarHandleOp": moves(ops_move.handle, "a variable"),
    "VariableShape": _SHAPE,
    "Where": _DATA_SIZE,
    "While": _WHILE,
    "ZerosLike": moves(ops_move.like(0.0), "one stored number, expanded"),
}

TABLE: Mapping[str, Line | Refusal] = MappingProxyType(_LINES)

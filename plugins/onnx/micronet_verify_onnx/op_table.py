"""The op table: one line per ONNX operator, sorted. What has no line is refused by name and place (rule O17).

``priced`` operators do work; ``moves`` arrange, copy or describe data and cost nothing themselves (rule O9), with the
reason; ``refused`` ones are named with what to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from micronet_verify_onnx import (
    control,
    ops_attention,
    ops_contrib,
    ops_create,
    ops_index,
    ops_layers,
    ops_linear,
    ops_move,
    ops_qonnx,
    ops_quantize,
    ops_recurrent,
    ops_reduce,
)
from micronet_verify_onnx import ops_elementwise as elementwise
from micronet_verify_onnx.op import Rule

Treatment = Literal["priced", "moves"]


@dataclass(frozen=True, slots=True)
class Line:
    """An operator that is counted; ``note`` says how, or why moving is all it does."""

    rule: Rule
    treatment: Treatment
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operator that fails the count, and what to do about it."""

    reason: str
    advice: str = ""


def priced(rule: Rule, note: str = "") -> Line:
    return Line(rule, "priced", note)


def moves(rule: Rule, note: str) -> Line:
    return Line(rule, "moves", note)


_RANDOM = Refusal("random numbers", "constants must be stored in the file, and answers must repeat")
_DATA_SIZE = Refusal("a result whose size the data decides", "fixed shapes are counted: mask instead of selecting")
_SEQUENCE = Refusal("a sequence or optional value", "use tensors: Split, Concat, Gather")
_TEXT = Refusal("text", "tokens must come in as numbers")
_GEOMETRY = Refusal("an operator whose work has no agreed price", "ask the organizers for a line in the op table")
_WEIGHTS_FROM_NOTHING = Refusal("a generated window or matrix", "store its values as a constant")
_TRAINING = Refusal("an operator of training", "export the model for inference")

MS, QONNX, BREVITAS = "com.microsoft", "qonnx.custom_op.general", "onnx.brevitas"
CONSTANT = moves(ops_create.constant, "a stored constant, in every value_* form")

_ONNX: dict[str, Line | Refusal] = {
    "Abs": priced(elementwise.unary("abs")),
    "Acos": priced(elementwise.unary("acos")),
    "Acosh": priced(elementwise.unary("acosh")),
    "Add": priced(elementwise.binary("add")),
    "AffineGrid": _GEOMETRY,
    "And": priced(elementwise.binary("and")),
    "ArgMax": priced(ops_reduce.arg_extreme("argmax")),
    "ArgMin": priced(ops_reduce.arg_extreme("argmin")),
    "Asin": priced(elementwise.unary("asin")),
    "Asinh": priced(elementwise.unary("asinh")),
    "Atan": priced(elementwise.unary("atan")),
    "Atanh": priced(elementwise.unary("atanh")),
    "Attention": priced(ops_attention.attention, "written out: products, scale, mask, softmax"),
    "AveragePool": priced(ops_layers.pool("average")),
    "BatchNormalization": priced(ops_layers.batch_norm, "inference only"),
    "Bernoulli": _RANDOM,
    "BitCast": Refusal("the bits of one type read as another", "use Cast"),
    "BitShift": priced(elementwise.shift),
    "BitwiseAnd": priced(elementwise.bitwise("and")),
    "BitwiseNot": priced(elementwise.bitwise("not")),
    "BitwiseOr": priced(elementwise.bitwise("or")),
    "BitwiseXor": priced(elementwise.bitwise("xor")),
    "BlackmanWindow": _WEIGHTS_FROM_NOTHING,
    "Cast": moves(ops_move.cast, "another number format (rule O11)"),
    "CastLike": moves(ops_move.cast_like, "another number format (rule O11)"),
    "Ceil": priced(elementwise.unary("ceil")),
    "Celu": priced(elementwise.activation("celu", alpha=1.0)),
    "CenterCropPad": _GEOMETRY,
    "Clip": priced(elementwise.clip),
    "Col2Im": _GEOMETRY,
    "Compress": priced(ops_index.compress, "a constant condition, as a permutation (rule O9)"),
    "Concat": moves(ops_move.concat, "joins tensors"),
    "ConcatFromSequence": _SEQUENCE,
    "Constant": CONSTANT,
    "ConstantOfShape": moves(ops_create.constant_of_shape, "one stored number, expanded"),
    "Conv": priced(ops_linear.conv),
    "ConvInteger": priced(ops_quantize.conv_integer, "dequantize, conv"),
    "ConvTranspose": priced(ops_linear.conv_transpose),
    "Cos": priced(elementwise.unary("cos")),
    "Cosh": priced(elementwise.unary("cosh")),
    "CumProd": priced(ops_reduce.cumulative("cumprod")),
    "CumSum": priced(ops_reduce.cumulative("cumsum")),
    "DFT": _GEOMETRY,
    "DeformConv": _GEOMETRY,
    "DepthToSpace": moves(ops_move.depth_to_space, "reshape, transpose, reshape"),
    "DequantizeLinear": priced(ops_quantize.dequantize_linear),
    "Det": _GEOMETRY,
    "Div": priced(elementwise.binary("div")),
    "Dropout": moves(ops_move.dropout, "the identity in inference"),
    "DynamicQuantizeLinear": priced(ops_quantize.dynamic_quantize, "range, scale, zero point, quantize"),
    "Einsum": priced(ops_linear.einsum, "products of two operands, left to right"),
    "Elu": priced(elementwise.activation("elu", alpha=1.0)),
    "Equal": priced(elementwise.binary("equal")),
    "Erf": priced(elementwise.unary("erf")),
    "Exp": priced(elementwise.unary("exp")),
    "Expand": moves(ops_move.expand, "repeats data"),
    "EyeLike": moves(ops_create.eye_like, "a stored constant"),
    "Flatten": moves(ops_move.flatten, "a view"),
    "Floor": priced(elementwise.unary("floor")),
    "GRU": priced(ops_recurrent.gru, "matmul and elementwise, both directions"),
    "Gather": priced(ops_index.gather, "by constants a slice or permutation (rule O9), by the data a look-up"),
    "GatherElements": priced(ops_index.gather_elements, "by constants a permutation (rule O9), by the data a look-up"),
    "GatherND": priced(ops_index.gather_nd, "by constants a permutation (rule O9), by the data a look-up"),
    "Gelu": priced(elementwise.gelu),
    "Gemm": priced(ops_linear.gemm, "alpha and beta other than 1 are multiplies"),
    "GlobalAveragePool": priced(ops_layers.global_pool("average")),
    "GlobalLpPool": _GEOMETRY,
    "GlobalMaxPool": priced(ops_layers.global_pool("max")),
    "Greater": priced(elementwise.binary("greater")),
    "GreaterOrEqual": priced(elementwise.binary("greater_equal")),
    "GridSample": _GEOMETRY,
    "GroupNormalization": priced(ops_layers.group_norm),
    "HammingWindow": _WEIGHTS_FROM_NOTHING,
    "HannWindow": _WEIGHTS_FROM_NOTHING,
    "HardSigmoid": priced(elementwise.activation("hard_sigmoid", alpha=0.2, beta=0.5)),
    "HardSwish": priced(elementwise.unary("hard_swish")),
    "Hardmax": _GEOMETRY,
    "Identity": moves(ops_move.identity, "the same value"),
    "If": priced(control.if_, "the chosen body, or a branch where the data decides"),
    "ImageDecoder": _GEOMETRY,
    "InstanceNormalization": priced(ops_layers.instance_norm),
    "IsInf": priced(elementwise.unary("isinf")),
    "IsNaN": priced(elementwise.unary("isnan")),
    "LRN": priced(ops_layers.local_response_norm),
    "LSTM": priced(ops_recurrent.lstm, "matmul and elementwise, both directions"),
    "LayerNormalization": priced(ops_layers.layer_norm),
    "LeakyRelu": priced(elementwise.activation("leaky_relu", alpha=0.01)),
    "Less": priced(elementwise.binary("less")),
    "LessOrEqual": priced(elementwise.binary("less_equal")),
    "Log": priced(elementwise.unary("log")),
    "LogSoftmax": priced(ops_layers.softmax("log_softmax")),
    "Loop": priced(control.loop, "a constant number of turns"),
    "LpNormalization": priced(ops_layers.lp_norm),
    "LpPool": _GEOMETRY,
    "MatMul": priced(ops_linear.matmul),
    "MatMulInteger": priced(ops_quantize.matmul_integer, "dequantize, matmul"),
    "Max": priced(elementwise.chain("max")),
    "MaxPool": priced(ops_layers.pool("max")),
    "MaxRoiPool": _GEOMETRY,
    "MaxUnpool": _GEOMETRY,
    "Mean": priced(elementwise.mean),
    "MeanVarianceNormalization": priced(ops_layers.mean_variance_norm, "a layer norm without scale and shift"),
    "MelWeightMatrix": _WEIGHTS_FROM_NOTHING,
    "Min": priced(elementwise.chain("min")),
    "Mish": priced(elementwise.unary("mish")),
    "Mod": priced(elementwise.binary("mod")),
    "Mul": priced(elementwise.binary("mul")),
    "Multinomial": _RANDOM,
    "Neg": priced(elementwise.unary("neg")),
    "NegativeLogLikelihoodLoss": _TRAINING,
    "NonMaxSuppression": _DATA_SIZE,
    "NonZero": moves(ops_create.shape_only, "of constants only: describes a tensor"),
    "Not": priced(elementwise.logical_not),
    "OneHot": priced(ops_index.one_hot, "compares with every class"),
    "Optional": _SEQUENCE,
    "OptionalGetElement": _SEQUENCE,
    "OptionalHasElement": _SEQUENCE,
    "Or": priced(elementwise.binary("or")),
    "PRelu": priced(elementwise.prelu),
    "Pad": moves(ops_move.pad, "adds copies or a constant around the data"),
    "Pow": priced(elementwise.power, "exponent 2 is a square"),
    "QLinearConv": priced(ops_quantize.qlinear_conv, "dequantize, conv, quantize"),
    "QLinearMatMul": priced(ops_quantize.qlinear_matmul, "dequantize, matmul, quantize"),
    "QuantizeLinear": priced(ops_quantize.quantize_linear, "a Clip behind it narrows its range"),
    "RMSNormalization": priced(ops_layers.rms_norm),
    "RNN": priced(ops_recurrent.rnn, "matmul and elementwise, both directions"),
    "RandomNormal": _RANDOM,
    "RandomNormalLike": _RANDOM,
    "RandomUniform": _RANDOM,
    "RandomUniformLike": _RANDOM,
    "Range": moves(ops_create.range_, "a stored constant, or arithmetic on shapes"),
    "Reciprocal": priced(elementwise.unary("reciprocal")),
    "ReduceL1": priced(ops_reduce.reduce("l1")),
    "ReduceL2": priced(ops_reduce.reduce("l2")),
    "ReduceLogSum": priced(ops_reduce.reduce("sum", "log")),
    "ReduceLogSumExp": priced(ops_reduce.reduce("logsumexp")),
    "ReduceMax": priced(ops_reduce.reduce("max")),
    "ReduceMean": priced(ops_reduce.reduce("mean")),
    "ReduceMin": priced(ops_reduce.reduce("min")),
    "ReduceProd": priced(ops_reduce.reduce("prod")),
    "ReduceSum": priced(ops_reduce.reduce("sum")),
    "ReduceSumSquare": priced(ops_reduce.reduce("sum_square")),
    "RegexFullMatch": _TEXT,
    "Relu": priced(elementwise.unary("relu")),
    "Reshape": moves(ops_move.reshape, "a view"),
    "Resize": priced(ops_layers.resize, "nearest, linear, cubic"),
    "ReverseSequence": priced(ops_move.reverse_sequence, "whole sequences, as a flip (rule O9)"),
    "RoiAlign": _GEOMETRY,
    "RotaryEmbedding": priced(ops_attention.rotary_embedding, "four multiplies, an add and a subtract per pair"),
    "Round": priced(elementwise.unary("round")),
    "STFT": _GEOMETRY,
    "Scan": priced(control.scan, "one turn per slice"),
    "Scatter": priced(ops_index.scatter_elements),
    "ScatterElements": priced(ops_index.scatter_elements),
    "ScatterND": priced(ops_index.scatter_nd),
    "Selu": priced(elementwise.activation("selu", alpha=1.6732632, gamma=1.0507009)),
    "SequenceAt": _SEQUENCE,
    "SequenceConstruct": _SEQUENCE,
    "SequenceEmpty": _SEQUENCE,
    "SequenceErase": _SEQUENCE,
    "SequenceInsert": _SEQUENCE,
    "SequenceLength": _SEQUENCE,
    "SequenceMap": _SEQUENCE,
    "Shape": moves(ops_create.shape_only, "describes a tensor"),
    "Shrink": priced(elementwise.shrink),
    "Sigmoid": priced(elementwise.unary("sigmoid")),
    "Sign": priced(elementwise.unary("sign")),
    "SimplifiedLayerNormalization": priced(ops_layers.rms_norm, "onnxruntime's name for RMSNormalization"),
    "Sin": priced(elementwise.unary("sin")),
    "Sinh": priced(elementwise.unary("sinh")),
    "Size": moves(ops_create.shape_only, "describes a tensor"),
    "Slice": moves(ops_move.slice_, "a part; backwards it is a flip (rule O9)"),
    "Softmax": priced(ops_layers.softmax("softmax")),
    "SoftmaxCrossEntropyLoss": _TRAINING,
    "Softplus": priced(elementwise.unary("softplus")),
    "Softsign": priced(elementwise.unary("softsign")),
    "SpaceToDepth": moves(ops_move.space_to_depth, "reshape, transpose, reshape"),
    "Split": moves(ops_move.split, "parts"),
    "SplitToSequence": _SEQUENCE,
    "Sqrt": priced(elementwise.unary("sqrt")),
    "Squeeze": moves(ops_move.squeeze, "a view"),
    "StringConcat": _TEXT,
    "StringNormalizer": _TEXT,
    "StringSplit": _TEXT,
    "Sub": priced(elementwise.binary("sub")),
    "Sum": priced(elementwise.chain("add")),
    "Swish": priced(elementwise.swish),
    "Tan": priced(elementwise.unary("tan")),
    "Tanh": priced(elementwise.unary("tanh")),
    "TensorScatter": _GEOMETRY,
    "TfIdfVectorizer": Refusal("weights in attributes of a text operator", "store them as a constant and look them up"),
    "ThresholdedRelu": priced(elementwise.activation("threshold", alpha=1.0)),
    "Tile": moves(ops_move.tile, "repeats data"),
    "TopK": priced(ops_reduce.top_k),
    "Transpose": moves(ops_move.transpose, "axes in another order"),
    "Trilu": priced(ops_index.trilu, "a constant mask selects"),
    "Unique": _DATA_SIZE,
    "Unsqueeze": moves(ops_move.unsqueeze, "a view"),
    "Upsample": priced(ops_layers.resize, "nearest, linear"),
    "Where": priced(elementwise.where),
    "Xor": priced(elementwise.binary("xor")),
}
_MICROSOFT: dict[str, Line | Refusal] = {
    "BiasGelu": priced(ops_contrib.bias_gelu),
    "DequantizeLinear": priced(ops_quantize.dequantize_linear),
    "DynamicQuantizeMatMul": priced(ops_contrib.dynamic_quantize_matmul, "range, quantize, dequantize, matmul"),
    "FastGelu": priced(ops_contrib.fast_gelu),
    "FusedConv": priced(ops_contrib.fused_conv),
    "FusedGemm": priced(ops_contrib.fused_gemm),
    "FusedMatMul": priced(ops_contrib.fused_matmul),
    "Gelu": priced(ops_contrib.gelu),
    "MatMulIntegerToFloat": priced(ops_contrib.matmul_integer_to_float, "dequantize, matmul"),
    "MatMulNBits": priced(ops_contrib.matmul_n_bits, "dequantize in blocks, matmul"),
    "QGemm": priced(ops_contrib.qgemm, "dequantize, matmul, quantize"),
    "QLinearAdd": priced(ops_quantize.binary("add"), "dequantize, add, quantize"),
    "QLinearAveragePool": priced(ops_contrib.qlinear_pool, "dequantize, pool, quantize"),
    "QLinearConcat": moves(ops_quantize.concat, "joins tensors, each with its own scale"),
    "QLinearGlobalAveragePool": priced(ops_contrib.qlinear_pool, "dequantize, pool, quantize"),
    "QLinearLeakyRelu": priced(ops_quantize.unary(elementwise.activation("leaky_relu", alpha=0.01)), "dequantize, leaky relu, quantize"),
    "QLinearMul": priced(ops_quantize.binary("mul"), "dequantize, multiply, quantize"),
    "QLinearSigmoid": priced(ops_quantize.unary(elementwise.unary("sigmoid")), "dequantize, sigmoid, quantize"),
    "QLinearSoftmax": priced(ops_contrib.qlinear_softmax, "dequantize, softmax, quantize"),
    "QuantizeLinear": priced(ops_quantize.quantize_linear, "a Clip behind it narrows its range"),
    "QuickGelu": priced(ops_contrib.quick_gelu),
    "SkipLayerNormalization": priced(ops_contrib.skip_norm("layer_norm"), "add, layer norm"),
    "SkipSimplifiedLayerNormalization": priced(ops_contrib.skip_norm("rms_norm"), "add, rms norm"),
}
_QUANT: dict[str, Line | Refusal] = {
    "BipolarQuant": priced(ops_qonnx.bipolar_quant, "quantize to one bit, dequantize"),
    "Quant": priced(ops_qonnx.quant, "quantize, dequantize"),
    "Trunc": priced(ops_qonnx.trunc, "quantize, dequantize"),
}

TABLE: Mapping[tuple[str, str], Line | Refusal] = MappingProxyType(
    {
        (domain, name): line
        for domain, lines in (("", _ONNX), (MS, _MICROSOFT), (QONNX, _QUANT), (BREVITAS, _QUANT))
        for name, line in lines.items()
    }
)

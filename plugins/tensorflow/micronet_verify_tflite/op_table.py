"""The op table: one line per TFLite operator, functions of elements first. What has no line is refused by name and place (rule O17).

``priced`` operators do work; ``moves`` arrange, copy or describe data and cost nothing themselves (rule O9), with the
reason; ``refused`` ones are named with what to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from micronet_verify.plugin import Line, Refusal, elementwise, lines_of, look_ups, moves, priced
from micronet_verify_tflite import (
    control,
    ops_index,
    ops_layers,
    ops_linear,
    ops_move,
    ops_quantize,
    ops_recurrent,
)
from micronet_verify_tflite import ops_elementwise as own
from micronet_verify_tflite.op import Rule

_RANDOM = Refusal("random numbers", "constants must be stored in the file, and answers must repeat")
_DATA_SIZE = Refusal("a result whose size the data decides", "fixed shapes are counted: mask instead of selecting")
_TEXT = Refusal("a table or text", "tokens must come in as numbers")
_GEOMETRY = Refusal("an operator whose work has no agreed price", "ask the organizers for a line in the op table")
_VARIABLE = Refusal(
    "a variable that lives between examples",
    "give a state that the model writes as inputs and outputs (or use UNIDIRECTIONAL_SEQUENCE_LSTM); one that it only reads is frozen by "
    "from_keras_model and from_saved_model",
)
_STATE = Refusal("a layer that keeps its state between calls", "use UNIDIRECTIONAL_SEQUENCE_LSTM or _RNN, or pass the state in and out")
_COMPLEX = Refusal("complex numbers", "compute with real parts")
_TWO_WAYS = Refusal("both directions in one operator", "write it as two layers, one of them on the reversed sequence")

_LINES: dict[str, Line[Rule] | Refusal] = {
    **lines_of(
        elementwise.unary,
        "ABS=abs CEIL=ceil COS=cos EXP=exp FLOOR=floor HARD_SWISH=hard_swish LOG=log LOGISTIC=sigmoid NEG=neg RELU=relu "
        "ROUND=round RSQRT=rsqrt SIGN=sign SIN=sin SQRT=sqrt SQUARE=square TANH=tanh",
    ),
    **lines_of(elementwise.binary, "ATAN2=atan2 MAXIMUM=max MINIMUM=min"),
    **lines_of(
        elementwise.predicate,
        "EQUAL=equal GREATER=greater GREATER_EQUAL=greater_equal LESS=less LESS_EQUAL=less_equal LOGICAL_AND=and LOGICAL_OR=or "
        "NOT_EQUAL=not_equal",
    ),
    "ADD": priced(own.activated("add")),
    "ADD_N": priced(elementwise.chain("add")),
    "ARG_MAX": priced(ops_layers.arg_extreme("argmax")),
    "ARG_MIN": priced(ops_layers.arg_extreme("argmin")),
    "ASSIGN_VARIABLE": _VARIABLE,
    "AVERAGE_POOL_2D": priced(ops_layers.pool("average")),
    "BATCH_MATMUL": priced(ops_linear.batch_matmul, "float activations on integer weights are quantized by row"),
    "BATCH_TO_SPACE_ND": moves(ops_move.batch_to_space, "reshape, transpose, crop"),
    "BIDIRECTIONAL_SEQUENCE_LSTM": _TWO_WAYS,
    "BIDIRECTIONAL_SEQUENCE_RNN": _TWO_WAYS,
    "BITCAST": Refusal("the bits of one type read as another", "use CAST"),
    "BITWISE_XOR": priced(elementwise.bitwise("xor")),
    "BROADCAST_ARGS": moves(ops_move.shape_only, "shape arithmetic, folded"),
    "BROADCAST_TO": moves(ops_move.broadcast_to, "repeats data"),
    "BUCKETIZE": _GEOMETRY,
    "CALL": Refusal("a call of another subgraph", "inline it"),
    "CALL_ONCE": _VARIABLE,
    "CAST": moves(own.cast, "another number format (rule O11)"),
    "COMPLEX_ABS": _COMPLEX,
    "CONCATENATION": moves(ops_move.concatenation, "joins tensors, each with its own scale"),
    "CONV_2D": priced(ops_linear.conv_2d, "float activations on integer weights are quantized first"),
    "CONV_3D": priced(ops_linear.conv_3d),
    "CONV_3D_TRANSPOSE": _GEOMETRY,
    "CUMSUM": priced(ops_layers.cumsum),
    "DENSIFY": moves(ops_quantize.densify, "a sparse constant, read with its zeros"),
    "DEPTHWISE_CONV_2D": priced(ops_linear.depthwise_conv_2d, "float activations on integer weights are quantized first"),
    "DEPTH_TO_SPACE": moves(ops_move.depth_to_space, "reshape, transpose, reshape"),
    "DEQUANTIZE": priced(ops_quantize.dequantize),
    "DIV": priced(own.activated("div")),
    "DYNAMIC_UPDATE_SLICE": moves(ops_index.dynamic_update_slice, "replaces a piece"),
    "ELU": priced(elementwise.unary("elu", alpha=1.0)),
    "EMBEDDING_LOOKUP": moves(ops_index.embedding_lookup, "rows looked up by the model's input"),
    "EMBEDDING_LOOKUP_SPARSE": _GEOMETRY,
    "EXPAND_DIMS": moves(ops_move.expand_dims, "a view"),
    "FAKE_QUANT": priced(ops_quantize.fake_quant, "quantize, dequantize"),
    "FILL": moves(ops_move.fill, "one number, expanded"),
    "FLOOR_DIV": priced(elementwise.floor_div),
    "FLOOR_MOD": priced(elementwise.binary("mod"), "the result has the divisor's sign"),
    "FULLY_CONNECTED": priced(ops_linear.fully_connected, "float activations on integer weights are quantized by row"),
    "GATHER": priced(ops_index.gather, "by constants a slice or permutation (rule O9), by the data a look-up"),
    "GATHER_ND": priced(ops_index.gather_nd, "by constants a permutation (rule O9), by the data a look-up"),
    "GELU": priced(own.gelu),
    "HASHTABLE": _TEXT,
    "HASHTABLE_FIND": _TEXT,
    "HASHTABLE_IMPORT": _TEXT,
    "HASHTABLE_LOOKUP": _TEXT,
    "HASHTABLE_SIZE": _TEXT,
    "IF": priced(control.if_, "the chosen subgraph, or a branch where the data decides"),
    "IMAG": _COMPLEX,
    "L2_NORMALIZATION": priced(ops_layers.l2_normalization),
    "L2_POOL_2D": _GEOMETRY,
    "LEAKY_RELU": priced(own.leaky_relu),
    "LOCAL_RESPONSE_NORMALIZATION": priced(ops_layers.local_response_norm),
    "LOGICAL_NOT": priced(elementwise.logical_not),
    "LOG_SOFTMAX": priced(ops_layers.log_softmax),
    "LSH_PROJECTION": _GEOMETRY,
    "LSTM": _STATE,
    "MATRIX_DIAG": _GEOMETRY,
    "MATRIX_SET_DIAG": _GEOMETRY,
    "MAX_POOL_2D": priced(ops_layers.pool("max")),
    "MEAN": priced(ops_layers.reduce("mean")),
    "MIRROR_PAD": moves(ops_move.pad, "copies data"),
    "MUL": priced(own.activated("mul")),
    "MULTINOMIAL": _RANDOM,
    "NON_MAX_SUPPRESSION_V4": _DATA_SIZE,
    "NON_MAX_SUPPRESSION_V5": _DATA_SIZE,
    "ONE_HOT": priced(ops_index.one_hot, "a compare with each class"),
    "PACK": moves(ops_move.pack, "joins tensors"),
    "PAD": moves(ops_move.pad, "copies data"),
    "PADV2": moves(ops_move.pad, "copies data"),
    "POW": priced(elementwise.power),
    "PRELU": priced(elementwise.prelu),
    "QUANTIZE": priced(ops_quantize.quantize),
    "RANDOM_STANDARD_NORMAL": _RANDOM,
    "RANDOM_UNIFORM": _RANDOM,
    "RANGE": moves(look_ups.sequence, "a stored constant"),
    "RANK": moves(ops_move.shape_only, "shape arithmetic, folded"),
    "READ_VARIABLE": _VARIABLE,
    "REAL": _COMPLEX,
    "REDUCE_ALL": priced(ops_layers.reduce("all")),
    "REDUCE_ANY": priced(ops_layers.reduce("any")),
    "REDUCE_MAX": priced(ops_layers.reduce("max")),
    "REDUCE_MIN": priced(ops_layers.reduce("min")),
    "REDUCE_PROD": priced(ops_layers.reduce("prod")),
    "RELU6": priced(own.bounded),
    "RELU_0_TO_1": priced(own.bounded),
    "RELU_N1_TO_1": priced(own.bounded),
    "RESHAPE": moves(ops_move.reshape, "a view"),
    "RESIZE_BILINEAR": priced(ops_layers.resize("linear")),
    "RESIZE_NEAREST_NEIGHBOR": priced(ops_layers.resize("nearest")),
    "REVERSE_SEQUENCE": priced(ops_move.reverse_sequence, "whole sequences: a flip"),
    "REVERSE_V2": priced(ops_move.reverse, "a flip"),
    "RFFT2D": _COMPLEX,
    "RIGHT_SHIFT": priced(own.shift),
    "RNN": _STATE,
    "SCATTER_ND": priced(ops_index.scatter_nd, "adds into zeros"),
    "SEGMENT_SUM": _DATA_SIZE,
    "SELECT": priced(elementwise.where_rows),
    "SELECT_V2": priced(elementwise.where),
    "SHAPE": moves(ops_move.shape_only, "shape arithmetic, folded"),
    "SKIP_GRAM": _TEXT,
    "SLICE": moves(ops_move.slice_, "takes a part"),
    "SOFTMAX": priced(ops_layers.softmax, "a beta other than 1 is a multiply"),
    "SPACE_TO_BATCH_ND": moves(ops_move.space_to_batch, "pad, reshape, transpose"),
    "SPACE_TO_DEPTH": moves(ops_move.space_to_depth, "reshape, transpose, reshape"),
    "SPARSE_TO_DENSE": _GEOMETRY,
    "SPLIT": moves(ops_move.split, "takes parts"),
    "SPLIT_V": moves(ops_move.split_v, "takes parts"),
    "SQUARED_DIFFERENCE": priced(elementwise.squared_difference),
    "SQUEEZE": moves(ops_move.squeeze, "a view"),
    "STRIDED_SLICE": moves(ops_move.strided_slice, "takes a part; backwards is a flip"),
    "SUB": priced(own.activated("sub")),
    "SUM": priced(ops_layers.reduce("sum")),
    "SVDF": _STATE,
    "TILE": moves(ops_move.tile, "repeats data"),
    "TOPK_V2": priced(ops_layers.top_k),
    "TRANSPOSE": moves(ops_move.transpose, "axes in another order"),
    "TRANSPOSE_CONV": priced(ops_linear.transpose_conv),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": priced(ops_recurrent.lstm, "matmul and elementwise, a state of zeros at the start"),
    "UNIDIRECTIONAL_SEQUENCE_RNN": priced(ops_recurrent.rnn, "matmul and elementwise, a state of zeros at the start"),
    "UNIQUE": _DATA_SIZE,
    "UNPACK": moves(ops_move.unpack, "takes parts"),
    "UNSORTED_SEGMENT_MAX": _DATA_SIZE,
    "UNSORTED_SEGMENT_MIN": _DATA_SIZE,
    "UNSORTED_SEGMENT_PROD": _DATA_SIZE,
    "UNSORTED_SEGMENT_SUM": _DATA_SIZE,
    "VAR_HANDLE": _VARIABLE,
    "WHERE": _DATA_SIZE,
    "WHILE": priced(control.while_, "a constant number of turns: written out, or one loop"),
    "ZEROS_LIKE": moves(ops_move.zeros_like, "one number, expanded"),
}

TABLE: Mapping[str, Line[Rule] | Refusal] = MappingProxyType(dict(sorted(_LINES.items())))

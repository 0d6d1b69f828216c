"""Numbers and names of the TFLite schema (``schema.fbs``, version 3): operators, element types, and the options of operators.

Only numbers and names are taken from the schema, and no code of it: the reader is ``flat``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

Field = tuple[int, str, Any]
"""Slot in the table, struct code (with ``*`` a vector of it), default."""

OPERATORS: Final = tuple(
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED
    HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU
    RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM
    EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV
    SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE
    BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
    TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD
    REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL
    FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N
    GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
    PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND
    HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS
    RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD
    UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC
    STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
    STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
    STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE
    STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH
    STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD
    STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE
    DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
    """.split()
)
"""Builtin operators by number."""
CUSTOM: Final = OPERATORS.index("CUSTOM")

TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8", 10: "float64", 12: "uint64",
        15: "uint32", 16: "uint16", 17: "int4", 18: "bfloat16", 19: "int2", 20: "uint4", 21: "float8_e4m3fn", 22: "float8_e5m2",
    }
)  # fmt: skip
"""Element types that are numbers, by the names of ``facts/formats``."""
OTHER_TYPES: Final[Mapping[int, str]] = MappingProxyType({5: "string", 8: "complex64", 11: "complex128", 13: "resource", 14: "variant"})

ACTIVATIONS: Final = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
PADDINGS: Final = ("SAME", "VALID")


OPTIONS: Final[Mapping[str, tuple[int, Mapping[str, Field]]]] = MappingProxyType(
    {
        "ADD": (11, {"fused_activation_function": (0, "b", 0), "pot_scale_int16": (1, "?", True)}),
        "ARG_MAX": (40, {"output_type": (0, "b", 0)}),
        "ARG_MIN": (57, {"output_type": (0, "b", 0)}),
        "AVERAGE_POOL_2D": (
            5,
            {
                "padding": (0, "b", 0),
                "stride_w": (1, "i", 0),
                "stride_h": (2, "i", 0),
                "filter_width": (3, "i", 0),
                "filter_height": (4, "i", 0),
                "fused_activation_function": (5, "b", 0),
            },
        ),
        "BATCH_MATMUL": (101, {"adj_x": (0, "?", False), "adj_y": (1, "?", False), "asymmetric_quantize_inputs": (2, "?", False)}),
        "BIDIRECTIONAL_SEQUENCE_LSTM": (
            69,
            {
                "fused_activation_function": (0, "b", 0),
                "cell_clip": (1, "f", 0.0),
                "proj_clip": (2, "f", 0.0),
                "merge_outputs": (3, "?", False),
                "time_major": (4, "?", True),
                "asymmetric_quantize_inputs": (5, "?", False),
            },
        ),
        "BIDIRECTIONAL_SEQUENCE_RNN": (
            70,
            {
                "time_major": (0, "?", False),
                "fused_activation_function": (1, "b", 0),
                "merge_outputs": (2, "?", False),
                "asymmetric_quantize_inputs": (3, "?", False),
            },
        ),
        "CALL_ONCE": (103, {"init_subgraph_index": (0, "i", 0)}),
        "CAST": (37, {"in_data_type": (0, "b", 0), "out_data_type": (1, "b", 0)}),
        "CONCATENATION": (10, {"axis": (0, "i", 0), "fused_activation_function": (1, "b", 0)}),
        "CONV_2D": (
            1,
            {
                "padding": (0, "b", 0),
                "stride_w": (1, "i", 0),
                "stride_h": (2, "i", 0),
                "fused_activation_function": (3, "b", 0),
                "dilation_w_factor": (4, "i", 1),
                "dilation_h_factor": (5, "i", 1),
                "quantized_bias_type": (6, "b", 0),
            },
        ),
        "CONV_3D": (
            106,
            {
                "padding": (0, "b", 0),
                "stride_d": (1, "i", 0),
                "stride_w": (2, "i", 0),
                "stride_h": (3, "i", 0),
                "fused_activation_function": (4, "b", 0),
                "dilation_d_factor": (5, "i", 1),
                "dilation_w_factor": (6, "i", 1),
                "dilation_h_factor": (7, "i", 1),
            },
        ),
        "CONV_3D_TRANSPOSE": (
            106,
            {
                "padding": (0, "b", 0),
                "stride_d": (1, "i", 0),
                "stride_w": (2, "i", 0),
                "stride_h": (3, "i", 0),
                "fused_activation_function": (4, "b", 0),
                "dilation_d_factor": (5, "i", 1),
                "dilation_w_factor": (6, "i", 1),
                "dilation_h_factor": (7, "i", 1),
            },
        ),
        "CUMSUM": (102, {"exclusive": (0, "?", False), "reverse": (1, "?", False)}),
        "DEPTHWISE_CONV_2D": (
            2,
            {
                "padding": (0, "b", 0),
                "stride_w": (1, "i", 0),
                "stride_h": (2, "i", 0),
                "depth_multiplier": (3, "i", 0),
                "fused_activation_function": (4, "b", 0),
                "dilation_w_factor": (5, "i", 1),
                "dilation_h_factor": (6, "i", 1),
            },
        ),
        "DEPTH_TO_SPACE": (94, {"block_size": (0, "i", 0)}),
        "DIV": (29, {"fused_activation_function": (0, "b", 0)}),
        "FAKE_QUANT": (58, {"min": (0, "f", 0.0), "max": (1, "f", 0.0), "num_bits": (2, "i", 0), "narrow_range": (3, "?", False)}),
        "FULLY_CONNECTED": (
            8,
            {
                "fused_activation_function": (0, "b", 0),
                "weights_format": (1, "b", 0),
                "keep_num_dims": (2, "?", False),
                "asymmetric_quantize_inputs": (3, "?", False),
                "quantized_bias_type": (4, "b", 0),
                "quant_spec": (5, "B*", ()),
            },
        ),
        "GATHER": (23, {"axis": (0, "i", 0), "batch_dims": (1, "i", 0)}),
        "GELU": (116, {"approximate": (0, "?", False)}),
        "IF": (92, {"then_subgraph_index": (0, "i", 0), "else_subgraph_index": (1, "i", 0)}),
        "L2_NORMALIZATION": (12, {"fused_activation_function": (0, "b", 0)}),
        "L2_POOL_2D": (
            5,
            {
                "padding": (0, "b", 0),
                "stride_w": (1, "i", 0),
                "stride_h": (2, "i", 0),
                "filter_width": (3, "i", 0),
                "filter_height": (4, "i", 0),
                "fused_activation_function": (5, "b", 0),
            },
        ),
        "LEAKY_RELU": (75, {"alpha": (0, "f", 0.0)}),
        "LOCAL_RESPONSE_NORMALIZATION": (13, {"radius": (0, "i", 0), "bias": (1, "f", 0.0), "alpha": (2, "f", 0.0), "beta": (3, "f", 0.0)}),
        "LSTM": (
            14,
            {
                "fused_activation_function": (0, "b", 0),
                "cell_clip": (1, "f", 0.0),
                "proj_clip": (2, "f", 0.0),
                "kernel_type": (3, "b", 0),
                "asymmetric_quantize_inputs": (4, "?", False),
            },
        ),
        "MAX_POOL_2D": (
            5,
            {
                "padding": (0, "b", 0),
                "stride_w": (1, "i", 0),
                "stride_h": (2, "i", 0),
                "filter_width": (3, "i", 0),
                "filter_height": (4, "i", 0),
                "fused_activation_function": (5, "b", 0),
            },
        ),
        "MEAN": (27, {"keep_dims": (0, "?", False)}),
        "MIRROR_PAD": (77, {"mode": (0, "b", 0)}),
        "MUL": (21, {"fused_activation_function": (0, "b", 0)}),
        "ONE_HOT": (61, {"axis": (0, "i", 0)}),
        "PACK": (59, {"values_count": (0, "i", 0), "axis": (1, "i", 0)}),
        "REDUCE_ALL": (27, {"keep_dims": (0, "?", False)}),
        "REDUCE_ANY": (27, {"keep_dims": (0, "?", False)}),
        "REDUCE_MAX": (27, {"keep_dims": (0, "?", False)}),
        "REDUCE_MIN": (27, {"keep_dims": (0, "?", False)}),
        "REDUCE_PROD": (27, {"keep_dims": (0, "?", False)}),
        "RESHAPE": (17, {"new_shape": (0, "i*", ())}),
        "RESIZE_BILINEAR": (15, {"align_corners": (2, "?", False), "half_pixel_centers": (3, "?", False)}),
        "RESIZE_NEAREST_NEIGHBOR": (74, {"align_corners": (0, "?", False), "half_pixel_centers": (1, "?", False)}),
        "REVERSE_SEQUENCE": (87, {"seq_dim": (0, "i", 0), "batch_dim": (1, "i", 0)}),
        "RNN": (7, {"fused_activation_function": (0, "b", 0), "asymmetric_quantize_inputs": (1, "?", False)}),
        "SHAPE": (55, {"out_type": (0, "b", 0)}),
        "SOFTMAX": (9, {"beta": (0, "f", 0.0)}),
        "SPACE_TO_DEPTH": (19, {"block_size": (0, "i", 0)}),
        "SPLIT": (35, {"num_splits": (0, "i", 0)}),
        "SPLIT_V": (79, {"num_splits": (0, "i", 0)}),
        "SQUEEZE": (30, {"squeeze_dims": (0, "i*", ())}),
        "STRIDED_SLICE": (
            32,
            {
                "begin_mask": (0, "i", 0),
                "end_mask": (1, "i", 0),
                "ellipsis_mask": (2, "i", 0),
                "new_axis_mask": (3, "i", 0),
                "shrink_axis_mask": (4, "i", 0),
                "offset": (5, "?", False),
            },
        ),
        "SUB": (28, {"fused_activation_function": (0, "b", 0), "pot_scale_int16": (1, "?", True)}),
        "SUM": (27, {"keep_dims": (0, "?", False)}),
        "SVDF": (6, {"rank": (0, "i", 0), "fused_activation_function": (1, "b", 0), "asymmetric_quantize_inputs": (2, "?", False)}),
        "TRANSPOSE_CONV": (
            49,
            {
                "padding": (0, "b", 0),
                "stride_w": (1, "i", 0),
                "stride_h": (2, "i", 0),
                "fused_activation_function": (3, "b", 0),
                "quantized_bias_type": (4, "b", 0),
            },
        ),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": (
            71,
            {
                "fused_activation_function": (0, "b", 0),
                "cell_clip": (1, "f", 0.0),
                "proj_clip": (2, "f", 0.0),
                "time_major": (3, "?", False),
                "asymmetric_quantize_inputs": (4, "?", False),
                "diagonal_recurrent_tensors": (5, "?", False),
            },
        ),
        "UNIDIRECTIONAL_SEQUENCE_RNN": (
            31,
            {"time_major": (0, "?", False), "fused_activation_function": (1, "b", 0), "asymmetric_quantize_inputs": (2, "?", False)},
        ),
        "UNPACK": (64, {"num": (0, "i", 0), "axis": (1, "i", 0)}),
        "WHILE": (93, {"cond_subgraph_index": (0, "i", 0), "body_subgraph_index": (1, "i", 0)}),
    }
)
"""The options of each operator that has any: the number of their table in the union, and their fields."""

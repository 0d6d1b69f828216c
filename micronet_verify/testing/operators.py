"""Every operator of the notation, with its formula, its arrays and its options.

Arrays of float16 are cast to float32 before they are used. ``kernel``, ``stride``, ``padding``, ``dilation`` and ``scale`` are one number,
or (height, width). An option that is absent is 1 (stride, dilation, groups, step), 0 (padding), or false.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OPERATORS: Mapping[str, str] = MappingProxyType(
    {
        "linear": "y = x·weightᵀ + bias; weight [out, in], bias [out] may be absent",
        "conv": "weight [out, in / groups, kernel, kernel], bias [out] may be absent; stride, padding (zeros), dilation, groups; "
        "padding_end: where it is another at the bottom and on the right",
        "conv_transposed": "weight [in, out / groups, kernel, kernel], bias [out] may be absent; stride, padding, output_padding, groups",
        "quantized_linear": "as linear, weight = (codes − zero)·scale; codes [out, in] int8 or uint8, scale [out], zero [out] may be "
        "absent; bits: 4 where the codes are int4",
        "quantize": "x to codes and back: scale·(clip(round(x / scale) + zero, least, most) − zero), ties to even, of the least and most "
        "number of zero's type, which is int8 or uint8; zero may be absent (int8, 0)",
        "batch_norm": "scale·(x − mean) / √(variance + eps) + shift, each [channels]; eps",
        "layer_norm": "over the last axis: scale·(x − mean) / √(variance + eps) + shift, each [size]; eps",
        "relu": "max(x, 0)",
        "relu6": "min(max(x, 0), 6)",
        "sigmoid": "1 / (1 + e^−x)",
        "tanh": "tanh x",
        "hard_swish": "x·min(max(x + 3, 0), 6) / 6",
        "softmax": "over the last axis",
        "log_softmax": "the logarithm of softmax",
        "add": "the sum of two",
        "sub": "the first minus the second",
        "mul": "the product of two, element by element",
        "div": "the first by the second, element by element",
        "matmul": "the matrix product of two [batch, rows, columns]",
        "max_pool": "kernel, stride, padding (which never wins)",
        "average_pool": "kernel, stride, padding; the mean of the positions inside the input, or of all with counts_padding",
        "global_average": "the mean over height and width: [batch, channels]",
        "mean": "the mean along axis, which goes",
        "reshape": "shape: of one example, without the batch",
        "transpose": "perm: an order of all axes that begins with 0",
        "concat": "two or more joined along axis",
        "pad": "padding zeros on both sides of height and width",
        "slice": "start, end and step (absent: 1) along axis",
        "embedding": "rows of table [words, size] for word numbers",
        "resize_nearest": "height and width, scale times",
        "above": "whether the sum of all numbers of the (one) example is greater than the number `than`",
        "branch": "the first body where the predicate, its one input, holds, else the second; one example at a time",
        "loop": "trips turns of the body. The state, in the body under the name `state`, starts as the first input and becomes what a turn "
        "makes. A second input [batch, trips, …] is read a slice a turn, under the name `slice`. The last state; with `collected` "
        "those of all turns, [batch, trips, …]",
        "lstm": "x [batch, time, in] to the states h of all times: gates i, f, g, o = x·w_ihᵀ + h·w_hhᵀ + bias in the order of the rows of "
        "w_ih [4·size, in], w_hh [4·size, size] and bias [4·size]; c = σ(f)·c + σ(i)·tanh(g), h = σ(o)·tanh(c), both from zeros",
    }
)

"""onnxruntime's own operators (com.microsoft) that its optimizer and quantizer write into files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import NumericFormat, Operand, Result, Value, computed, numeric_format
from micronet_verify_onnx.op import Op, Rule
from micronet_verify_onnx.ops_elementwise import sigmoid_weighted
from micronet_verify_onnx.ops_linear import convolution, general_product, scaled
from micronet_verify_onnx.ops_pool import global_pool, pooled
from micronet_verify_onnx.ops_quantize import UINT8, dequantized, dynamic_quantize, on, quantized

# Names of fused activations, and which parameters they take from activation_params.
_ACTIVATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Relu": ("relu", ()),
    "Sigmoid": ("sigmoid", ()),
    "Tanh": ("tanh", ()),
    "LeakyRelu": ("leaky_relu", ("alpha",)),
    "Clip": ("clip", ("low", "high")),
    "HardSigmoid": ("hard_sigmoid", ("alpha", "beta")),
}


def fused_conv(op: Op) -> Value:
    """FusedConv: a convolution, plus Z?, then an activation."""
    y = convolution(op, op.x(0), op.x(1), op.maybe(2))
    if op.has(3):
        y = op.elementwise("add", y, op.x(3))
    return _activated(op, y, op.numbers("activation_params", ()))


def fused_gemm(op: Op) -> Value:
    y = general_product(op, op.x(0), op.x(1), op.maybe(2))
    names = ("activation_alpha", "activation_beta", "activation_gamma")
    return _activated(op, y, tuple(op.number(name) for name in names if op.attribute(name) is not None))


def _activated(op: Op, y: Value, numbers: Sequence[float]) -> Value:
    name = op.text("activation", "")
    if not name:
        return y
    if name not in _ACTIVATIONS:
        op.refuse(f"the fused activation {name!r}", f"be one of {', '.join(sorted(_ACTIVATIONS))}")
    function, parameters = _ACTIVATIONS[name]
    if len(numbers) < len(parameters):
        op.refuse(f"{len(numbers)} parameters of {name}", f"be {len(parameters)}")
    return op.elementwise(function, y, fmt=None, **dict(zip(parameters, (float(number) for number in numbers), strict=False)))


def fused_matmul(op: Op) -> Value:
    """FusedMatMul: alpha·A·B with the last two axes of either exchanged."""
    if op.integer("transBatchA", 0) or op.integer("transBatchB", 0):
        op.refuse("FusedMatMul with transBatch", "be without")
    a, b = (_exchanged(op, op.x(index), bool(op.integer(name, 0))) for index, name in enumerate(("transA", "transB")))
    return scaled(op, op.builder.matmul(a, b), op.number("alpha", 1.0))


def _exchanged(op: Op, x: Value, wanted: bool) -> Value:
    rank = len(x.shape)
    return op.builder.transpose(x, (*range(rank - 2), rank - 1, rank - 2)) if wanted and rank > 1 else x


def gelu(op: Op) -> Value:
    return op.elementwise("gelu", op.x())


def bias_gelu(op: Op) -> Value:
    """BiasGelu: gelu(x + bias)."""
    return op.elementwise("gelu", op.elementwise("add", op.x(0), op.x(1)))


def fast_gelu(op: Op) -> Value:
    """FastGelu: the tanh form of gelu(x + bias?)."""
    x = op.elementwise("add", op.x(0), op.x(1)) if op.has(1) else op.x(0)
    return op.elementwise("gelu_tanh", x)


def quick_gelu(op: Op) -> Value:
    """QuickGelu: x·sigmoid(alpha·x)."""
    return sigmoid_weighted(op, op.x(), op.number("alpha", 1.702))


def skip_norm(function: str) -> Rule:
    """SkipLayerNormalization and its simplified form: the norm of input + skip (+ bias); the sum may be a result, too."""

    def rule(op: Op) -> list[Value | None]:
        x = op.elementwise("add", op.x(0), op.x(1))
        bias = op.maybe(4 if function == "layer_norm" else 3)
        if bias is not None:
            x = op.elementwise("add", x, bias)
        shift = op.maybe(3) if function == "layer_norm" else None
        operands = [x, op.x(2)] if shift is None else [x, op.x(2), shift]
        axes = (len(x.shape) - 1,)
        y = op.emit("normalise", *operands, op=function, eps=op.number("epsilon", 1e-12), axes=axes)
        if op.is_read(1) or op.is_read(2):
            op.refuse(f"a use of the statistics of {op.kind}", "use its first result, or the sum")
        return [y, None, None, x]

    return rule


_INT8_ACTIVATIONS = 4


def matmul_n_bits(op: Op) -> Value:
    """MatMulNBits: x [.., K] times a weight [N, K] of 2, 4 or 8 bits in blocks along K, packed lowest bits first.

    Operands: x, packed [N, blocks, bytes], scales [N·blocks], zero points?, g_idx?, bias?
    """
    k, n, bits, block = op.integer("K"), op.integer("N"), op.integer("bits", 4), op.integer("block_size")
    if op.integer("accuracy_level", 0) == _INT8_ACTIVATIONS:
        op.refuse(
            "MatMulNBits with accuracy_level=4, which rounds its activations to 8 bits",
            "compute with the activations as they come",
            "set accuracy_level to 0 or 1, or write the rounding as QuantizeLinear and DequantizeLinear in front",
        )
    if bits not in (2, 4, 8) or block < 1 or op.has(4):
        op.refuse(
            f"MatMulNBits of {bits} bits in blocks of {block}{' with g_idx' if op.has(4) else ''}", "be of 2, 4 or 8 bits, without g_idx"
        )
    blocks, fmt = -(-k // block), numeric_format(f"uint{bits}")
    codes = _unpacked(op, 1, (n, blocks * block), bits)[:, :k]
    scales = computed(op.builder, op.builder.reshape(op.x(2), (n, blocks)), static=op.operand(2).static)
    weight = op.builder.constant(codes, op.node.input[1], fmt)
    zero = _zero_points(op, n, blocks, bits)
    matrix = dequantized(op, weight, scales, zero, axis=1, block=block)
    return op.builder.linear(op.x(0), matrix, op.maybe(5))


def _zero_points(op: Op, n: int, blocks: int, bits: int) -> Operand:
    """Zero points per block, packed or as floats; absent they are the middle of the range."""
    fmt = numeric_format(f"uint{bits}")
    if not op.has(3):
        middle = op.expand(op.builder.scalar(1 << (bits - 1), fmt), (n, blocks))
        return computed(op.builder, middle, static=True)
    if op.operand(3).format != UINT8:
        return computed(op.builder, op.builder.reshape(op.x(3), (n, blocks)), static=op.operand(3).static)
    per_byte = 8 // bits
    codes = _unpacked(op, 3, (n, -(-blocks // per_byte) * per_byte), bits)[:, :blocks]
    return computed(op.builder, op.builder.constant(codes, op.node.input[3], fmt), static=True)


def _unpacked(op: Op, index: int, shape: tuple[int, int], bits: int) -> NDArray[np.uint8]:
    stored = op.operand(index)
    if stored.load is None or stored.format != UINT8 or stored.numel * (8 // bits) != shape[0] * shape[1]:
        op.refuse(f"packed operand {index + 1} of MatMulNBits", f"be a constant of {shape[0] * shape[1] * bits // 8:,} bytes")
    raw = stored.load().reshape(-1)
    pieces = [(raw >> (bits * place)) & ((1 << bits) - 1) for place in range(8 // bits)]
    return np.stack(pieces, axis=-1).reshape(shape)


def matmul_integer_to_float(op: Op) -> Value:
    """MatMulIntegerToFloat: a, b, their scales, their zero points?, bias?"""
    a = dequantized(op, op.x(0), op.operand(2), _optional(op, 4), axis=-1)
    b = dequantized(op, op.x(1), op.operand(3), _optional(op, 5), axis=-1)
    return op.builder.matmul(a, b, op.maybe(6))


def dynamic_quantize_matmul(op: Op) -> Value:
    """DynamicQuantizeMatMul: a is quantized by its own range; b, its scale, its zero point?, bias?"""
    codes, scale, zero = dynamic_quantize(op)
    a = op.emit("dequantize", codes, scale, zero, axis=-1)
    b = dequantized(op, op.x(1), op.operand(2), _optional(op, 3), axis=-1)
    return op.builder.matmul(a, b, op.maybe(4))


def qgemm(op: Op) -> Value:
    """QGemm: A, B with scale and zero point each, C? in units of both scales, y's scale? and zero point?"""
    a = dequantized(op, op.x(0), op.operand(1), op.operand(2))
    b = dequantized(op, op.x(3), op.operand(4), op.operand(5), axis=0 if op.integer("transB", 0) else 1)
    c = None
    if op.has(6):
        unit = op.elementwise("mul", op.x(1), op.x(4))
        c = op.emit("dequantize", op.x(6), unit, axis=-1 if unit.numel == 1 else len(op.x(6).shape) - 1)
    y = general_product(op, a, b, c)
    return quantized(op, y, op.operand(7), _optional(op, 8), _format(op, 8)) if op.has(7) else y


def _format(op: Op, index: int) -> NumericFormat:
    return op.operand(index).format if op.has(index) else UINT8


def qlinear_pool(op: Op) -> Value:
    """QLinearGlobalAveragePool and QLinearAveragePool, channels first."""
    if op.integer("channels_last", 0):
        op.refuse(f"{op.kind} with channels_last", "be channels first")
    x = dequantized(op, op.x(0), op.operand(1), _optional(op, 2))
    y = on(op, global_pool("average"), x) if "Global" in op.kind else pooled(op, x, "average")
    return quantized(op, y, op.operand(3), _optional(op, 4), op.operand(0).format)


def _optional(op: Op, index: int) -> Operand | None:
    return op.operand(index) if op.has(index) else None


def qlinear_softmax(op: Op) -> Result:
    """QLinearSoftmax: x and y with scale and zero point each; ``opset`` says which Softmax it stands for."""
    x = dequantized(op, op.x(0), op.operand(1), _optional(op, 2))
    axis = op.axis(op.integer("axis", -1), len(x.shape))
    if op.integer("opset") < 13 and axis != len(x.shape) - 1:
        op.refuse("QLinearSoftmax over several axes", "be over the last one")
    return quantized(op, op.emit("softmax", x, op="softmax", axis=axis), op.operand(3), _optional(op, 4), op.operand(0).format)

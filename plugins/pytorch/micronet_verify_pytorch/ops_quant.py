"""Quantizers: fake_quantize_* and PT2E's quantized_decomposed.*, as quantize and dequantize nodes.

The integer format is the narrowest that holds quant_min to quant_max, whatever type torch keeps the numbers in. A range
narrower than the format is on the node as ``low`` and ``high``. A zero point that the program states as 0 is not stored.
"""

from __future__ import annotations

from micronet_verify.plugin import FLOAT32, NumericFormat, Value
from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.formats import container, integer_format

WIDEST = 1 << 31


def fake_quantize(per_channel: bool) -> Rule:
    """Quantize, then dequantize; the result has the type of the input."""

    def translate(call: Call) -> Value:
        x, (fmt, low, high) = call.tensor(), _range(call)
        axis, scale, zero = _scaling(call, x, fmt, per_channel)
        return _dequantized(call, _quantized(call, x, scale, zero, axis, fmt, low, high), scale, zero, axis, container(x.format))

    return translate


def quantize(per_channel: bool, x: str = "input") -> Rule:
    def translate(call: Call) -> Value:
        value = call.tensor(x)
        fmt, low, high = _held_range(call)
        call.ignore("eps")
        axis, scale, zero = _scaling(call, value, fmt, per_channel, "s" if per_channel else "")
        return _quantized(call, value, scale, zero, axis, fmt, low, high)

    return translate


def dequantize(per_channel: bool) -> Rule:
    def translate(call: Call) -> Value:
        value = call.tensor("input")
        call.ignore("quant_min", "quant_max", "dtype")
        axis, scale, zero = _scaling(call, value, value.format, per_channel, "s" if per_channel else "")
        return _dequantized(call, value, scale, zero, axis, call.dtype("out_dtype", FLOAT32))

    return translate


def _range(call: Call) -> tuple[NumericFormat, float, float]:
    low, high = call.integer("quant_min"), call.integer("quant_max")
    if not -WIDEST <= low < high < 2 * WIDEST:
        call.refuse(f"the range {low:,} to {high:,}", "be one of up to 32 bits")
    return integer_format(low, high), float(low), float(high)


def _held_range(call: Call) -> tuple[NumericFormat, float, float]:
    """The range, in a format that the stated type can hold."""
    fmt, low, high = _range(call)
    held = call.dtype("dtype")
    if held.family == "int" and fmt.family == "uint":  # the sign bit is there, if never set
        fmt = integer_format(-1 - int(high), int(high))
    if not held.is_integer or container(fmt).bits > held.bits or fmt.family != held.family:
        call.refuse(f"values of {fmt} in {held}", "fit")
    return fmt, low, high


def _scaling(call: Call, x: Value, fmt: NumericFormat, per_channel: bool, many: str = "") -> tuple[int, Value, Value | None]:
    """Axis, scale, zero point. ``many``: what their names end with."""
    axis, zero = call.dim("axis", len(x.shape)) if per_channel else -1, call.raw(f"zero_point{many}")
    scale = call.value(call.operand(f"scale{many}"), FLOAT32)
    if zero is None or (isinstance(zero, int) and zero == 0):
        return axis, scale, None
    return axis, scale, call.value(call.operand(f"zero_point{many}"), fmt)


def _quantized(
    call: Call, x: Value, scale: Value, zero: Value | None, axis: int, fmt: NumericFormat, low: float, high: float, **how: bool | int
) -> Value:
    """torch multiplies by 1 / scale and rounds half to even; the zero point comes after that, unless ``zero_first``."""
    full = (-(1 << fmt.bits - 1), (1 << fmt.bits - 1) - 1) if fmt.family == "int" else (0, (1 << fmt.bits) - 1)
    limits = {} if (low, high) == full else {"low": low, "high": high}
    operands = (x, scale) if zero is None else (x, scale, zero)
    return call.emit("quantize", *operands, fmt=fmt, axis=axis, reciprocal=True, **limits, **how)


def _dequantized(call: Call, q: Value, scale: Value, zero: Value | None, axis: int, fmt: NumericFormat, block: int | None = None) -> Value:
    operands = (q, scale) if zero is None else (q, scale, zero)
    return call.emit("dequantize", *operands, fmt=fmt, axis=axis, block=block)


# --- scales for each token, or for each group of a row -----------------------------------------------------------------------


def _per_token(call: Call, x: Value) -> tuple[Value, Value, Value]:
    """All tokens on one axis, with the scale and zero point of each."""
    tokens = x.numel // x.shape[-1]
    scale, zero = call.tensor("scales"), call.tensor("zero_points")
    flat = call.builder.reshape(x, (tokens, x.shape[-1]))
    return flat, call.builder.reshape(scale, (tokens,)), call.builder.reshape(zero, (tokens,))


def quantize_per_token(call: Call) -> Value:
    x = call.tensor("input")
    fmt, low, high = _held_range(call)
    flat, scale, zero = _per_token(call, x)
    return call.builder.reshape(_quantized(call, flat, scale, zero, 0, fmt, low, high, zero_first=True), x.shape)


def dequantize_per_token(call: Call) -> Value:
    x = call.tensor("input")
    call.ignore("quant_min", "quant_max", "dtype")
    flat, scale, zero = _per_token(call, x)
    return call.builder.reshape(_dequantized(call, flat, scale, zero, 0, call.dtype("output_dtype", FLOAT32)), x.shape)


def _group(call: Call, x: Value, scales: Value) -> int:
    size = call.integer("group_size", 128)
    if len(x.shape) != 2 or len(scales.shape) != 2:
        call.refuse(f"groups of {x.shape} with scales {scales.shape}", "be of a matrix")
    return min(size, x.shape[-1])


def quantize_per_group(call: Call) -> Value:
    x, scales = call.tensor("input"), call.tensor("scales")
    fmt, low, high = _held_range(call)
    zero = call.tensor("zero_points")
    return _quantized(call, x, scales, zero, 1, fmt, low, high, zero_first=True, block=_group(call, x, scales))


def dequantize_per_group(call: Call) -> Value:
    x, scales = call.tensor("input"), call.tensor("scales")
    call.ignore("quant_min", "quant_max", "dtype")
    fmt = call.dtype("output_dtype", FLOAT32)
    return _dequantized(call, x, scales, call.optional("zero_points"), 1, fmt, _group(call, x, scales))

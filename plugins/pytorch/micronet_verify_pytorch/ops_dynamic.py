"""Scales that are measured from the data (dynamic quantization): the arithmetic of torch.ao, written out."""

from __future__ import annotations

from micronet_verify.plugin import BOOL, FLOAT64, INT64, Value
from micronet_verify_pytorch.call import Call

EPSILON = 2.0**-23
_ON_8_BITS = (-128, 127)


def choose_qparams(call: Call) -> tuple[Value, Value]:
    """(highest − lowest) / steps, and the code of 0; torch.ao.quantization.utils.determine_qparams."""
    low, high, least, most = _range(call)
    call.ignore("dtype")
    scale = call.elementwise("div", call.elementwise("sub", most, least), float(high - low))
    scale = call.elementwise("max", scale, call.number("eps"))
    turned = call.elementwise("round", call.elementwise("div", least, scale))
    zero = call.elementwise("clip", call.elementwise("sub", float(low), turned), low=low, high=high)
    return _declared(call, scale, zero, (1,))


def choose_qparams_symmetric(call: Call) -> tuple[Value, Value]:
    """The largest magnitude over half of the steps; the code of 0 is 0, and 128 among unsigned ones."""
    low, high, least, most = _range(call)
    reach = call.elementwise("max", call.elementwise("neg", least), most)
    scale = call.elementwise("max", call.elementwise("div", reach, (high - low) / 2), call.number("eps"))
    zero = call.builder.scalar(128 if call.dtype("dtype").family == "uint" else 0, scale.format)
    return _declared(call, scale, zero, (1,))


def choose_qparams_per_token(call: Call) -> tuple[Value, Value]:
    """The largest magnitude of each token over 127."""
    x = call.tensor("input")
    call.ignore("dtype")
    reach = call.emit("reduce", call.elementwise("abs", x), op="max", axes=(len(x.shape) - 1,), keepdims=True)
    scale = call.elementwise("div", call.elementwise("clip", reach, low=1e-5), 127.0)
    zeros = call.emit("move", call.builder.scalar(0, scale.format), op="expand", shape=scale.shape)
    return _declared(call, scale, zeros, scale.shape)


def choose_qparams_per_token_asymmetric(call: Call) -> tuple[Value, Value]:
    """Each token by itself; the code of 0 errs to the side where it errs less (as XNNPACK)."""
    x = call.tensor("input")
    call.ignore("dtype")
    low, high = map(float, _ON_8_BITS)
    least, most = _extremes(call, x, (len(x.shape) - 1,), True)
    scale = call.elementwise("clip", call.elementwise("div", call.elementwise("sub", most, least), high - low), low=EPSILON)
    from_least, from_most = call.elementwise("div", least, scale), call.elementwise("div", most, scale)
    errors = call.elementwise("add", call.elementwise("add", from_least, low), call.elementwise("add", from_most, high))
    upper = call.elementwise("greater", errors, 0.0, fmt=BOOL)
    zero = call.builder.elementwise("where", upper, call.elementwise("sub", low, from_least), call.elementwise("sub", high, from_most))
    return _declared(call, scale, call.elementwise("round", call.elementwise("clip", zero, low=low, high=high)), scale.shape)


def _range(call: Call) -> tuple[int, int, Value, Value]:
    """The lowest and highest code, the least and the greatest value."""
    x = call.tensor("input")
    return call.integer("quant_min"), call.integer("quant_max"), *_extremes(call, x, tuple(range(len(x.shape))), False)


def _extremes(call: Call, x: Value, axes: tuple[int, ...], keep: bool) -> tuple[Value, Value]:
    """The least and the greatest value, 0 among them."""
    least = call.emit("reduce", x, op="min", axes=axes, keepdims=keep)
    most = call.emit("reduce", x, op="max", axes=axes, keepdims=keep)
    return call.elementwise("min", least, 0.0), call.elementwise("max", most, 0.0)


def _declared(call: Call, scale: Value, zero: Value, shape: tuple[int, ...]) -> tuple[Value, Value]:
    """In the types that torch hands on."""
    scale, zero = (call.emit("move", value, fmt=fmt, op="cast") for value, fmt in ((scale, FLOAT64), (zero, INT64)))
    return call.builder.reshape(scale, shape), call.builder.reshape(zero, shape)

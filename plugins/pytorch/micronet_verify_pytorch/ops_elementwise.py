"""Arithmetic element by element: scalars become constants, ``alpha`` other than 1 is one more multiply."""

from __future__ import annotations

from micronet_verify.plugin import BOOL, NumericFormat, Value
from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.formats import Factor, as_float, container, promote


def binary(op: str, left: str = "self", right: str = "other", rounding: str | None = None) -> Rule:
    """``left op right``, with ``alpha`` on the right operand where the operator has one."""
    return lambda call: call.elementwise(op, call.operand(left), _scaled(call, call.operand(right)), rounding=rounding)


def _scaled(call: Call, operand: Factor) -> Factor:
    alpha = call.operand("alpha", 1)
    if alpha == 1:
        return operand
    return call.elementwise("mul", operand, alpha) if isinstance(operand, Value) else operand * alpha  # type: ignore[operator]


def reversed_sub(call: Call) -> Value:
    """other − alpha·self."""
    return call.elementwise("sub", call.operand("other"), _scaled(call, call.operand("self")))


def divide(call: Call) -> Value:
    """True division; ``rounding_mode`` floor is one operator, trunc one more."""
    mode, x, y = call.raw("rounding_mode"), call.operand("self"), call.operand("other")
    if mode == "floor":
        return call.elementwise("floor_div", x, y)
    if mode == "trunc":
        common = promote([x, y])
        if common.family != "float":
            return call.elementwise("div", x, y, fmt=common, rounding="trunc")
        return call.elementwise("trunc", call.elementwise("div", x, y, fmt=common), fmt=common)
    if mode is not None:
        call.refuse(f"rounding_mode={mode!r}", "be floor or trunc")
    return call.elementwise("div", x, y, fmt=as_float(promote([x, y])))


def power(call: Call) -> Value:
    """x ** 2 is a square; other exponents are ``pow``."""
    x, exponent = call.operand("self"), call.operand("exponent")
    common = promote([x, exponent])
    if exponent == 2 and not isinstance(exponent, Value) and isinstance(x, Value):
        return call.elementwise("square", x, fmt=common)
    if exponent == 1 and not isinstance(exponent, Value) and isinstance(x, Value):
        return call.emit("move", x, fmt=common, op="identity")
    return call.elementwise("pow", x, exponent)


def compare(op: str) -> Rule:
    """Truth values whatever the operands are."""
    return lambda call: call.elementwise(op, call.operand("self"), call.operand("other"), fmt=BOOL)


def logical_not(call: Call) -> Value:
    return call.elementwise("not", call.tensor(), fmt=BOOL)


def bitwise_not(call: Call) -> Value:
    return call.elementwise("not", call.tensor(), fmt=container(call.tensor().format))


def shift(op: str) -> Rule:
    """A shift by n bits is the multiply by 2ⁿ, or the whole division, that it stands for. It wraps around in the type's width."""

    def translate(call: Call) -> Value:
        x, bits = call.tensor(), call.raw("other")
        fmt = container(x.format)
        if isinstance(bits, bool) or not isinstance(bits, int) or not 0 <= bits < fmt.bits or not fmt.is_integer:
            call.refuse(f"a shift by {bits!r}", "be by a number of bits that the type has")
        factor = 1 << bits
        if fmt.family == "int" and bits == fmt.bits - 1:  # 2ⁿ is no number of the type: −2ⁿ is the same modulo, and x ⟶ −1 or 0
            factor = -factor if op == "mul" else factor >> 1
            x = x if op == "mul" else call.elementwise(op, x, 2, fmt=fmt)
        return call.elementwise(op, x, factor, fmt=fmt)

    return translate


def unary(op: str, *parameters: str, real: bool = True, x: str = "self") -> Rule:
    """A function of one tensor; ``real``: integers become float32. ``parameters``: numbers of the call, by our names."""

    def translate(call: Call) -> Value:
        value = call.tensor(x)
        fmt = as_float(value.format) if real else container(value.format)
        return call.builder.elementwise(op, value, fmt=fmt, **{name: call.number(name) for name in parameters})

    return translate


def round_to(call: Call) -> Value:
    """To whole numbers, half to even; to decimals, of the multiple by a power of ten."""
    x, decimals = call.tensor(), call.integer("decimals", 0)
    fmt = container(x.format)
    if not decimals or fmt.family != "float":
        return call.builder.elementwise("round", x, fmt=fmt)
    there, back = ("mul", "div") if decimals > 0 else ("div", "mul")
    power_of_ten = 10.0 ** abs(decimals)
    return call.elementwise(back, call.elementwise("round", call.elementwise(there, x, power_of_ten)), power_of_ten)


def predicate(op: str) -> Rule:
    return lambda call: call.builder.elementwise(op, call.tensor(), fmt=BOOL)


def frac(call: Call) -> Value:
    """x − trunc(x)."""
    x = call.tensor()
    return call.elementwise("sub", x, call.builder.elementwise("trunc", x))


def clip(call: Call) -> Value:
    """``clamp`` by numbers is one clip; by tensors, a max and a min. Also clamp_min, clamp_max and hardtanh."""
    x = call.tensor()
    low = call.raw("min", call.raw("min_val"))
    high = call.raw("max", call.raw("max_val"))
    if call.target.startswith("aten.hardtanh"):
        low, high = -1 if low is None else low, 1 if high is None else high
    bounds = [bound for bound in (low, high) if bound is not None]
    fmt = promote([x, *bounds])  # type: ignore[list-item]
    if not any(isinstance(bound, Value) for bound in bounds):
        limits = {"low": low, "high": high}
        return call.builder.elementwise("clip", x, fmt=fmt, **limits)  # type: ignore[arg-type]
    for op, bound in (("max", low), ("min", high)):
        if bound is not None:
            x = call.elementwise(op, x, bound, fmt=fmt)  # type: ignore[arg-type]
    return x


def threshold(call: Call) -> Value:
    """x where it is above the threshold, else the value."""
    return call.builder.elementwise("threshold", call.tensor(), alpha=call.number("threshold"), beta=call.number("value"))


def relu6(call: Call) -> Value:
    return call.builder.elementwise("clip", call.tensor(), fmt=container(call.tensor().format), low=0, high=6)


def gelu(call: Call) -> Value:
    approximate = call.text("approximate", "none")
    if approximate not in ("none", "tanh"):
        call.refuse(f"approximate={approximate!r}", "be none or tanh")
    return call.builder.elementwise("gelu_tanh" if approximate == "tanh" else "gelu", call.tensor())


def elu(call: Call) -> Value:
    """elu with a scale other than 1 is one more multiply (selu has its own operator); celu is written with an inner scale of 1/α."""
    alpha, inner, scale = float(call.number("alpha", 1.0)), call.number("input_scale", 1.0), call.number("scale", 1.0)
    if inner != 1 and abs(inner * alpha - 1) > 1e-6:
        call.refuse(f"an elu with an inner scale of {inner}", "be 1, or 1/alpha as in celu", "write the scale as a multiply")
    y = call.builder.elementwise("elu" if inner == 1 else "celu", call.tensor(), alpha=alpha)
    return y if scale == 1 else call.elementwise("mul", y, scale)


def with_alpha(op: str, argument: str, default: float) -> Rule:
    """A function whose one parameter torch calls ``argument``."""
    return lambda call: call.builder.elementwise(op, call.tensor(), alpha=call.number(argument, default))


def hard_sigmoid(call: Call) -> Value:
    """relu6(x + 3) / 6."""
    return call.builder.elementwise("hard_sigmoid", call.tensor(), alpha=1 / 6, beta=0.5)


def softplus(call: Call) -> Value:
    """log(1 + exp(beta·x)) / beta; beta other than 1 is a multiply and a divide more.

    Where beta·x is above the threshold the answer is x. From 16 on both are equal to fp32; a lower one is a compare and a select.
    """
    x, beta, threshold = call.tensor(), call.number("beta", 1.0), call.number("threshold", 20.0)
    inner = x if beta == 1 else call.elementwise("mul", x, beta)
    y = call.builder.elementwise("softplus", inner)
    y = y if beta == 1 else call.elementwise("div", y, beta)
    return y if threshold >= 16 else _where(call, call.elementwise("greater", inner, threshold, fmt=BOOL), x, y)


def prelu(call: Call) -> Value:
    """The slope is one number, or one per channel (axis 1)."""
    x, slope = call.tensor(), call.tensor("weight")
    if slope.numel > 1:
        slope = call.builder.reshape(slope, (slope.numel, *(1,) * (len(x.shape) - 2)))
    return call.builder.elementwise("prelu", x, slope)


def glu(call: Call) -> Value:
    """The first half times the sigmoid of the second."""
    x = call.tensor()
    axis = call.dim("dim", len(x.shape), -1)
    half = x.shape[axis] // 2
    a, b = call.builder.emit_many("move", (x,), (None, None), op="split", axis=axis, sizes=(half, x.shape[axis] - half))
    return call.elementwise("mul", a, call.builder.elementwise("sigmoid", b))


def where(call: Call) -> Value:
    return _where(call, call.tensor("condition"), call.operand("self"), call.operand("other"))


def masked_fill(call: Call) -> Value:
    """The value where the mask holds, else the tensor, in the tensor's type."""
    x = call.tensor()
    return _where(call, call.tensor("mask"), call.operand("value"), x, container(x.format))


def _where(call: Call, condition: Value, then: Factor, other: Factor, fmt: NumericFormat | None = None) -> Value:
    fmt = fmt or promote([then, other])
    return call.builder.elementwise("where", condition, call.value(then, fmt), call.value(other, fmt), fmt=fmt)


def addcmul(op: str) -> Rule:
    """self + value · (tensor1 op tensor2)."""

    def translate(call: Call) -> Value:
        y = call.elementwise(op, call.tensor("tensor1"), call.tensor("tensor2"))
        value = call.number("value", 1)
        return call.elementwise("add", call.tensor(), y if value == 1 else call.elementwise("mul", y, value))

    return translate


def lerp(call: Call) -> Value:
    """self + weight · (end − self)."""
    x = call.tensor()
    return call.elementwise("add", x, call.elementwise("mul", call.operand("weight"), call.elementwise("sub", call.tensor("end"), x)))


def cosine_similarity(call: Call) -> Value:
    """sum(x1·x2) / (max(‖x1‖, eps) · max(‖x2‖, eps))."""
    x, y = call.tensor("x1"), call.tensor("x2")
    axis = call.dim("dim", max(len(x.shape), len(y.shape)), 1)
    dot = call.emit("reduce", call.elementwise("mul", x, y), op="sum", axes=(axis,), keepdims=False)
    lengths = []
    for value in (x, y):
        length = call.emit("reduce", value, op="l2", axes=(axis,), keepdims=False)
        lengths.append(call.elementwise("max", length, call.number("eps", 1e-8)))
    return call.elementwise("div", dot, call.elementwise("mul", *lengths))


def triangle(upper: bool) -> Rule:
    """tril and triu: a constant mask selects the element or zero."""

    def translate(call: Call) -> Value:
        import numpy as np

        x, diagonal = call.tensor(), call.integer("diagonal", 0)
        ones = np.ones(x.shape[-2:], dtype=bool)
        mask = call.builder.constant(np.triu(ones, diagonal) if upper else np.tril(ones, diagonal), "triangle")
        return _where(call, mask, x, 0, container(x.format))

    return translate

"""Normalisation, pooling and resizing."""

from __future__ import annotations

from micronet_verify.plugin import Value
from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.formats import container
from micronet_verify_pytorch.ops_shape import dropped, lifted

EVAL = "call model.eval() before torch.export.export"
# torch.finfo(…).eps
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}


def batch_norm(call: Call) -> Value:
    """aten.batch_norm; in training mode the statistics come from the batch, and one example would change another's answer."""
    call.ignore("momentum")
    if call.raw("running_mean") is None:
        call.ignore("training", "running_var")
        return _own_statistics(call, call.tensor("input"))
    if call.flag("training"):
        call.refuse("batch norm in training mode", "be exported after model.eval()", EVAL)
    return _batch_norm(call, call.tensor("input"))


def _own_statistics(call: Call, x: Value) -> Value:
    """Statistics of the tensor itself: of a constant (weight standardisation), or of one example, which is instance norm."""
    if len(x.shape) < 2 or (x.shape[0] != 1 and not call.is_fixed(x)):
        call.refuse("batch norm in training mode", "be exported after model.eval()", EVAL)
    eps, affine = float(call.number("eps")), (call.optional("weight"), call.optional("bias"))
    if x.shape[0] == 1:
        return _normalise(call, "instance_norm", (x, *affine), eps=eps)
    perm = [1, 0, *range(2, len(x.shape))]
    turned = call.builder.transpose(x, perm)
    laid = call.builder.reshape(turned, (1, x.shape[1], x.numel // max(x.shape[1], 1)))
    y = _normalise(call, "instance_norm", (laid, *affine), eps=eps)
    return call.builder.transpose(call.builder.reshape(y, turned.shape), perm)


def _batch_norm(call: Call, x: Value) -> Value:
    operands = (x, call.tensor("running_mean"), call.tensor("running_var"), call.optional("weight"), call.optional("bias"))
    return _normalise(call, "batch_norm", operands, eps=float(call.number("eps")))


def _normalise(call: Call, op: str, operands: tuple[Value | None, ...], **attributes: float | int | tuple[int, ...]) -> Value:
    """Absent operands at the end are left out; the answer has the type of the first."""
    kept = list(operands)
    while kept[-1] is None:
        kept.pop()
    first = operands[0]
    assert first is not None
    return call.emit("normalise", *kept, fmt=container(first.format), op=op, **attributes)


def instance_norm(call: Call) -> Value:
    """Statistics of each example and channel, or the stored ones: then it is batch norm."""
    x = call.tensor("input")
    call.ignore("momentum")
    if not call.flag("use_input_stats"):
        return _batch_norm(call, x)
    if call.raw("running_mean") is not None:
        call.refuse("instance norm that updates its statistics", "be exported after model.eval()", EVAL)
    call.ignore("running_var")
    return _normalise(call, "instance_norm", (x, call.optional("weight"), call.optional("bias")), eps=float(call.number("eps")))


def group_norm(groups: str) -> Rule:
    def rule(call: Call) -> Value:
        operands = (call.tensor("input"), call.optional("weight"), call.optional("bias"))
        call.ignore("N", "C", "HxW")
        return _normalise(call, "group_norm", operands, groups=call.integer(groups), eps=float(call.number("eps", 1e-5)))

    return rule


def _trailing(call: Call, x: Value) -> tuple[int, ...]:
    return tuple(range(len(x.shape) - len(call.ints("normalized_shape")), len(x.shape)))


def layer_norm(call: Call) -> Value:
    x = call.tensor("input")
    operands = (x, call.optional("weight"), call.optional("bias"))
    return _normalise(call, "layer_norm", operands, axes=_trailing(call, x), eps=float(call.number("eps", 1e-5)))


def rms_norm(call: Call) -> Value:
    """Without a stated eps torch takes that of the type."""
    x = call.tensor("input")
    eps = call.number("eps", EPSILON.get(container(x.format).name, 2.0**-23))
    return _normalise(call, "rms_norm", (x, call.optional("weight")), axes=_trailing(call, x), eps=float(eps))


def pool(op: str, rank: int) -> Rule:
    """max_pool and avg_pool of ``rank`` axes. A stated divisor replaces the number of positions in the window."""

    def translate(call: Call) -> Value:
        x, single = lifted(call, rank)
        kernel = call.spread("kernel_size", rank)
        stride = call.spread("stride", rank) if call.ints("stride", ()) else kernel
        padding, dilation = call.spread("padding", rank, (0,)), call.spread("dilation", rank, (1,))
        counts = op == "average" and any(padding) and call.flag("count_include_pad", True)
        call.ignore("count_include_pad")
        y = call.emit(
            "pool",
            x,
            op=op,
            kernel=kernel,
            stride=stride,
            padding=padding * 2,
            dilation=dilation if max(dilation) > 1 else None,
            ceil=True if call.flag("ceil_mode") else None,
            counts_padding=True if counts else None,
            divisor=call.integer("divisor_override") if call.raw("divisor_override") is not None else None,
        )
        return dropped(call, y, single)

    return translate


def adaptive_pool(op: str, rank: int) -> Rule:
    """An output size of None (−1 in graphs) keeps that of the input."""

    def translate(call: Call) -> Value:
        x, single = lifted(call, rank)
        return dropped(call, call.emit("pool", x, op=op, adaptive=call.spread("output_size", rank)), single)

    return translate


# How torch finds the source of a position (aten/src/ATen/native/UpSample.h): nearest: ⌊position · in/out⌋; nearest-exact:
# ⌊(position + ½) · in/out⌋; the others as ONNX's half_pixel, or align_corners.
_COORDINATES = {"nearest": ("asymmetric", "floor"), "nearest exact": ("half_pixel", "round_prefer_ceil")}


def upsample(mode: str, rank: int) -> Rule:
    """The size is given, or follows from the scale factors, rounded down. Stated factors also say where positions lie."""

    def translate(call: Call) -> Value:
        x = call.tensor("self" if call.raw("self") is not None else "input")
        factors = _factors(call, rank)
        call.ignore("scales", "scales_d", "scales_h", "scales_w", "scale_factors")
        if call.raw("output_size") is not None:
            size = call.spread("output_size", rank)
        elif factors is not None:
            size = tuple(int(length * factor) for length, factor in zip(x.shape[2:], factors, strict=True))
        else:
            call.refuse("a resize without a size", "have one")
        coordinates, nearest = _COORDINATES.get(mode, ("half_pixel", None))
        if mode not in _COORDINATES and call.flag("align_corners"):
            coordinates = "align_corners"
        stated = factors is not None and any(length * f != out for length, f, out in zip(x.shape[2:], factors, size, strict=True))
        return call.emit(
            "resize",
            x,
            op=mode.split()[0],
            shape=(*x.shape[:2], *size),
            coordinates=coordinates,
            nearest=nearest,
            scales=(1.0, 1.0, *factors) if factors is not None and stated else None,
            single=True,
        )

    return translate


def _factors(call: Call, rank: int) -> tuple[float, ...] | None:
    """Scale factors as one list, or as a number for each axis."""
    names = ("scales",) if rank == 1 else ("scales_d", "scales_h", "scales_w")[-rank:]
    stated = call.raw("scale_factors")
    factors = stated if isinstance(stated, tuple) else tuple(call.raw(name) for name in names)
    if None in factors:
        return None
    numbers = [float(factor) for factor in factors if isinstance(factor, int | float)]
    if len(numbers) != rank:
        call.refuse(f"the scale factors {factors!r}", "be a number for each axis")
    return tuple(numbers)

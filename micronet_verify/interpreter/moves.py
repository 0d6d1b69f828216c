"""``move``: the same elements elsewhere, and casts. Results of moves are views where numpy can make one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.shapes import integer, ints, number, text
from micronet_verify.interpreter.convolution import padded
from micronet_verify.interpreter.node_call import Array, NodeCall, Operands, limits, number_type, rounded, wrapped

_PAD_MODES = {"reflect": "reflect", "symmetric": "symmetric", "edge": "edge", "wrap": "wrap"}


def move(call: NodeCall, operands: Operands) -> Array | tuple[Array, ...]:
    return _MOVES[text(call.attributes, "op")](call, operands)


def cast(x: Array, source: NumericFormat | None, target: NumericFormat, saturate: bool, double: bool) -> Array:
    """``x`` in another format. To a float it is rounded, also in double precision, unless all values of ``source`` fit in it.

    To an integer it is truncated and wraps around, or stops at the ends of the format if ``saturate``.
    """
    if target.family == "bool":
        return x.astype(bool)
    held = number_type(target, double)
    if target.family == "float":
        fits = source is not None and source.family in ("float", "bool") and source.bits <= target.bits
        if fits and source is not None and (source.bits < target.bits or source == target):
            return x.astype(held, copy=False)
        if saturate:
            low, high = limits(target)
            x = np.where(np.isinf(x), x, np.clip(x, low, high)) if target.bits >= 16 else np.clip(x, low, high)
        return rounded(x, target).astype(held, copy=False)
    if x.dtype.kind not in "iub":
        x = np.trunc(x.astype(np.float64, copy=False))
    if saturate:
        low, high = limits(target)
        x = np.nan_to_num(np.clip(x, low, high), nan=0.0) if x.dtype.kind == "f" else np.clip(x.astype(np.int64), int(low), int(high))
        if x.dtype.kind == "f" and target.bits == 64:  # 2^63 is a float64, 2^63 − 1 is none
            return np.where(x >= high, np.asarray(int(high), held), np.where(x >= high, 0, x).astype(held))
    return wrapped(x, target)


def _cast(call: NodeCall, operands: Operands) -> Array:
    return cast(operands[0], call.operands[0], call.result.format, bool(call.attributes.get("saturate")), call.double)


def _slice(call: NodeCall, operands: Operands) -> Array:
    cut = [slice(None)] * operands[0].ndim
    fields = (ints(call.attributes, name) for name in ("axes", "starts", "ends", "steps"))
    for axis, start, end, hop in zip(*fields, strict=True):
        cut[axis] = slice(start, end, hop)
    return operands[0][tuple(cut)]


def _pad(call: NodeCall, operands: Operands) -> Array:
    padding, x = ints(call.attributes, "padding"), operands[0]
    mode = str(call.attributes.get("mode", "constant"))
    if mode == "constant":
        value = number(call.attributes, "value")
        return padded(x, padding, value if x.dtype.kind in "fV" else int(value) if np.isfinite(value) else 0, lead=0)
    x = padded(x, tuple(min(pad, 0) for pad in padding), 0, lead=0)
    rank = x.ndim
    pairs = [(max(padding[i], 0), max(padding[rank + i], 0)) for i in range(rank)]
    return np.asarray(np.pad(x, pairs, _PAD_MODES[mode]))  # type: ignore[call-overload]


def _split(call: NodeCall, operands: Operands) -> tuple[Array, ...]:
    sizes, axis = ints(call.attributes, "sizes"), integer(call.attributes, "axis")
    lead = (slice(None),) * axis
    ends = np.cumsum(sizes).tolist()
    return tuple(operands[0][(*lead, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True))


def _concat(call: NodeCall, operands: Operands) -> Array:
    parts: Sequence[Array] = operands
    if len({part.dtype for part in parts}) > 1:
        dtype = number_type(call.result.format, call.double)
        parts = [part.astype(dtype, copy=False) for part in parts]
    return np.concatenate(parts, axis=integer(call.attributes, "axis"))


_MOVES: dict[str, Callable[[NodeCall, Operands], Array | tuple[Array, ...]]] = {
    "identity": lambda call, x: x[0],
    "cast": _cast,
    "reshape": lambda call, x: x[0].reshape(ints(call.attributes, "shape")),
    "transpose": lambda call, x: x[0].transpose(ints(call.attributes, "perm")),
    "slice": _slice,
    "concat": _concat,
    "expand": lambda call, x: np.broadcast_to(x[0], ints(call.attributes, "shape")),
    "pad": _pad,
    "split": _split,
    "tile": lambda call, x: np.tile(x[0], ints(call.attributes, "repeats")),
}

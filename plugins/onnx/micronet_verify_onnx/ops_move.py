"""Operators that move data and compute nothing: views, slices, concatenation, padding, copies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from micronet_verify.plugin import BOOL, INT64, NumericFormat, Result, Value, broadcast, moving
from micronet_verify_onnx.formats import element_type
from micronet_verify_onnx.op import Op


def identity(op: Op) -> Result:
    return op.operand(0)


def dropout(op: Op) -> tuple[Result, Result]:
    """Dropout in inference is the identity, its mask is all true."""
    if op.version >= 12 and op.has(2) and op.known(2, "training_mode").any():
        op.refuse("dropout in training mode", "be exported for inference", "call model.eval() before the export")
    x = op.operand(0)
    return x, op.expand(op.builder.scalar(1, BOOL), x.shape) if op.is_read(1) else x


def cast(op: Op) -> Result:
    """Cast: another format, or none."""
    return _cast(op, element_type(op.integer("to"), op.where).format)


def cast_like(op: Op) -> Result:
    return _cast(op, op.operand(1).format)


def _cast(op: Op, fmt: NumericFormat) -> Result:
    """Integers truncate and wrap around; floats of 8 bits stop at their ends, unless told otherwise."""
    x = op.operand(0)
    saturate = True if fmt.family == "float" and fmt.bits <= 8 and op.integer("saturate", 1) else None
    return x if x.format == fmt else op.emit("move", x.value, op="cast", fmt=fmt, saturate=saturate)


def reshape(op: Op) -> Result:
    """Reshape: 0 keeps a size, −1 is what remains."""
    x = op.operand(0)
    wanted = list(op.known_ints(1))
    for axis, size in enumerate(wanted):
        if size == 0 and not op.integer("allowzero", 0):
            if axis >= len(x.shape):
                op.refuse(f"a 0 on axis {axis} of a tensor of {len(x.shape)} axes", "stand for an axis that exists")
            wanted[axis] = x.shape[axis]
    return moving.to_shape(op, x.value, wanted)


def flatten(op: Op) -> Value:
    x, axis = op.x(), op.integer("axis", 1)
    axis = axis + len(x.shape) if axis < 0 else axis
    return op.builder.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def _axes(op: Op) -> tuple[int, ...] | None:
    """Axes as an attribute, from opset 13 on as an operand."""
    if op.version < 13:
        return op.integers("axes") if op.attribute("axes") is not None else None
    return op.known_ints(1, what="axes") if op.has(1) else None


def squeeze(op: Op) -> Value:
    return moving.squeezed(op, op.x(), _axes(op))


def unsqueeze(op: Op) -> Value:
    x, axes = op.x(), _axes(op) or ()
    rank = len(x.shape) + len(axes)
    new = {op.axis(axis, rank) for axis in axes}
    if len(new) != len(axes):
        op.refuse(f"axes {axes}", "be distinct")
    sizes = iter(x.shape)
    return op.builder.reshape(x, tuple(1 if axis in new else next(sizes) for axis in range(rank)))


def transpose(op: Op) -> Value:
    x = op.x()
    return op.builder.transpose(x, op.integers("perm", tuple(reversed(range(len(x.shape))))))


def concat(op: Op) -> Result:
    """Concat; empty pieces of shape [0] are left out, as exporters write them."""
    parts = [op.operand(index) for index in range(len(op.items))]
    kept = [part for part in parts if part.numel or len(part.shape) != 1] or parts[:1]
    return kept[0] if len(kept) == 1 else moving.joined(op, [part.value for part in kept], op.integer("axis"))


def split(op: Op) -> Sequence[Result]:
    """Split into given sizes, else into as many equal pieces as there are results; the last may be smaller."""
    x, count = op.operand(0), len(op.node.output)
    axis = op.axis(op.integer("axis", 0), len(x.shape))
    sizes = op.known_ints(1, "sizes", ()) if op.version >= 13 else op.integers("split", ())
    if not sizes:
        count = op.integer("num_outputs", count)
        step = -(-x.shape[axis] // count)
        sizes = tuple(max(0, min(step, x.shape[axis] - index * step)) for index in range(count))
    return (x,) if len(sizes) == 1 else moving.pieces(op, x.value, axis, sizes)


def slice_(op: Op) -> Result:
    """Slice; a negative step reads backwards, which is a flip of a slice."""
    x = op.operand(0)
    rank = len(x.shape)
    if op.version < 10:
        starts, ends = op.integers("starts"), op.integers("ends")
        axes, steps = op.integers("axes", tuple(range(len(starts)))), (1,) * len(starts)
    else:
        starts, ends = op.known_ints(1, what="starts"), op.known_ints(2, what="ends")
        axes = op.known_ints(3, "axes", tuple(range(len(starts))))
        steps = op.known_ints(4, "steps", (1,) * len(starts))
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        op.refuse(f"starts {starts}, ends {ends}, axes {axes} and steps {steps}", "be of one length, with steps other than 0")
    axes = tuple(op.axis(axis, rank) for axis in axes)
    if len(set(axes)) != len(axes):
        op.refuse(f"axes {axes}", "be distinct")
    places = [range(size) for size in x.shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        places[axis] = _indices(x.shape[axis], start, end, step)
    return x if places == [range(size) for size in x.shape] else moving.cut(op, x.value, places)


def _indices(size: int, start: int, end: int, step: int) -> range:
    """The chosen places; bounds count from the end where negative and are clamped, as in ONNX Slice."""
    start = start + size if start < 0 else start
    end = end + size if end < 0 else end
    if step > 0:
        return range(min(max(start, 0), size), min(max(end, 0), size), step)
    return range(min(max(start, 0), size - 1), min(max(end, -1), size - 1), step)


def pad(op: Op) -> Result:
    """Pad: constant, reflected, repeated or wrapped, in each case elements are copied."""
    x, mode = op.operand(0), op.text("mode", "constant")
    rank = len(x.shape)
    if mode not in ("constant", "reflect", "edge", "wrap"):
        op.refuse(f"mode {mode!r}", "be constant, reflect, edge or wrap")
    if op.version < 11:
        padding, fill = op.integers("pads"), op.number("value", 0.0)
    else:
        padding = op.known_ints(1, what="padding")
        fill = float(op.known(2, "a fill value").reshape(-1)[0]) if op.has(2) and op.operand(2).numel else 0.0
    axes = tuple(op.axis(axis, rank) for axis in op.known_ints(3, "axes", tuple(range(rank))))
    if len(padding) != 2 * len(axes):
        op.refuse(f"{len(padding)} paddings for {len(axes)} axes", "be two per axis")
    spread = [0] * (2 * rank)
    for index, axis in enumerate(axes):
        spread[axis], spread[rank + axis] = padding[index], padding[len(axes) + index]
    if not any(spread):
        return x
    if mode != "constant":
        return op.emit("move", x.value, op="pad", padding=tuple(spread), mode=mode)
    return op.emit("move", x.value, op="pad", padding=tuple(spread), value=fill)


def expand(op: Op) -> Result:
    x = op.operand(0)
    shape = broadcast(x.shape, op.known_ints(1))
    return x if shape == x.shape else op.expand(x.value, shape)


def tile(op: Op) -> Result:
    x, repeats = op.operand(0), op.known_ints(1, what="repeats")
    return x if set(repeats) <= {1} else op.emit("move", x.value, op="tile", repeats=repeats)


def depth_to_space(op: Op) -> Value:
    """[N, C, H, W] to [N, C/b², H·b, W·b]; the mode says whether the block is the outer (DCR) or inner part of C."""
    x, b, mode = op.x(), op.integer("blocksize"), op.text("mode", "DCR")
    n, c, h, w = moving.image(op, x, b, "N, C, H, W")
    if mode not in ("DCR", "CRD") or c % (b * b):
        op.refuse(f"mode {mode!r} and {c} channels in blocks of {b}", "be DCR or CRD, and blocks² a divisor of the channels")
    inner = c // (b * b)
    shape, perm = ((n, b, b, inner, h, w), (0, 3, 4, 1, 5, 2)) if mode == "DCR" else ((n, inner, b, b, h, w), (0, 1, 4, 2, 5, 3))
    return moving.rearranged(op, x, shape, perm, (n, inner, h * b, w * b))


def space_to_depth(op: Op) -> Value:
    """[N, C, H, W] to [N, C·b², H/b, W/b]."""
    x, b = op.x(), op.integer("blocksize")
    n, c, h, w = moving.image(op, x, b, "N, C, H, W")
    if h % b or w % b:
        op.refuse(f"{h}×{w} in blocks of {b}", "be a multiple")
    return moving.rearranged(op, x, (n, c, h // b, b, w // b, b), (0, 3, 5, 1, 2, 4), (n, c * b * b, h // b, w // b))


def reverse_sequence(op: Op) -> Value:
    """ReverseSequence of whole sequences is a flip of the time axis; of parts of one length, another order of it."""
    x, lengths = op.x(), op.known_ints(1, what="sequence lengths")
    axis = op.integer("time_axis", 0)
    length, size = lengths[0], x.shape[axis]
    if set(lengths) != {length} or not 0 <= length <= size:
        op.refuse(f"a reversal of {lengths} of {size} steps", "be of one length for all examples")
    if length == size:
        return op.emit("permute", x, op="flip", axis=axis)
    order = np.concatenate([np.arange(length)[::-1], np.arange(length, size)])
    return op.emit("permute", x, op.builder.constant(order, "order", INT64), op="index", axis=axis)

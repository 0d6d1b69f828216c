"""Operators that move data and compute nothing: views, slices, concatenation, padding, copies.

Quantized tensors are moved as codes wherever scale and zero point stay the same.
"""

from __future__ import annotations

from micronet_verify.plugin import Operand, Result, broadcast, moving, strided
from micronet_verify_tflite.op import Op


def reshape(op: Op) -> Result:
    """RESHAPE to a constant shape, which an operand or an old option holds; −1 is what remains."""
    wanted = op.known_ints(1) if op.has(1) else op.option("new_shape")
    x, codes = op.carried()
    return op.moved(moving.to_shape(op, x, wanted), codes)


def squeeze(op: Op) -> Result:
    x, codes = op.carried()
    return op.moved(moving.squeezed(op, x, op.option("squeeze_dims") or None), codes)


def expand_dims(op: Op) -> Result:
    x, codes = op.carried()
    return op.moved(moving.with_axis(op, x, op.known_ints(1, "an axis")[0]), codes)


def transpose(op: Op) -> Result:
    perm = op.known_ints(1, "an order of axes")
    x, codes = op.carried()
    return op.moved(op.builder.transpose(x, tuple(op.axis(axis, len(x.shape)) for axis in perm)), codes)


def concatenation(op: Op) -> Result:
    """Joins tensors; as codes where all have the scale of the result."""
    count = len(op.items)
    kept = [index for index in range(count) if op.operand(index).numel] or [0]
    codes = all(op.keeps(index) for index in kept)
    joined = moving.joined(op, [op.x(index) if codes else op.real(index) for index in kept], op.integer("axis"))
    return op.moved(joined, codes) if codes else op.activated(joined)


def pack(op: Op) -> Result:
    codes = all(op.keeps(index) for index in range(len(op.items)))
    parts = [op.x(index) if codes else op.real(index) for index in range(len(op.items))]
    return op.moved(moving.packed(op, parts, op.integer("axis")), codes)


def unpack(op: Op) -> list[Result]:
    count = len(op.node.outputs)
    x, codes = op.carried(0, count)
    axis = op.axis(op.integer("axis"), len(x.shape))
    if x.shape[axis] != count:
        op.refuse(f"{count} results for {x.shape[axis]} slices", "be as many")
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    pieces = [op.builder.reshape(op.slice(x, axis, place, place + 1), shape) for place in range(count)]
    return [op.moved(piece, codes, index) for index, piece in enumerate(pieces)]


def split(op: Op) -> list[Result]:
    """SPLIT: axis, x; equal pieces."""
    axis = op.axis(op.known_ints(0, "an axis")[0], len(op.operand(1).shape))
    count, size = op.integer("num_splits"), op.operand(1).shape[axis]
    if count != len(op.node.outputs) or count < 1 or size % count:
        op.refuse(f"{count} pieces of {size}, and {len(op.node.outputs)} results", "be equal, and as many")
    return _pieces(op, 1, axis, (size // count,) * count)


def split_v(op: Op) -> list[Result]:
    """SPLIT_V: x, sizes, axis; −1 is what remains."""
    return _pieces(op, 0, op.axis(op.known_ints(2, "an axis")[0], len(op.operand(0).shape)), op.known_ints(1, "sizes"))


def _pieces(op: Op, index: int, axis: int, sizes: tuple[int, ...]) -> list[Result]:
    count = len(op.node.outputs)
    x, codes = op.carried(index, count)
    return [op.moved(piece, codes, place) for place, piece in enumerate(moving.pieces(op, x, axis, sizes)[:count])]


def slice_(op: Op) -> Result:
    """SLICE: x, begin, size; a size of −1 reaches to the end."""
    places = moving.begun(op, op.known_ints(1, "begins"), op.known_ints(2, "sizes"), op.operand(0).shape)
    x, codes = op.carried()
    return op.moved(moving.cut(op, x, places), codes)


def strided_slice(op: Op) -> Result:
    """STRIDED_SLICE: x, begin, end, strides; a negative stride reads backwards, which is a flip of a slice."""
    found = strided(op, op.integer, bool(op.option("offset")))
    x, codes = op.carried()
    return op.moved(op.builder.reshape(moving.cut(op, x, found.places), found.shape), codes)


def reverse(op: Op) -> Result:
    """REVERSE_V2: x, axes."""
    axes = op.axes(1, len(op.operand(0).shape))
    x, codes = op.carried()
    return op.moved(moving.flipped(op, x, axes), codes)


def reverse_sequence(op: Op) -> Result:
    """REVERSE_SEQUENCE of whole sequences is a flip of the time axis."""
    lengths, axis = op.known_ints(1, "sequence lengths"), op.axis(op.integer("seq_dim"), len(op.operand(0).shape))
    x, codes = op.carried()
    if any(length != x.shape[axis] for length in lengths):
        op.refuse(f"a reversal of {lengths} of {x.shape[axis]} steps", "be of whole sequences")
    return op.moved(op.emit("permute", x, op="flip", axis=axis), codes)


def pad(op: Op) -> Result:
    """PAD, PADV2 and MIRROR_PAD: x, [axes, 2] begins and ends, value?; in each case elements are copied."""
    padding = moving.per_axis(op, op.known(1, "padding"), len(op.operand(0).shape))
    x = op.real()
    if not any(padding):
        return op.quantized(x)
    if op.kind == "MIRROR_PAD":
        return op.emit("move", x, op="pad", padding=padding, mode=op.choice("mode", ("reflect", "symmetric")))
    return op.emit("move", x, op="pad", padding=padding, value=_fill_value(op) if op.kind == "PADV2" else 0.0)


def _fill_value(op: Op) -> float:
    """What PADV2 pads with."""
    operand = op.operand(2)
    if operand.scaling is None:
        return moving.fill_value(op.known(2, "a fill value"))
    numbers, codes = operand.scaling.numbers, operand.numbers
    if codes is None or operand.numel != 1:
        op.refuse("a fill value that the data decides", "be constant")
    code = codes.reshape(-1)[0]
    return float((int(code) - int(numbers.zero[0] if numbers.zero.size else 0)) * numbers.scale[0])


def broadcast_to(op: Op) -> Result:
    shape = broadcast(op.operand(0).shape, op.known_ints(1))
    x, codes = op.carried()
    return op.moved(op.expand(x, shape), codes)


def tile(op: Op) -> Result:
    repeats = op.known_ints(1, "repeats")
    x, codes = op.carried()
    return op.moved(x if set(repeats) <= {1} else op.emit("move", x, op="tile", repeats=repeats), codes)


def fill(op: Op) -> Result:
    """FILL: a shape, one number; it is expanded."""
    shape = op.known_ints(0)
    if min(shape, default=0) < 0 or op.operand(1).numel != 1:
        op.refuse(f"a fill of shape {shape} with {op.operand(1).numel} values", "have sizes of at least 0 and one value")
    return op.expand(op.builder.reshape(op.real(1), ()), shape)


def zeros_like(op: Op) -> Result:
    x, fmt = op.operand(0), op.out_format()
    return op.expand(op.builder.scalar(0, fmt), x.shape)


def space_to_depth(op: Op) -> Result:
    x, codes = op.carried()
    return op.moved(moving.space_to_depth(op, x, op.integer("block_size")), codes)


def depth_to_space(op: Op) -> Result:
    x, codes = op.carried()
    return op.moved(moving.depth_to_space(op, x, op.integer("block_size")), codes)


def space_to_batch(op: Op) -> Result:
    """SPACE_TO_BATCH_ND: x, block shape, [axes, 2] paddings."""
    return moving.space_to_batch(op, op.real(), op.known_ints(1, "blocks"), op.known(2, "padding"))


def batch_to_space(op: Op) -> Result:
    """BATCH_TO_SPACE_ND: x, block shape, [axes, 2] crops."""
    return moving.batch_to_space(op, op.real(), op.known_ints(1, "blocks"), op.known(2, "crops"))


def shape_only(op: Op) -> Operand:
    """SHAPE, RANK and BROADCAST_ARGS describe tensors: they are folded, or the data decides them."""
    op.refuse(f"{op.kind} of something that the data decides", "be constant", "fixed shapes are counted: convert with constant shapes")

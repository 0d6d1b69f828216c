"""Operators that move data and compute nothing: views, slices, concatenation, padding, copies.

Quantized tensors are moved as codes wherever scale and zero point stay the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from micronet_verify.plugin import MOST_GENERATED, Operand, Result, Shape, Value, broadcast, folded
from micronet_verify_tflite.op import Op
from micronet_verify_tflite.slices import strided_slice_of


def reshape(op: Op) -> Result:
    """RESHAPE to a constant shape, which an operand or an old option holds; −1 is what remains."""
    wanted = list(op.known_ints(1) if op.has(1) else op.option("new_shape"))
    x, codes = op.carried()
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        op.refuse(f"the shape {tuple(wanted)}", "have sizes and at most one −1")
    if -1 in wanted:
        rest = math.prod(size for size in wanted if size != -1)
        if not rest or x.numel % rest:
            got = f"a reshape of {x.shape} to {tuple(wanted)}"
            op.refuse(got, f"keep {x.numel:,} elements", "only the batch may be free, and it is 1 here")
        wanted[wanted.index(-1)] = x.numel // rest
    return op.moved(op.builder.reshape(x, wanted), codes)


def squeeze(op: Op) -> Result:
    x, codes = op.carried()
    dims = op.option("squeeze_dims")
    gone = {op.axis(axis, len(x.shape)) for axis in dims} if dims else {axis for axis, size in enumerate(x.shape) if size == 1}
    if any(x.shape[axis] != 1 for axis in gone):
        op.refuse(f"a squeeze of axes {sorted(gone)} of {x.shape}", "be axes of size 1")
    return op.moved(op.builder.reshape(x, tuple(size for axis, size in enumerate(x.shape) if axis not in gone)), codes)


def expand_dims(op: Op) -> Result:
    x, codes = op.carried()
    axis = op.axis(op.known_ints(1, "an axis")[0], len(x.shape) + 1)
    return op.moved(op.builder.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])), codes)


def transpose(op: Op) -> Result:
    perm = op.known_ints(1, "an order of axes")
    x, codes = op.carried()
    return op.moved(op.builder.transpose(x, tuple(op.axis(axis, len(x.shape)) for axis in perm)), codes)


def concatenation(op: Op) -> Result:
    """Joins tensors; as codes where all have the scale of the result."""
    count = len(op.items)
    kept = [index for index in range(count) if op.operand(index).numel] or [0]
    rank = len(op.operand(kept[0]).shape)
    codes = all(op.keeps(index) for index in kept)
    values = [op.x(index) if codes else op.real(index) for index in kept]
    joined = values[0] if len(values) == 1 else op.emit("move", *values, op="concat", axis=op.axis(op.integer("axis"), rank))
    return op.moved(joined, codes) if codes else op.activated(joined)


def pack(op: Op) -> Result:
    rank = len(op.operand(0).shape) + 1
    axis = op.axis(op.integer("axis"), rank)
    codes = all(op.keeps(index) for index in range(len(op.items)))
    values = [op.x(index) if codes else op.real(index) for index in range(len(op.items))]
    rows = [op.builder.reshape(value, (*value.shape[:axis], 1, *value.shape[axis:])) for value in values]
    return op.moved(rows[0] if len(rows) == 1 else op.emit("move", *rows, op="concat", axis=axis), codes)


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
    sizes, axis = list(op.known_ints(1, "sizes")), op.axis(op.known_ints(2, "an axis")[0], len(op.operand(0).shape))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = op.operand(0).shape[axis] - sum(sizes) - 1
    return _pieces(op, 0, axis, tuple(sizes))


def _pieces(op: Op, index: int, axis: int, sizes: tuple[int, ...]) -> list[Result]:
    x, codes = op.carried(index, len(op.node.outputs))
    if len(sizes) == 1:
        return [op.moved(x, codes)]
    pieces = op.builder.emit_many("move", (x,), (x.format,) * len(sizes), op="split", axis=axis, sizes=sizes)
    return [op.moved(piece, codes, place) for place, piece in enumerate(pieces[: len(op.node.outputs)])]


def slice_(op: Op) -> Result:
    """SLICE: x, begin, size; a size of −1 reaches to the end."""
    begins, sizes = op.known_ints(1, "begins"), op.known_ints(2, "sizes")
    shape = op.operand(0).shape
    if not len(begins) == len(sizes) == len(shape):
        op.refuse(f"begins {begins} and sizes {sizes} of {shape}", "be one per axis")
    ends = [whole if size == -1 else begin + size for begin, size, whole in zip(begins, sizes, shape, strict=True)]
    places = [range(begin, end) for begin, end in zip(begins, ends, strict=True)]
    x, codes = op.carried()
    return op.moved(_cut(op, x, places), codes)


def strided_slice(op: Op) -> Result:
    """STRIDED_SLICE: x, begin, end, strides; a negative stride reads backwards, which is a flip of a slice."""
    begin, end, step = (op.known_ints(index, name) for index, name in ((1, "begins"), (2, "ends"), (3, "strides")))
    found = strided_slice_of(op, op.operand(0).shape, begin, end, step)
    x, codes = op.carried()
    return op.moved(op.builder.reshape(_cut(op, x, found.places), found.shape), codes)


def _cut(op: Op, x: Value, places: Sequence[range]) -> Value:
    cuts, flips = [], []
    for axis, (taken, size) in enumerate(zip(places, x.shape, strict=True)):
        if taken.step < 0 and len(taken) > 1:
            flips.append(axis)
        ordered = taken[::-1] if taken.step < 0 else taken
        cut = (ordered.start, ordered[-1] + 1, ordered.step) if len(ordered) else (0, 0, 1)
        if cut != (0, size, 1):
            cuts.append((axis, *cut))
    if cuts:
        axes, starts, ends, steps = (tuple(column) for column in zip(*cuts, strict=True))
        x = op.emit("move", x, op="slice", axes=axes, starts=starts, ends=ends, steps=steps)
    for axis in flips:
        x = op.emit("permute", x, op="flip", axis=axis)
    return x


def reverse(op: Op) -> Result:
    """REVERSE_V2: x, axes."""
    axes = op.known_ints(1, "axes")
    x, codes = op.carried()
    for axis in sorted({op.axis(axis, len(x.shape)) for axis in axes}):
        x = op.emit("permute", x, op="flip", axis=axis)
    return op.moved(x, codes)


def reverse_sequence(op: Op) -> Result:
    """REVERSE_SEQUENCE of whole sequences is a flip of the time axis."""
    lengths, axis = op.known_ints(1, "sequence lengths"), op.axis(op.integer("seq_dim"), len(op.operand(0).shape))
    x, codes = op.carried()
    if any(length != x.shape[axis] for length in lengths):
        op.refuse(f"a reversal of {lengths} of {x.shape[axis]} steps", "be of whole sequences")
    return op.moved(op.emit("permute", x, op="flip", axis=axis), codes)


def pad(op: Op) -> Result:
    """PAD, PADV2 and MIRROR_PAD: x, [axes, 2] begins and ends, value?; in each case elements are copied."""
    found = op.known(1, "padding")
    rank = len(op.operand(0).shape)
    if found.shape != (rank, 2):
        op.refuse(f"paddings of shape {found.shape} for {rank} axes", "be two per axis")
    padding = tuple(int(number) for number in found.T.reshape(-1))
    x = op.real()
    if not any(padding):
        return op.quantized(x)
    if op.kind == "MIRROR_PAD":
        return op.emit("move", x, op="pad", padding=padding, mode=op.choice("mode", ("reflect", "symmetric")))
    return op.emit("move", x, op="pad", padding=padding, value=_fill_value(op) if op.kind == "PADV2" else 0.0)


def _fill_value(op: Op) -> float:
    """What PADV2 pads with. The least float stands for −∞ in front of a maximum, and says as little."""
    operand = op.operand(2)
    if operand.scaling is None:
        known = op.known(2, "a fill value").reshape(-1)
        return -math.inf if known.dtype.kind == "f" and known[0] == np.finfo(known.dtype).min else float(known[0])
    numbers, codes = operand.scaling.numbers, operand.numbers
    if codes is None or operand.numel != 1:
        op.refuse("a fill value that the data decides", "be constant")
    code = codes.reshape(-1)[0]
    return float((int(code) - int(numbers.zero[0] if numbers.zero.size else 0)) * numbers.scale[0])


def broadcast_to(op: Op) -> Result:
    shape = broadcast(op.operand(0).shape, op.known_ints(1))
    x, codes = op.carried()
    return op.moved(_expanded(op, x, shape), codes)


def _expanded(op: Op, x: Value, shape: Shape) -> Value:
    return x if x.shape == shape else op.emit("move", x, op="expand", shape=shape)


def tile(op: Op) -> Result:
    repeats = op.known_ints(1, "repeats")
    x, codes = op.carried()
    return op.moved(x if set(repeats) <= {1} else op.emit("move", x, op="tile", repeats=repeats), codes)


def fill(op: Op) -> Result:
    """FILL: a shape, one number; it is expanded."""
    shape = op.known_ints(0)
    if min(shape, default=0) < 0 or op.operand(1).numel != 1:
        op.refuse(f"a fill of shape {shape} with {op.operand(1).numel} values", "have sizes of at least 0 and one value")
    return _expanded(op, op.builder.reshape(op.real(1), ()), shape)


def zeros_like(op: Op) -> Result:
    x, fmt = op.operand(0), op.out_format()
    return _expanded(op, op.builder.scalar(0, fmt), x.shape)


def range_(op: Op) -> Operand:
    """A sequence with constant bounds is stored as its values (rule S2)."""
    start, limit, delta = (op.known(index, "a bound").reshape(-1)[0].item() for index in range(3))
    count = math.ceil((limit - start) / delta) if delta and math.isfinite((limit - start) / delta) else -1
    if count < 0 or count > MOST_GENERATED:
        op.refuse(f"a sequence of {start} to {limit} by {delta}", f"have at most {MOST_GENERATED:,} numbers")
    dtype = op.known(0, "a bound").dtype
    return folded(op.builder, (start + delta * np.arange(count)).astype(dtype), op.out().name)


def space_to_depth(op: Op) -> Result:
    """[N, H, W, C] to [N, H/b, W/b, b²·C]."""
    x, codes = op.carried()
    b = op.integer("block_size")
    n, h, w, c = _image(op, x.shape, b)
    if h % b or w % b:
        op.refuse(f"{h}×{w} in blocks of {b}", "be a multiple")
    return op.moved(_through(op, x, (n, h // b, b, w // b, b, c), (0, 1, 3, 2, 4, 5), (n, h // b, w // b, b * b * c)), codes)


def depth_to_space(op: Op) -> Result:
    """[N, H, W, b²·C] to [N, H·b, W·b, C]."""
    x, codes = op.carried()
    b = op.integer("block_size")
    n, h, w, c = _image(op, x.shape, b)
    if c % (b * b):
        op.refuse(f"{c} channels in blocks of {b}", "be a multiple of blocks²")
    return op.moved(_through(op, x, (n, h, w, b, b, c // (b * b)), (0, 1, 3, 2, 4, 5), (n, h * b, w * b, c // (b * b))), codes)


def _image(op: Op, shape: Shape, block: int) -> Shape:
    if len(shape) != 4 or block < 1:
        op.refuse(f"a tensor of shape {shape} in blocks of {block}", "be [N, H, W, C], and blocks at least 1")
    return shape


def space_to_batch(op: Op) -> Result:
    """SPACE_TO_BATCH_ND: x, block shape, [axes, 2] paddings. Every block's element becomes an example of its own."""
    blocks, pads = op.known_ints(1, "blocks"), op.known(2, "padding")
    x = op.real()
    m, rank = len(blocks), len(x.shape)
    if rank < m + 1 or pads.shape != (m, 2) or min(blocks, default=0) < 1:
        op.refuse(f"blocks {blocks} of {x.shape}", "fit its axes of space")
    spread = [0] * (2 * rank)
    for axis in range(m):
        spread[1 + axis], spread[rank + 1 + axis] = int(pads[axis, 0]), int(pads[axis, 1])
    if any(spread):
        x = op.emit("move", x, op="pad", padding=tuple(spread), value=0.0)
    n, space, rest = x.shape[0], x.shape[1 : 1 + m], x.shape[1 + m :]
    if any(size % block for size, block in zip(space, blocks, strict=True)):
        op.refuse(f"{space} in blocks of {blocks}", "be a multiple")
    apart = [n, *(part for size, block in zip(space, blocks, strict=True) for part in (size // block, block)), *rest]
    perm = [*(2 + 2 * axis for axis in range(m)), 0, *(1 + 2 * axis for axis in range(m)), *range(1 + 2 * m, len(apart))]
    out = (n * math.prod(blocks), *(size // block for size, block in zip(space, blocks, strict=True)), *rest)
    return _through(op, x, tuple(apart), perm, out)


def batch_to_space(op: Op) -> Result:
    """BATCH_TO_SPACE_ND: x, block shape, [axes, 2] crops."""
    blocks, crops = op.known_ints(1, "blocks"), op.known(2, "crops")
    x = op.real()
    m = len(blocks)
    if len(x.shape) < m + 1 or crops.shape != (m, 2) or min(blocks, default=0) < 1 or x.shape[0] % math.prod(blocks):
        op.refuse(f"blocks {blocks} of {x.shape}", "fit its axes of space and its batch")
    n, space, rest = x.shape[0] // math.prod(blocks), x.shape[1 : 1 + m], x.shape[1 + m :]
    perm = [m, *(place for axis in range(m) for place in (m + 1 + axis, axis)), *range(2 * m + 1, 2 * m + 1 + len(rest))]
    out = (n, *(size * block for size, block in zip(space, blocks, strict=True)), *rest)
    y = _through(op, x, (*blocks, n, *space, *rest), perm, out)
    places = [range(n), *(range(int(a), size - int(b)) for (a, b), size in zip(crops, out[1 : 1 + m], strict=True)), *map(range, rest)]
    return _cut(op, y, places)


def _through(op: Op, x: Value, shape: Shape, perm: Sequence[int], out: Shape) -> Value:
    return op.builder.reshape(op.builder.transpose(op.builder.reshape(x, shape), perm), out)


def shape_only(op: Op) -> Operand:
    """SHAPE, RANK and BROADCAST_ARGS describe tensors: they are folded, or the data decides them."""
    op.refuse(f"{op.kind} of something that the data decides", "be constant", "fixed shapes are counted: convert with constant shapes")

"""Operators that move data and compute nothing: views, slices, joining, padding, copies, variables and constants."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from micronet_verify.plugin import FIXED, MOST_GENERATED, Item, Order, Result, Results, Shape, Value, computed
from micronet_verify_tensorflow.op import Op, Rule, same
from micronet_verify_tensorflow.operands import Handle
from micronet_verify_tensorflow.strides import index_of


def identity(op: Op) -> Item:
    return op.item(0)


def identities(op: Op) -> Results:
    return op.items


def constant(op: Op) -> Item:
    return op.scope.constant(op.node)


def handle(op: Op) -> Item:
    """The variable whose handle a node of the main graph is."""
    found = op.scope.program.variable(op.node)
    if found is None or op.scope.body is not op.scope.program.main:
        op.refuse(f"a {op.kind} that is not a variable of the model", "be one")
    return op.scope.variable(found, ("variable", found.name))


def read(op: Op) -> Item:
    """ReadVariableOp: the variable's value."""
    found = op.item(0)
    if not isinstance(found, Handle):
        op.refuse("a read of something that is not a variable", "be the handle of a variable")
    return found.operand


def shape_only(op: Op) -> Result:
    op.refuse("sizes that the data decide", "be constant", FIXED)


def range_(op: Op) -> Value:
    """Numbers in a row that are too many to describe a shape: a stored constant."""
    start, limit, delta = (op.known(index, "bounds").reshape(-1)[0] for index in range(3))
    count = math.ceil((limit - start) / delta) if delta else 0
    if not 0 <= count <= MOST_GENERATED:
        op.refuse(f"a generated tensor of {count:,} numbers", f"have at most {MOST_GENERATED:,}")
    return op.builder.constant(np.arange(start, limit, delta, dtype=op.known(0, "bounds").dtype), op.node.name)


def ensure_shape(op: Op) -> Item:
    x, wanted = op.operand(0), op.partial_shape("shape")
    if wanted is not None and (len(wanted) != len(x.shape) or any(w not in (-1, n) for w, n in zip(wanted, x.shape, strict=True))):
        op.refuse(f"a tensor of shape {x.shape}", f"be {wanted}, as EnsureShape says")
    return x


def cast(op: Op) -> Result:
    """Another format, or none."""
    x, fmt = op.operand(0), op.format("DstT")
    return x if x.format == fmt else op.emit("move", x.value, op="cast", fmt=fmt)


def reshape(op: Op) -> Value:
    return to_shape(op, op.x(), op.known_ints(1))


def to_shape(op: Op, x: Value, shape: Sequence[int]) -> Value:
    """A reshape; −1 is what remains."""
    wanted = list(shape)
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        op.refuse(f"the shape {tuple(wanted)}", "have sizes and at most one −1")
    if -1 in wanted:
        rest = math.prod(size for size in wanted if size != -1)
        if not rest or x.numel % rest:
            got = f"a reshape of {x.shape} to {tuple(wanted)}"
            op.refuse(got, f"keep {x.numel:,} elements", "only the batch may be free, and it is 1 here")
        wanted[wanted.index(-1)] = x.numel // rest
    return op.builder.reshape(x, wanted)


def squeeze(op: Op) -> Value:
    x = op.x()
    axes = {op.axis(axis, len(x.shape)) for axis in op.integers("squeeze_dims")}
    gone = axes or {axis for axis, size in enumerate(x.shape) if size == 1}
    if any(x.shape[axis] != 1 for axis in gone):
        op.refuse(f"a squeeze of axes {sorted(gone)} of {x.shape}", "be axes of size 1")
    return op.builder.reshape(x, tuple(size for axis, size in enumerate(x.shape) if axis not in gone))


def expand_dims(op: Op) -> Value:
    x = op.x()
    axis = op.axis(op.known_int(1, "an axis"), len(x.shape) + 1)
    return op.builder.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def transpose(op: Op) -> Item:
    """Axes in another order; a transpose of a transpose is one, or none."""
    x, perm = op.operand(0), op.known_ints(1, "an order of axes")
    if sorted(perm) != list(range(len(x.shape))):
        op.refuse(f"the axis order {perm} for shape {x.shape}", "name each axis once")

    def arranged(order: Order | None) -> Value:
        return x.arranged(perm if order is None else tuple(perm[axis] for axis in order))

    known = None if x.known is None else x.known.transpose(perm)
    return computed(op.builder, arranged(None), x.static, known, arrange=arranged)


def concat(op: Op) -> Result:
    """ConcatV2 has its axis last, Concat first; empty pieces are left out."""
    parts, axis_at = (op.operands(0, len(op.items) - 1), len(op.items) - 1) if op.kind == "ConcatV2" else (op.operands(1), 0)
    axis = op.axis(op.known_int(axis_at, "an axis"), len(parts[0].shape))
    kept = [part for part in parts if part.numel] or parts[:1]
    return kept[0] if len(kept) == 1 else op.emit("move", *(part.value for part in kept), op="concat", axis=axis)


def pack(op: Op) -> Value:
    """Tensors side by side along a new axis."""
    parts = op.operands()
    axis = op.axis(op.integer("axis", 0), len(parts[0].shape) + 1)
    rows = [op.builder.reshape(part.value, (*part.shape[:axis], 1, *part.shape[axis:])) for part in parts]
    return rows[0] if len(rows) == 1 else op.emit("move", *rows, op="concat", axis=axis)


def unpack(op: Op) -> list[Value]:
    x = op.x()
    axis = op.axis(op.integer("axis", 0), len(x.shape))
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    pieces = _split(op, x, axis, (1,) * x.shape[axis])
    return [op.builder.reshape(piece, shape) for piece in pieces]


def split(op: Op) -> Sequence[Value]:
    """Split has its axis first and equal pieces; SplitV names sizes, of which one may be −1, and has its axis last."""
    if op.kind == "Split":
        axis_at, x, count = 0, op.x(1), op.integer("num_split")
        axis = op.axis(op.known_int(axis_at, "an axis"), len(x.shape))
        if count < 1 or x.shape[axis] % count:
            op.refuse(f"a split of {x.shape[axis]} into {count}", "be into equal pieces")
        return _split(op, x, axis, (x.shape[axis] // count,) * count)
    x, sizes = op.x(0), list(op.known_ints(1, "sizes"))
    axis = op.axis(op.known_int(2, "an axis"), len(x.shape))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(size for size in sizes if size >= 0)
    return _split(op, x, axis, tuple(sizes))


def _split(op: Op, x: Value, axis: int, sizes: tuple[int, ...]) -> Sequence[Value]:
    if sizes == (x.shape[axis],):
        return (x,)
    return op.builder.emit_many("move", (x,), (x.format,) * len(sizes), op="split", axis=axis, sizes=sizes)


def slice_(op: Op) -> Result:
    x, begins, sizes = op.operand(0), op.known_ints(1, "starts"), op.known_ints(2, "sizes")
    if not len(begins) == len(sizes) == len(x.shape):
        op.refuse(f"starts {begins} and sizes {sizes} for {x.shape}", "be one per axis")
    pairs = zip(begins, sizes, x.shape, strict=True)
    return _cut(op, x.value, tuple(slice(start, total if size < 0 else start + size, 1) for start, size, total in pairs))


def strided_slice(op: Op) -> Result:
    """A part; a negative step reads backwards, which is a flip of a slice."""
    x = op.operand(0)
    y, axes = x.value, []
    index = index_of(op, x.shape)
    cuts = [slice(part, part + 1, 1) if isinstance(part, int) else part for part in index if part is not None]
    y = _cut(op, y, tuple(cuts))
    sizes = iter(y.shape)
    for part in index:
        if part is None:
            axes.append(1)
        elif isinstance(part, int):
            next(sizes)
        else:
            axes.append(next(sizes))
    return op.builder.reshape(y, tuple(axes))


def _cut(op: Op, x: Value, cuts: Sequence[slice]) -> Value:
    kept, flips = [], []
    for axis, (cut, size) in enumerate(zip(cuts, x.shape, strict=True)):
        chosen = range(*cut.indices(size))
        if cut.step is not None and cut.step < 0 and len(chosen) > 1:
            flips.append(axis)
        chosen = chosen[::-1] if chosen.step < 0 else chosen
        place = (axis, chosen.start, chosen[-1] + 1, chosen.step) if len(chosen) else (axis, 0, 0, 1)
        if place[1:] != (0, size, 1):
            kept.append(place)
    if kept:
        axes, starts, ends, steps = (tuple(column) for column in zip(*kept, strict=True))
        x = op.emit("move", x, op="slice", axes=axes, starts=starts, ends=ends, steps=steps)
    for axis in flips:
        x = op.emit("permute", x, op="flip", axis=axis)
    return x


def reverse(op: Op) -> Value:
    """ReverseV2: flips along its axes (rule O9)."""
    x = op.x()
    for axis in op.axes(1, len(x.shape)):
        x = op.emit("permute", x, op="flip", axis=axis)
    return x


def pad(op: Op) -> Result:
    """Pad, PadV2 and MirrorPad: in each case elements are copied, or a constant stands around them."""
    x, pairs = op.operand(0), op.known(1, "padding")
    if pairs.shape != (len(x.shape), 2):
        op.refuse(f"paddings of shape {pairs.shape} for {x.shape}", "be two per axis")
    padding = (*(int(n) for n in pairs[:, 0]), *(int(n) for n in pairs[:, 1]))
    if not any(padding):
        return x
    if op.kind == "MirrorPad":
        return op.emit("move", x.value, op="pad", padding=padding, mode=op.text("mode").lower())
    return op.emit("move", x.value, op="pad", padding=padding, value=_fill_value(op) if op.kind == "PadV2" else 0.0)


def _fill_value(op: Op) -> float:
    """What PadV2 pads with. The least float stands for −∞ in front of a maximum, and says as little."""
    known = op.known(2, "a fill value").reshape(-1)
    least = known.dtype.kind == "f" and known[0] == np.finfo(known.dtype).min
    return -math.inf if least else float(known[0])


def tile(op: Op) -> Result:
    x, repeats = op.operand(0), op.known_ints(1, "repeats")
    return x if set(repeats) <= {1} else op.emit("move", x.value, op="tile", repeats=repeats)


def broadcast_to(op: Op) -> Value:
    return op.expand(op.x(), op.known_ints(1))


def fill(op: Op) -> Value:
    """One number, expanded."""
    return op.expand(op.x(1), _bounded(op, op.known_ints(0)))


def like(number: float) -> Rule:
    """ZerosLike and OnesLike: a constant of the operand's shape."""

    def rule(op: Op) -> Value:
        x = op.operand(0)
        return op.expand(op.builder.scalar(number, x.format), x.shape)

    return rule


def _bounded(op: Op, shape: Shape) -> Shape:
    if min(shape, default=0) < 0 or math.prod(shape) > MOST_GENERATED:
        op.refuse(f"a generated tensor of shape {shape}", f"have at most {MOST_GENERATED:,} elements")
    return shape


def depth_to_space(op: Op) -> Value:
    """[N, H, W, b²·C] to [N, H·b, W·b, C]."""
    x, b = op.x(), op.integer("block_size")
    n, h, w, c = _image(op, x, b)
    inner = c // (b * b)
    return _through(op, x, (n, h, w, b, b, inner), (0, 1, 3, 2, 4, 5), (n, h * b, w * b, inner))


def space_to_depth(op: Op) -> Value:
    """[N, H·b, W·b, C] to [N, H, W, b²·C]."""
    x, b = op.x(), op.integer("block_size")
    n, h, w, c = _image(op, x, b)
    return _through(op, x, (n, h // b, b, w // b, b, c), (0, 1, 3, 2, 4, 5), (n, h // b, w // b, c * b * b))


def _image(op: Op, x: Value, block: int) -> Shape:
    if len(x.shape) != 4 or block < 1 or op.text("data_format", "NHWC") != "NHWC":
        op.refuse(f"a tensor of shape {x.shape} in blocks of {block}", "be [N, H, W, C], and blocks at least 1")
    return x.shape


def _through(op: Op, x: Value, shape: Shape, perm: Sequence[int], out: Shape) -> Value:
    return op.builder.reshape(op.builder.transpose(op.builder.reshape(x, shape), perm), out)


def space_to_batch(op: Op) -> Value:
    """SpaceToBatchND of images, as dilated convolutions were written: blocks of space become examples."""
    x, (block, pads) = op.x(), (op.known_ints(1, "blocks"), op.known(2, "paddings"))
    m = len(block)
    if pads.shape != (m, 2) or len(x.shape) <= m:
        op.refuse(f"blocks {block} and paddings of shape {pads.shape}", "be one and two per axis")
    rest = len(x.shape) - 1 - m
    padding = (0, *(int(n) for n in pads[:, 0]), *(0,) * rest, 0, *(int(n) for n in pads[:, 1]), *(0,) * rest)
    y = op.emit("move", x, op="pad", padding=padding, value=0.0) if any(padding) else x
    sizes = [size for b, extent in zip(block, y.shape[1:], strict=False) for size in (extent // b, b)]
    shape = (y.shape[0], *sizes, *y.shape[1 + m :])
    perm = (*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m, 2), *range(2 * m + 1, len(shape)))
    out = (y.shape[0] * math.prod(block), *sizes[0::2], *y.shape[1 + m :])
    return _through(op, y, shape, perm, out)


def batch_to_space(op: Op) -> Result:
    """BatchToSpaceND, the other way round."""
    x, (block, crops) = op.x(), (op.known_ints(1, "blocks"), op.known(2, "crops"))
    m, batch = len(block), x.shape[0] // max(math.prod(block), 1)
    shape = (*block, batch, *x.shape[1:])
    perm = (m, *(axis for i in range(m) for axis in (m + 1 + i, i)), *range(2 * m + 1, len(shape)))
    out = (batch, *(extent * b for extent, b in zip(x.shape[1:], block, strict=False)), *x.shape[1 + m :])
    y = _through(op, x, shape, perm, out)
    if crops.shape != (m, 2) or same(crops, 0):
        return y
    ends = [slice(int(c[0]), size - int(c[1]), 1) for c, size in zip(crops, y.shape[1:], strict=False)]
    return _cut(op, y, (slice(0, batch, 1), *ends, *(slice(0, size, 1) for size in y.shape[1 + m :])))

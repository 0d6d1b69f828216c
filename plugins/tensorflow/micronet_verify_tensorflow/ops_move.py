"""Operators that move data and compute nothing: views, slices, joining, padding, copies, variables and constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from micronet_verify.plugin import FIXED, MOST_GENERATED, Item, Order, Result, Results, Value, computed, look_ups, moving, strided
from micronet_verify_tensorflow.op import Op, Rule
from micronet_verify_tensorflow.operands import Handle


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
    return moving.to_shape(op, op.x(), op.known_ints(1))


def squeeze(op: Op) -> Value:
    return moving.squeezed(op, op.x(), op.integers("squeeze_dims") or None)


def expand_dims(op: Op) -> Value:
    return moving.with_axis(op, op.x(), op.known_int(1, "an axis"))


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
    return moving.packed(op, [part.value for part in op.operands()], op.integer("axis", 0))


def unpack(op: Op) -> list[Value]:
    x = op.x()
    axis = op.axis(op.integer("axis", 0), len(x.shape))
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return [op.builder.reshape(piece, shape) for piece in moving.pieces(op, x, axis, (1,) * x.shape[axis])]


def split(op: Op) -> Sequence[Value]:
    """Split has its axis first and equal pieces."""
    x, count = op.x(1), op.integer("num_split")
    axis = op.axis(op.known_int(0, "an axis"), len(x.shape))
    if count < 1 or x.shape[axis] % count:
        op.refuse(f"a split of {x.shape[axis]} into {count}", "be into equal pieces")
    return moving.pieces(op, x, axis, (x.shape[axis] // count,) * count)


def split_v(op: Op) -> Sequence[Value]:
    """SplitV names sizes, of which one may be −1, and has its axis last."""
    x = op.x(0)
    return moving.pieces(op, x, op.axis(op.known_int(2, "an axis"), len(x.shape)), op.known_ints(1, "sizes"))


def slice_(op: Op) -> Value:
    x = op.x()
    return moving.cut(op, x, moving.begun(op, op.known_ints(1, "starts"), op.known_ints(2, "sizes"), x.shape))


def strided_slice(op: Op) -> Value:
    """A part; a negative step reads backwards, which is a flip of a slice."""
    found = strided(op, lambda name: op.integer(name, 0))
    return op.builder.reshape(moving.cut(op, op.x(), found.places), found.shape)


def reverse(op: Op) -> Value:
    """ReverseV2: flips along its axes (rule O9)."""
    x = op.x()
    return moving.flipped(op, x, op.axes(1, len(x.shape)))


def pad(op: Op) -> Result:
    """Pad, PadV2 and MirrorPad: in each case elements are copied, or a constant stands around them."""
    x = op.operand(0)
    padding = moving.per_axis(op, op.known(1, "padding"), len(x.shape))
    if not any(padding):
        return x
    if op.kind == "MirrorPad":
        return op.emit("move", x.value, op="pad", padding=padding, mode=op.text("mode").lower())
    value = moving.fill_value(op.known(2, "a fill value")) if op.kind == "PadV2" else 0.0
    return op.emit("move", x.value, op="pad", padding=padding, value=value)


def tile(op: Op) -> Result:
    x, repeats = op.operand(0), op.known_ints(1, "repeats")
    return x if set(repeats) <= {1} else op.emit("move", x.value, op="tile", repeats=repeats)


def broadcast_to(op: Op) -> Value:
    return op.expand(op.x(), op.known_ints(1))


def fill(op: Op) -> Value:
    """One number, expanded."""
    return op.expand(op.x(1), look_ups.bounded(op, op.known_ints(0)))


def like(number: float) -> Rule:
    """ZerosLike and OnesLike: a constant of the operand's shape."""

    def rule(op: Op) -> Value:
        x = op.operand(0)
        return op.expand(op.builder.scalar(number, x.format), x.shape)

    return rule


def blocks(rearranged: Callable[[Op, Value, int], Value]) -> Rule:
    """DepthToSpace and SpaceToDepth of images with their channels last."""

    def rule(op: Op) -> Value:
        if op.text("data_format", "NHWC") != "NHWC":
            op.refuse(f"data_format {op.text('data_format')}", "be NHWC")
        return rearranged(op, op.x(), op.integer("block_size"))

    return rule


def space_to_batch(op: Op) -> Value:
    """SpaceToBatchND of images, as dilated convolutions were written: blocks of space become examples."""
    return moving.space_to_batch(op, op.x(), op.known_ints(1, "blocks"), op.known(2, "paddings"))


def batch_to_space(op: Op) -> Value:
    """BatchToSpaceND, the other way round."""
    return moving.batch_to_space(op, op.x(), op.known_ints(1, "blocks"), op.known(2, "crops"))

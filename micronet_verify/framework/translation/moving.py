"""Moves that every format has under a name of its own: views, slices, pieces, blocks. Plugins read attributes, these emit nodes."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

import numpy as np

from micronet_verify.facts.graph import Shape, Value
from micronet_verify.framework.translation.op import Emitting
from micronet_verify.framework.translation.stored import Array


def to_shape(op: Emitting, x: Value, shape: Sequence[int]) -> Value:
    """A reshape; −1 is what remains."""
    wanted = list(shape)
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        op.refuse(f"the shape {tuple(wanted)}", "have sizes and at most one −1")
    if -1 in wanted:
        rest = prod(size for size in wanted if size != -1)
        if not rest or x.numel % rest:
            got = f"a reshape of {x.shape} to {tuple(wanted)}"
            op.refuse(got, f"keep {x.numel:,} elements", "only the batch may be free, and it is 1 here")
        wanted[wanted.index(-1)] = x.numel // rest
    return op.builder.reshape(x, wanted)


def squeezed(op: Emitting, x: Value, axes: Sequence[int] | None) -> Value:
    """Without these axes of size 1, by default without any."""
    rank = len(x.shape)
    gone = {axis for axis, size in enumerate(x.shape) if size == 1} if axes is None else {op.axis(axis, rank) for axis in axes}
    if any(x.shape[axis] != 1 for axis in gone):
        op.refuse(f"a squeeze of axes {sorted(gone)} of {x.shape}", "be axes of size 1")
    return op.builder.reshape(x, tuple(size for axis, size in enumerate(x.shape) if axis not in gone))


def with_axis(op: Emitting, x: Value, axis: int) -> Value:
    """With a new axis of size 1, which counts from either end of the result."""
    axis = op.axis(axis, len(x.shape) + 1)
    return op.builder.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def joined(op: Emitting, parts: Sequence[Value], axis: int) -> Value:
    """Parts one after the other along an axis."""
    return parts[0] if len(parts) == 1 else op.emit("move", *parts, op="concat", axis=op.axis(axis, len(parts[0].shape)))


def packed(op: Emitting, parts: Sequence[Value], axis: int) -> Value:
    """Parts side by side along a new axis."""
    axis = op.axis(axis, len(parts[0].shape) + 1)
    return joined(op, [with_axis(op, part, axis) for part in parts], axis)


def pieces(op: Emitting, x: Value, axis: int, sizes: Sequence[int]) -> Sequence[Value]:
    """Pieces of these sizes along an axis; of one size −1 is what remains."""
    sizes = list(sizes)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(size for size in sizes if size >= 0)
    if len(sizes) == 1:
        return (x,)
    return op.builder.emit_many("move", (x,), (x.format,) * len(sizes), op="split", axis=axis, sizes=tuple(sizes))


def cut(op: Emitting, x: Value, places: Sequence[range]) -> Value:
    """The places of each axis; a negative step reads backwards, which is a flip of a slice."""
    cuts, flips = [], []
    for axis, (taken, size) in enumerate(zip(places, x.shape, strict=True)):
        if taken.step < 0 and len(taken) > 1:
            flips.append(axis)
        ordered = taken[::-1] if taken.step < 0 else taken
        part = (ordered.start, ordered[-1] + 1, ordered.step) if len(ordered) else (0, 0, 1)
        if part != (0, size, 1):
            cuts.append((axis, *part))
    if cuts:
        axes, starts, ends, steps = (tuple(column) for column in zip(*cuts, strict=True))
        x = op.emit("move", x, op="slice", axes=axes, starts=starts, ends=ends, steps=steps)
    return flipped(op, x, flips)


def flipped(op: Emitting, x: Value, axes: Sequence[int]) -> Value:
    """Read from the end along these axes, which count from the front (rule O9)."""
    for axis in sorted(axes):
        x = op.emit("permute", x, op="flip", axis=axis)
    return x


def begun(op: Emitting, begins: Sequence[int], sizes: Sequence[int], shape: Shape) -> list[range]:
    """The places that begins and sizes name, one of each per axis; a size of −1 reaches to the end."""
    if not len(begins) == len(sizes) == len(shape):
        op.refuse(f"begins {tuple(begins)} and sizes {tuple(sizes)} of {shape}", "be one per axis")
    ends = [whole if size == -1 else begin + size for begin, size, whole in zip(begins, sizes, shape, strict=True)]
    return [range(begin, end) for begin, end in zip(begins, ends, strict=True)]


def per_axis(op: Emitting, pairs: Array, rank: int) -> tuple[int, ...]:
    """[axes, 2] begins and ends, as all begins, then all ends."""
    if pairs.shape != (rank, 2):
        op.refuse(f"paddings of shape {pairs.shape} for {rank} axes", "be two per axis")
    return tuple(int(number) for number in pairs.T.reshape(-1))


def fill_value(numbers: Array) -> float:
    """What a constant pads with. The least float stands for −∞ in front of a maximum, and says as little."""
    number = numbers.reshape(-1)[0]
    return -inf if numbers.dtype.kind == "f" and number == np.finfo(numbers.dtype).min else float(number)


def same_padding(space: Shape, kernel: Shape, stride: Shape, dilation: Shape, odd_to_start: bool = False) -> tuple[int, ...]:
    """SAME, as all begins, then all ends: it keeps ceil(size / stride) positions, and an odd rest goes to the end."""
    totals = [
        max(0, (-(-size // step) - 1) * step + gap * (window - 1) + 1 - size)
        for size, window, step, gap in zip(space, kernel, stride, dilation, strict=True)
    ]
    return shared_out(totals, odd_to_start)


def shared_out(totals: Sequence[int], odd_to_start: bool = False) -> tuple[int, ...]:
    """Totals of padding, half in front and half behind."""
    small = [total // 2 for total in totals]
    large = [total - half for total, half in zip(totals, small, strict=True)]
    return (*large, *small) if odd_to_start else (*small, *large)


def rearranged(op: Emitting, x: Value, shape: Sequence[int], order: Sequence[int], out: Sequence[int]) -> Value:
    """Seen as ``shape``, its axes in another order, and seen as ``out``."""
    return op.builder.reshape(op.builder.transpose(op.builder.reshape(x, shape), order), out)


def image(op: Emitting, x: Value, block: int, axes: str = "N, H, W, C") -> Shape:
    """The shape of an image that is cut in blocks."""
    if len(x.shape) != 4 or block < 1:
        op.refuse(f"a tensor of shape {x.shape} in blocks of {block}", f"be [{axes}], and blocks at least 1")
    return x.shape


def space_to_depth(op: Emitting, x: Value, block: int) -> Value:
    """[N, H, W, C] to [N, H/b, W/b, b²·C]."""
    (n, h, w, c), b = image(op, x, block), block
    if h % b or w % b:
        op.refuse(f"{h}×{w} in blocks of {b}", "be a multiple")
    return rearranged(op, x, (n, h // b, b, w // b, b, c), (0, 1, 3, 2, 4, 5), (n, h // b, w // b, b * b * c))


def depth_to_space(op: Emitting, x: Value, block: int) -> Value:
    """[N, H, W, b²·C] to [N, H·b, W·b, C]."""
    (n, h, w, c), b = image(op, x, block), block
    if c % (b * b):
        op.refuse(f"{c} channels in blocks of {b}", "be a multiple of blocks²")
    return rearranged(op, x, (n, h, w, b, b, c // (b * b)), (0, 1, 3, 2, 4, 5), (n, h * b, w * b, c // (b * b)))


def space_to_batch(op: Emitting, x: Value, blocks: Sequence[int], pads: Array) -> Value:
    """Blocks of the axes behind the first become examples of their own, as dilated convolutions were written; ``pads`` [axes, 2]."""
    m, rank = len(blocks), len(x.shape)
    if rank < m + 1 or pads.shape != (m, 2) or min(blocks, default=0) < 1:
        op.refuse(f"blocks {tuple(blocks)} of {x.shape}", "fit its axes of space")
    spread = [0] * (2 * rank)
    for axis in range(m):
        spread[1 + axis], spread[rank + 1 + axis] = int(pads[axis, 0]), int(pads[axis, 1])
    if any(spread):
        x = op.emit("move", x, op="pad", padding=tuple(spread), value=0.0)
    n, space, rest = x.shape[0], x.shape[1 : 1 + m], x.shape[1 + m :]
    if any(size % block for size, block in zip(space, blocks, strict=True)):
        op.refuse(f"{space} in blocks of {tuple(blocks)}", "be a multiple")
    apart = [n, *(part for size, block in zip(space, blocks, strict=True) for part in (size // block, block)), *rest]
    order = [*(2 + 2 * axis for axis in range(m)), 0, *(1 + 2 * axis for axis in range(m)), *range(1 + 2 * m, len(apart))]
    out = (n * prod(blocks), *(size // block for size, block in zip(space, blocks, strict=True)), *rest)
    return rearranged(op, x, apart, order, out)


def batch_to_space(op: Emitting, x: Value, blocks: Sequence[int], crops: Array) -> Value:
    """The other way round; ``crops`` [axes, 2] are cut off."""
    m = len(blocks)
    if len(x.shape) < m + 1 or crops.shape != (m, 2) or min(blocks, default=0) < 1 or x.shape[0] % prod(blocks):
        op.refuse(f"blocks {tuple(blocks)} of {x.shape}", "fit its axes of space and its batch")
    n, space, rest = x.shape[0] // prod(blocks), x.shape[1 : 1 + m], x.shape[1 + m :]
    order = [m, *(place for axis in range(m) for place in (m + 1 + axis, axis)), *range(2 * m + 1, 2 * m + 1 + len(rest))]
    out = (n, *(size * block for size, block in zip(space, blocks, strict=True)), *rest)
    y = rearranged(op, x, (*blocks, n, *space, *rest), order, out)
    kept = (range(int(a), size - int(b)) for (a, b), size in zip(crops, out[1 : 1 + m], strict=True))
    return cut(op, y, [range(n), *kept, *map(range, rest)])

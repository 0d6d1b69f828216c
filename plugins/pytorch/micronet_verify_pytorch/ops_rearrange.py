"""Operators that copy elements to other places: repeats, padding, shuffles, windows. All are made of moves."""

from __future__ import annotations

from micronet_verify.plugin import Shape, Value
from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.ops_shape import joined, swapped


def repeat(name: str) -> Rule:
    """repeat and tile: missing axes are put in front."""

    def translate(call: Call) -> Value:
        x, repeats = call.tensor(), call.ints(name)
        rank = max(len(x.shape), len(repeats))
        x = call.builder.reshape(x, (1,) * (rank - len(x.shape)) + x.shape)
        repeats = (1,) * (rank - len(repeats)) + repeats
        if set(repeats[1:]) <= {1} and repeats[0] != 1 and x.shape:  # as for each example of a batch: a batch of 1 repeats nothing
            copies = call.expand(call.builder.reshape(x, (1, *x.shape)), (repeats[0], *x.shape))
            return call.builder.reshape(copies, (repeats[0] * x.shape[0], *x.shape[1:]))
        return x if set(repeats) <= {1} else call.emit("move", x, op="tile", repeats=repeats)

    return translate


def repeat_each(call: Call) -> Value:
    """repeat_interleave by a number: every element that many times, one after the other."""
    x, times = call.tensor(), call.integer("repeats")
    call.ignore("output_size")
    if call.raw("dim") is None:
        x = call.builder.reshape(x, (x.numel,))
    axis = call.dim("dim", len(x.shape)) if call.raw("dim") is not None else 0
    y = call.builder.reshape(x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]))
    y = call.expand(y, (*x.shape[: axis + 1], times, *x.shape[axis + 1 :]))
    return call.builder.reshape(y, (*x.shape[:axis], x.shape[axis] * times, *x.shape[axis + 1 :]))


_MODES = {"constant": None, "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
_OF_NAME = {"reflection_pad": "reflect", "replication_pad": "replicate"}


def pad(call: Call) -> Value:
    """Constant, reflected, replicated or circular: in each case elements are copied. Pairs begin at the last axis; negative ones cut."""
    x, pairs = call.tensor(), call.ints("pad" if call.raw("pad") is not None else "padding")
    named = next((mode for name, mode in _OF_NAME.items() if name in call.target), "constant")
    mode, fill = call.text("mode", named), float(call.number("value", 0.0))
    if mode not in _MODES:
        call.refuse(f"the padding mode {mode!r}", "be constant, reflect, replicate or circular")
    begins, ends = [0] * len(x.shape), [0] * len(x.shape)
    for position in range(len(pairs) // 2):
        begins[-1 - position], ends[-1 - position] = pairs[2 * position], pairs[2 * position + 1]
    if mode == "circular":
        x = _cut(call, x, begins, ends)  # what is left goes around
    padding = tuple(max(0, size) for size in (*begins, *ends))
    if any(padding):
        x = call.emit("move", x, op="pad", padding=padding, value=fill if mode == "constant" else None, mode=_MODES[mode])
    return x if mode == "circular" else _cut(call, x, begins, ends)


def _cut(call: Call, x: Value, begins: list[int], ends: list[int]) -> Value:
    """What negative paddings leave of each axis."""
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        x = call.slice(x, axis, max(0, -begin), x.shape[axis] - max(0, -end))
    return x


def pixel_shuffle(call: Call) -> Value:
    """[.., C·r², H, W] to [.., C, H·r, W·r]."""
    x, r = call.tensor(), call.integer("upscale_factor")
    *lead, channels, height, width = x.shape
    blocks, n = (channels // (r * r), r, r, height, width), len(lead)
    return _rearranged(call, x, n, blocks, [n, n + 3, n + 1, n + 4, n + 2], (channels // (r * r), height * r, width * r))


def pixel_unshuffle(call: Call) -> Value:
    """[.., C, H·r, W·r] to [.., C·r², H, W]."""
    x, r = call.tensor(), call.integer("downscale_factor")
    *lead, channels, height, width = x.shape
    blocks, n = (channels, height // r, r, width // r, r), len(lead)
    return _rearranged(call, x, n, blocks, [n, n + 2, n + 4, n + 1, n + 3], (channels * r * r, height // r, width // r))


def _rearranged(call: Call, x: Value, lead: int, blocks: Shape, order: list[int], shape: Shape) -> Value:
    y = call.builder.transpose(call.builder.reshape(x, (*x.shape[:lead], *blocks)), [*range(lead), *order])
    return call.builder.reshape(y, (*x.shape[:lead], *shape))


def channel_shuffle(call: Call) -> Value:
    """[N, g·k, ..] read as [N, g, k, ..], with g and k exchanged."""
    x, groups = call.tensor(), call.integer("groups")
    batch, channels, *space = x.shape
    y = call.builder.reshape(x, (batch, groups, channels // groups, *space))
    return call.builder.reshape(swapped(call, y, 1, 2), x.shape)


def unfold(call: Call) -> Value:
    """Windows of ``size`` every ``step`` along an axis; the window becomes the last axis. One slice per position in it."""
    x = call.tensor()
    axis, size, step = call.dim("dimension", len(x.shape)), call.integer("size"), call.integer("step")
    count = (x.shape[axis] - size) // step + 1
    parts = [call.slice(x, axis, start, start + (count - 1) * step + 1, step) for start in range(size)]
    return joined(call, [call.builder.reshape(part, (*part.shape, 1)) for part in parts], len(x.shape))


def im2col(call: Call) -> Value:
    """F.unfold: [N, C, H, W] to [N, C·kh·kw, L]. One slice per position in the window."""
    x = call.tensor()
    (kh, kw), (dh, dw) = call.spread("kernel_size", 2), call.spread("dilation", 2, (1,))
    (ph, pw), (sh, sw) = call.spread("padding", 2, (0,)), call.spread("stride", 2, (1,))
    x = _zeros_around(call, x, (0, 0, ph, pw, 0, 0, ph, pw))
    batch, channels, height, width = x.shape
    rows, columns = (height - dh * (kh - 1) - 1) // sh + 1, (width - dw * (kw - 1) - 1) // sw + 1
    parts = []
    for i in range(kh):
        band = call.slice(x, 2, i * dh, i * dh + (rows - 1) * sh + 1, sh)
        for j in range(kw):
            part = call.slice(band, 3, j * dw, j * dw + (columns - 1) * sw + 1, sw)
            parts.append(call.builder.reshape(part, (batch, channels, 1, rows * columns)))
    return call.builder.reshape(joined(call, parts, 2), (batch, channels * kh * kw, rows * columns))


def col2im(call: Call) -> Value:
    """F.fold: windows are laid back, and added where they overlap: a sum of maps of which each is windows side by side."""
    x = call.tensor()
    (kh, kw), (sh, sw) = call.spread("kernel_size", 2), call.spread("stride", 2, (1,))
    (ph, pw), (height, width) = call.spread("padding", 2, (0,)), call.spread("output_size", 2)
    if any(step != 1 for step in call.spread("dilation", 2, (1,))):
        call.refuse("a fold with gaps in its windows", "be one without dilation")
    single = len(x.shape) == 2
    batch, rows, columns = (1 if single else x.shape[0]), (height + 2 * ph - kh) // sh + 1, (width + 2 * pw - kw) // sw + 1
    channels = x.shape[-2] // (kh * kw)
    # A window is cut into blocks of one stride; blocks of one place in the window tile a whole map.
    high, wide = -(-kh // sh), -(-kw // sw)
    y = call.builder.reshape(x, (batch, channels, kh, kw, rows, columns))
    y = _zeros_around(call, y, (0,) * 8 + (high * sh - kh, wide * sw - kw, 0, 0))
    total: Value | None = None
    for i in range(high):
        for j in range(wide):
            part = call.slice(call.slice(y, 2, i * sh, (i + 1) * sh), 3, j * sw, (j + 1) * sw)
            part = call.builder.reshape(call.builder.transpose(part, (0, 1, 4, 2, 5, 3)), (batch, channels, rows * sh, columns * sw))
            part = _laid(call, part, (i * sh - ph, j * sw - pw), (height, width))
            total = part if total is None else call.elementwise("add", total, part)
    assert total is not None
    return call.builder.reshape(total, total.shape[1:]) if single else total


def _laid(call: Call, x: Value, starts: tuple[int, int], sizes: tuple[int, int]) -> Value:
    """A map that begins at ``starts`` of a larger one, which is 0 elsewhere; what lies outside is cut off."""
    ends = [size - start - x.shape[2 + axis] for axis, (start, size) in enumerate(zip(starts, sizes, strict=True))]
    x = _cut(call, x, [0, 0, *starts], [0, 0, *ends])
    padding = (0, 0, *(max(0, start) for start in starts), 0, 0, *(max(0, end) for end in ends))
    return _zeros_around(call, x, padding)


def _zeros_around(call: Call, x: Value, padding: tuple[int, ...]) -> Value:
    return call.emit("move", x, op="pad", padding=padding, value=0.0) if any(padding) else x


def diag_embed(call: Call) -> Value:
    """The last axis on the diagonal of a square of zeros: each element is followed by n zeros, and rows of n are cut."""
    x, offset = call.tensor(), call.integer("offset", 0)
    *lead, length = x.shape
    n, rank = length + abs(offset), len(x.shape) + 1
    first, second = call.dim("dim1", rank, -2), call.dim("dim2", rank, -1)
    begin = offset if offset >= 0 else -offset * n
    spread = call.builder.reshape(x, (*lead, length, 1))
    spread = _zeros_around(call, spread, (0,) * (2 * rank - 1) + (n,))
    flat = call.builder.reshape(spread, (*lead, length * (n + 1)))
    end = n * n - begin - length * (n + 1)
    flat = _cut(call, flat, [0] * (rank - 1), [0] * (rank - 2) + [end])
    flat = _zeros_around(call, flat, (*(0,) * len(lead), begin, *(0,) * len(lead), max(0, end)))
    square = call.builder.reshape(flat, (*lead, n, n))
    rest = iter(range(rank - 2))
    perm = [rank - 2 if axis == first else rank - 1 if axis == second else next(rest) for axis in range(rank)]
    return call.builder.transpose(square, perm)


def stacked_along(axis: int) -> Rule:
    """hstack, vstack, dstack: joined along an axis that is made where there is none."""

    def translate(call: Call) -> Value:
        parts = [_at_least(call, part, axis) for part in call.tensors("tensors")]
        return joined(call, parts, 0 if axis == 1 and len(parts[0].shape) == 1 else axis)

    return translate


def _at_least(call: Call, x: Value, axis: int) -> Value:
    """numpy's atleast_1d, 2d and 3d, as hstack, vstack and dstack need them."""
    if axis == 1:
        return call.builder.reshape(x, x.shape or (1,))
    shape = x.shape if len(x.shape) > 1 else (1, x.numel)
    return call.builder.reshape(x, (*shape, 1) if axis == 2 and len(shape) == 2 else shape)


def diagonal(call: Call) -> Value:
    """The diagonal of two axes, as a strided slice of the flattened matrix."""
    x = call.tensor()
    rank, offset = len(x.shape), call.integer("offset", 0)
    i, j = call.dim("dim1", rank, 0), call.dim("dim2", rank, 1)
    lead = [axis for axis in range(rank) if axis not in (i, j)]
    y = call.builder.transpose(x, [*lead, i, j])
    rows, columns = y.shape[-2:]
    length = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    start = offset if offset >= 0 else -offset * columns
    flat = call.builder.reshape(y, (*y.shape[:-2], rows * columns))
    end = start + (length - 1) * (columns + 1) + 1 if length else start
    return call.slice(flat, len(lead), start, end, columns + 1)


def meshgrid(call: Call) -> tuple[Value, ...]:
    parts = call.tensors("tensors")
    if call.text("indexing", "ij") != "ij":
        call.refuse("meshgrid in xy order", "be in ij order")
    shape = tuple(part.numel for part in parts)
    laid = [call.builder.reshape(part, tuple(part.numel if k == i else 1 for k in range(len(parts)))) for i, part in enumerate(parts)]
    return tuple(call.expand(part, shape) for part in laid)

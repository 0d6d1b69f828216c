"""Operators that move data: views, slices, concatenations, padding, shuffles written as reshape, transpose, reshape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from micronet_verify.plugin import NumericFormat, Shape, Value
from micronet_verify_pytorch.call import Call, Rule
from micronet_verify_pytorch.formats import container, promote_formats
from micronet_verify_pytorch.names import Number


def identity(call: Call) -> Value:
    """alias, detach, clone, contiguous: the same values."""
    return call.tensor()


def eval_dropout(call: Call) -> Value:
    """Nothing at inference; in training mode it is random."""
    call.ignore("p")
    if call.flag("train"):
        call.refuse("dropout in training mode", "be exported after model.eval()", "call model.eval() before torch.export.export")
    return call.tensor("input")


def cast(call: Call) -> Value:
    """to, _to_copy: a conversion where the type changes."""
    x = call.tensor()
    return converted(call, x, call.dtype("dtype", container(x.format)))


def cast_as(call: Call) -> Value:
    return converted(call, call.tensor(), container(call.tensor("other").format))


def converted(call: Call, x: Value, fmt: NumericFormat) -> Value:
    return x if container(x.format) == fmt else call.emit("move", x, fmt=fmt, op="cast")


def view(name: str = "size") -> Rule:
    """view and reshape; −1 is what remains."""

    def translate(call: Call) -> Value:
        x = call.tensor()
        return call.builder.reshape(x, resolve(call, x.numel, call.ints(name)))

    return translate


def resolve(call: Call, numel: int, shape: tuple[int, ...]) -> Shape:
    if shape.count(-1) > 1:
        call.refuse(f"the shape {shape}", "leave one size open at most")
    known = prod(size for size in shape if size != -1)
    return tuple((numel // known if known else 0) if size == -1 else size for size in shape)


def view_as(call: Call) -> Value:
    return call.builder.reshape(call.tensor(), call.tensor("other").shape)


def flatten(call: Call) -> Value:
    x = call.tensor()
    first, last = call.dim("start_dim", len(x.shape), 0), call.dim("end_dim", len(x.shape), -1)
    return call.builder.reshape(x, (*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


def unflatten(call: Call) -> Value:
    x = call.tensor()
    axis = call.dim("dim", len(x.shape))
    sizes = resolve(call, x.shape[axis], call.ints("sizes"))
    return call.builder.reshape(x, (*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))


def squeeze(call: Call) -> Value:
    x = call.tensor()
    axes = call.dims("dim", len(x.shape))
    return call.builder.reshape(x, tuple(size for axis, size in enumerate(x.shape) if size != 1 or axis not in axes))


def unsqueeze(call: Call) -> Value:
    x = call.tensor()
    axis = call.dim("dim", len(x.shape) + 1)
    return call.builder.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def permute(call: Call) -> Value:
    x = call.tensor()
    return call.builder.transpose(x, [call.axis(axis, len(x.shape)) for axis in call.ints("dims")])


def transpose(first: str = "dim0", second: str = "dim1") -> Rule:
    def translate(call: Call) -> Value:
        x = call.tensor()
        return swapped(call, x, call.dim(first, len(x.shape)), call.dim(second, len(x.shape)))

    return translate


def last_two(call: Call) -> Value:
    """t, mT, T of a matrix; a vector stays."""
    x = call.tensor()
    if len(x.shape) < 2:
        return x
    if len(x.shape) > 2 and not call.target.startswith("aten.mT"):
        return call.builder.transpose(x, list(reversed(range(len(x.shape)))))
    return swapped(call, x, len(x.shape) - 2, len(x.shape) - 1)


def swapped(call: Call, x: Value, i: int, j: int) -> Value:
    perm = list(range(len(x.shape)))
    if perm:
        perm[i], perm[j] = perm[j], perm[i]
    return call.builder.transpose(x, perm)


def movedim(call: Call) -> Value:
    x = call.tensor()
    rank = len(x.shape)
    sources = [call.axis(axis, rank) for axis in call.ints("source")]
    targets = [call.axis(axis, rank) for axis in call.ints("destination")]
    rest = iter(axis for axis in range(rank) if axis not in sources)
    placed = dict(zip(targets, sources, strict=True))
    return call.builder.transpose(x, [placed[axis] if axis in placed else next(rest) for axis in range(rank)])


def slice_axis(call: Call) -> Value:
    """Bounds as in Python: negative from the end, beyond the end is the end."""
    x = call.tensor()
    axis = call.dim("dim", len(x.shape), 0)
    return call.slice(x, axis, *slice_bounds(call, x.shape[axis]))


def slice_bounds(call: Call, size: int) -> tuple[int, int, int]:
    start = call.integer("start", 0)
    end = call.integer("end", size)
    step = call.integer("step", 1)
    if step < 1:
        call.refuse(f"a step of {step}", "be at least 1")
    start, end, step = slice(start, end, step).indices(size)
    return start, max(start, end), step


def narrow(call: Call) -> Value:
    x = call.tensor()
    axis, length, start = call.dim("dim", len(x.shape)), call.integer("length"), call.integer("start")
    start += x.shape[axis] if start < 0 else 0
    return call.slice(x, axis, start, start + length)


def select(call: Call) -> Value:
    x = call.tensor()
    return selected(call, x, call.dim("dim", len(x.shape)), call.integer("index"))


def selected(call: Call, x: Value, axis: int, index: int) -> Value:
    index += x.shape[axis] if index < 0 else 0
    return call.builder.reshape(call.slice(x, axis, index, index + 1), (*x.shape[:axis], *x.shape[axis + 1 :]))


def split(call: Call) -> tuple[Value, ...]:
    """Parts of one size (the last may be shorter), or of given sizes."""
    x = call.tensor()
    axis = call.dim("dim", len(x.shape), 0)
    sizes = call.ints("split_sizes" if call.raw("split_sizes") is not None else "split_size")
    if isinstance(call.raw("split_size"), int):
        sizes = _equal_parts(call, x.shape[axis], sizes[0])
    return _split(call, x, axis, sizes)


def chunk(call: Call) -> tuple[Value, ...]:
    x = call.tensor()
    axis = call.dim("dim", len(x.shape), 0)
    return _split(call, x, axis, _equal_parts(call, x.shape[axis], -(-x.shape[axis] // call.integer("chunks"))))


def unbind(call: Call) -> tuple[Value, ...]:
    x = call.tensor()
    axis = call.dim("dim", len(x.shape), 0)
    parts = _split(call, x, axis, (1,) * x.shape[axis])
    return tuple(call.builder.reshape(part, (*x.shape[:axis], *x.shape[axis + 1 :])) for part in parts)


def _equal_parts(call: Call, size: int, part: int) -> tuple[int, ...]:
    if part < 1:
        call.refuse(f"parts of {part}", "be at least 1")
    return tuple(min(part, size - start) for start in range(0, size, part)) or (0,)


def _split(call: Call, x: Value, axis: int, sizes: Sequence[int]) -> tuple[Value, ...]:
    if len(sizes) == 1:
        return (x,)
    return call.builder.emit_many("move", (x,), (x.format,) * len(sizes), op="split", axis=axis, sizes=tuple(sizes))


def concat(call: Call) -> Value:
    """cat; empty tensors of one axis are skipped, as in torch."""
    parts = [part for part in call.tensors("tensors") if part.shape != (0,)] or [call.tensors("tensors")[0]]
    return joined(call, parts, call.dim("dim", len(parts[0].shape), 0))


def stack(call: Call) -> Value:
    parts = call.tensors("tensors")
    axis = call.dim("dim", len(parts[0].shape) + 1, 0)
    shape = (*parts[0].shape[:axis], 1, *parts[0].shape[axis:])
    return joined(call, [call.builder.reshape(part, shape) for part in parts], axis)


def joined(call: Call, parts: Sequence[Value], axis: int) -> Value:
    if len(parts) == 1:
        return parts[0]
    fmt = parts[0].format
    if any(part.format != fmt for part in parts):
        fmt = container(fmt)
        for part in parts:
            fmt = promote_formats(fmt, container(part.format))
    return call.emit("move", *parts, fmt=fmt, op="concat", axis=axis)


def expand(call: Call) -> Value:
    x = call.tensor()
    call.ignore("implicit")
    sizes = call.ints("size")
    kept = (1,) * (len(sizes) - len(x.shape)) + x.shape
    return call.expand(x, tuple(old if size == -1 else size for size, old in zip(sizes, kept, strict=True)))


def expand_as(call: Call) -> Value:
    return call.expand(call.tensor(), call.tensor("other").shape)


def lifted(call: Call, rank: int) -> tuple[Value, bool]:
    """The input with a batch axis, and whether it had none."""
    x = call.tensor("self" if call.raw("self") is not None else "input")
    single = len(x.shape) == rank + 1
    return (call.builder.reshape(x, (1, *x.shape)) if single else x), single


def dropped(call: Call, y: Value, single: bool) -> Value:
    return call.builder.reshape(y, y.shape[1:]) if single else y


def sym_size(call: Call) -> Number:
    x = call.tensor()
    return Number(x.shape[call.dim("dim", len(x.shape))])


def sym_numel(call: Call) -> Number:
    return Number(call.tensor().numel)


def nothing(call: Call) -> tuple[Value, ...]:
    """Assertions and hints: they compute nothing."""
    call.ignore(*call.names())
    return ()

"""Shape inference: what each kind makes of its operands' shapes.

Plugins build graphs through it and the judge repeats it on what comes back, so no shape that a file *declares* is
ever believed. Formulas are the frameworks' documented ones (convolution: Dumoulin & Visin, 2016, relations 14 and 19).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from micronet_verify.errors import Problem
from micronet_verify.facts.graph import Attribute, Shape

Attributes = Mapping[str, Attribute]
Shapes = Sequence[Shape]


class ShapeError(ValueError):
    """Operands do not fit the kind: ``got`` is what was found, ``should`` what it should be, in the words of a ``Problem``."""

    def __init__(self, got: str, should: str) -> None:
        super().__init__(got, should)
        self.got, self.should = got, should

    def __str__(self) -> str:
        return str(self.at(""))

    def at(self, where: str) -> Problem:
        """The sentence with its place."""
        return Problem(self.got, self.should, where)


def infer(kind: str, attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    """Output shapes of a node; ``shapes`` has one entry per operand, ``()`` for an absent one.

    Raises ``ShapeError``. ``branch`` and ``loop`` take theirs from their bodies and are not inferred here.
    """
    if kind == "elementwise":
        return (broadcast(*shapes),)
    return _RULES[kind](attributes, shapes)


def loop(attributes: Attributes, operands: Shapes, taken: Shapes, returned: Shapes) -> tuple[Shape, ...]:
    """Output shapes of a ``loop`` whose body takes and returns values of these shapes. Raises ``ShapeError`` where they do not fit."""
    trips, carried = integer(attributes, "trips"), len(operands) - integer(attributes, "scanned")
    if trips < 0 or not 0 <= carried <= len(operands):
        raise ShapeError(f"a loop of {trips} turns over {len(operands)} operands, {carried} of them carried,", "fit")
    for shape in operands[carried:]:
        if shape[:1] != (trips,):
            raise ShapeError(f"a scanned tensor of shape {shape}", f"have {trips} slices, one for each turn")
    number = [()] if attributes.get("turn") else []
    wanted = [*number, *operands[:carried], *(shape[1:] for shape in operands[carried:])]
    if list(taken) != wanted:
        raise ShapeError(f"a body that takes {list(taken)}", f"take {wanted}")
    if list(returned[:carried]) != list(operands[:carried]):
        raise ShapeError(f"carried values that become {list(returned[:carried])}", f"stay {list(operands[:carried])}")
    return (*returned[:carried], *((trips, *shape) for shape in returned[carried:]))


def broadcast(*shapes: Shape) -> Shape:
    """The numpy broadcast of ``shapes``; raises ``ShapeError`` where they do not fit."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    out = []
    for sizes in zip(*padded, strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise ShapeError(f"operands of shapes {', '.join(map(str, shapes))}", "broadcast together")
        out.append(wide.pop() if wide else 1)
    return tuple(out)


def ints(attributes: Attributes, name: str) -> tuple[int, ...]:
    value = attributes[name]
    assert isinstance(value, tuple)
    return tuple(int(item) for item in value)


def integer(attributes: Attributes, name: str, default: int = 0) -> int:
    value = attributes.get(name, default)
    assert isinstance(value, int)
    return value


def number(attributes: Attributes, name: str, default: float = 0.0) -> float:
    value = attributes.get(name, default)
    assert isinstance(value, int | float)
    return float(value)


def text(attributes: Attributes, name: str) -> str:
    value = attributes[name]
    assert isinstance(value, str)
    return value


def window_output(size: int, kernel: int, stride: int, pad: int, dilation: int, ceil: bool = False) -> int:
    """Positions of a sliding window; ``pad`` is both sides together. ``ceil`` counts a last, partial window."""
    span = size + pad - dilation * (kernel - 1) - 1
    if span < 0 and not (ceil and span > -stride):
        raise ShapeError(f"a window of {dilation * (kernel - 1) + 1} over {size + pad}", "fit")
    return (-(-span // stride) if ceil else span // stride) + 1


def adaptive_windows(size: int, outputs: int) -> tuple[int, ...]:
    """Window sizes of adaptive pooling along one axis: from floor(i·size/outputs) to ceil((i+1)·size/outputs)."""
    return tuple(-(-(i + 1) * size // outputs) - i * size // outputs for i in range(outputs))


def _space(shape: Shape, attributes: Attributes) -> tuple[int, int, Shape]:
    """(batch, channels, space) of an activation in either layout."""
    if len(shape) < 2:
        raise ShapeError(f"a tensor of shape {shape}", "have a batch and a channel axis")
    if attributes.get("channels_last"):
        return shape[0], shape[-1], shape[1:-1]
    return shape[0], shape[1], shape[2:]


def _joined(batch: int, channels: int, space: Shape, attributes: Attributes) -> Shape:
    return (batch, *space, channels) if attributes.get("channels_last") else (batch, channels, *space)


def _conv(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    batch, channels, space = _space(shapes[0], attributes)
    weight, groups = shapes[1], integer(attributes, "groups", 1)
    stride, dilation, padding = (ints(attributes, name) for name in ("stride", "dilation", "padding"))
    rank = len(space)
    if len(weight) != rank + 2 or len(stride) != rank or len(dilation) != rank or len(padding) != 2 * rank:
        raise ShapeError(f"a weight of shape {weight} on an input of shape {shapes[0]}", "agree in axes")
    transposed = bool(attributes.get("transposed"))
    taken = weight[0] if transposed else weight[1] * groups
    made = weight[1] * groups if transposed else weight[0]
    if groups < 1 or taken != channels or made % groups:
        raise ShapeError(f"{channels} input channels, {groups} groups and a weight of shape {weight}", "fit")
    if min(stride, default=1) < 1 or min(dilation, default=1) < 1:
        raise ShapeError(f"stride {stride} and dilation {dilation}", "be at least 1")
    extra = ints(attributes, "output_padding") if "output_padding" in attributes else (0,) * rank
    sizes = []
    for axis, (size, kernel) in enumerate(zip(space, weight[2:], strict=True)):
        pad = padding[axis] + padding[rank + axis]
        if transposed:
            sizes.append((size - 1) * stride[axis] - pad + dilation[axis] * (kernel - 1) + extra[axis] + 1)
        else:
            sizes.append(window_output(size, kernel, stride[axis], pad, dilation[axis]))
    if min(sizes, default=1) < 1:
        raise ShapeError(f"an output of space {tuple(sizes)}", "be positive")
    return (_joined(batch, made, tuple(sizes), attributes),)


def index_sizes(left: str, right: str, shapes: Shapes) -> dict[str, int]:
    """Extent of every index of a ``matmul``; an extent of 1 broadcasts. Raises ``ShapeError``."""
    sizes: dict[str, int] = {}
    for labels, shape in ((left, shapes[0]), (right, shapes[1])):
        if len(labels) != len(shape) or len(set(labels)) != len(labels):
            raise ShapeError(f"indices {labels!r} for an operand of shape {shape}", "be one distinct index per axis")
        for label, size in zip(labels, shape, strict=True):
            known = sizes.get(label, 1)
            if 1 not in (known, size) and known != size:
                raise ShapeError(f"extents {known} and {size} for one index ({shapes[0]} × {shapes[1]})", "agree")
            sizes[label] = known if size == 1 else size
    return sizes


def _matmul(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    left, right, out = (text(attributes, name) for name in ("left", "right", "out"))
    sizes = index_sizes(left, right, shapes)
    if len(set(out)) != len(out) or not set(out) <= sizes.keys():
        raise ShapeError(f"the output indices {out!r}", f"be distinct indices of {left!r} and {right!r}")
    shape = tuple(sizes[label] for label in out)
    if len(shapes) > 2 and broadcast(shape, shapes[2]) != shape:
        raise ShapeError(f"a bias of shape {shapes[2]}", f"broadcast to {shape}")
    return (shape,)


def _pool(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    batch, channels, space = _space(shapes[0], attributes)
    if "adaptive" in attributes:
        return (_joined(batch, channels, ints(attributes, "adaptive"), attributes),)
    kernel, stride, padding = (ints(attributes, name) for name in ("kernel", "stride", "padding"))
    dilation = ints(attributes, "dilation") if "dilation" in attributes else (1,) * len(space)
    ceil, rank = bool(attributes.get("ceil")), len(space)
    if not len(kernel) == len(stride) == len(dilation) == rank or len(padding) != 2 * rank:
        raise ShapeError(f"a pool of kernel {kernel} on an input of shape {shapes[0]}", "agree in axes")
    sizes = []
    for axis, size in enumerate(space):
        pads = padding[axis], padding[rank + axis]
        positions = window_output(size, kernel[axis], stride[axis], sum(pads), dilation[axis], ceil)
        # A window that would start in the padding at the end is not counted (torch and ONNX agree on this).
        if ceil and (positions - 1) * stride[axis] >= size + pads[0]:
            positions -= 1
        sizes.append(positions)
    return (_joined(batch, channels, tuple(sizes), attributes),)


def _reduce(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    axes, shape = set(ints(attributes, "axes")), shapes[0]
    if axes and not axes <= set(range(len(shape))):
        raise ShapeError(f"axes {sorted(axes)} on a tensor of shape {shape}", "be axes of it")
    if attributes["keepdims"]:
        return (tuple(1 if axis in axes else size for axis, size in enumerate(shape)),)
    return (tuple(size for axis, size in enumerate(shape) if axis not in axes),)


def _same(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    return (shapes[0],)


def _along(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    _axis(attributes, shapes[0])
    return (shapes[0],)


def _normalise(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    axes = ints(attributes, "axes") if "axes" in attributes else ()
    if not set(axes) <= set(range(len(shapes[0]))) or (len(shapes[0]) < 2 and not axes):
        raise ShapeError(f"a normalisation over axes {axes} of a tensor of shape {shapes[0]}", "be axes of it")
    if attributes["op"] in ("batch_norm", "group_norm", "instance_norm"):
        channels = _space(shapes[0], attributes)[1]
        lengths = {channels, integer(attributes, "groups", channels)}
        odd = [shape for shape in shapes[1:] if shape and (len(shape) > 1 or shape[0] not in lengths)]
        if odd:
            raise ShapeError(f"statistics of shape {', '.join(map(str, odd))} for {channels} channels", "be one number for each")
    return (shapes[0],)


def _quantized(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    if not -1 <= integer(attributes, "axis") < max(len(shapes[0]), 1):
        raise ShapeError(f"scales along axis {attributes['axis']} of a tensor of shape {shapes[0]}", "be an axis of it")
    return (shapes[0],)


def _axis(attributes: Attributes, shape: Shape) -> int:
    axis = integer(attributes, "axis")
    if not 0 <= axis < max(len(shape), 1):
        raise ShapeError(f"axis {axis} on a tensor of shape {shape}", "be an axis of it")
    return axis


def _lookup(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    (table, index), op = shapes, text(attributes, "op")
    batch = integer(attributes, "batch")
    if not 0 <= batch <= min(len(table), len(index)) or table[:batch] != index[:batch]:
        raise ShapeError(f"{batch} leading axes of {table} and {index} side by side", "agree")
    if op == "nd":
        named = batch + (index[-1] if len(index) > batch else 0)
        if len(index) <= batch or named > len(table):
            raise ShapeError(f"tuples of shape {index} into {table}", "name axes that exist")
        return ((*index[:-1], *table[named:]),)
    axis = _axis(attributes, table)
    if op == "elements":
        if len(index) != len(table):
            raise ShapeError(f"indices of shape {index} for the elements of {table}", "have as many axes")
        return (index,)
    if batch > axis:
        raise ShapeError(f"a look-up along axis {axis} behind {batch} batch axes", "be behind them")
    return ((*table[:axis], *index[batch:], *table[axis + 1 :]),)


def _scatter(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    x, index, updates = shapes
    axis, places = _axis(attributes, x), attributes.get("places")
    if places is None:
        return (x,)  # a plugin that does not say which places are written: it is counted, and cannot be executed
    if places == "slices":
        wanted: Shape | None = (*x[:axis], *index, *x[axis + 1 :])
    elif places == "elements":
        wanted = index
    else:
        wanted = (*index[:-1], *x[index[-1] :]) if index and index[-1] <= len(x) else None
    one_each = (
        wanted is not None
        and len(updates) <= len(wanted)
        and all(size in (1, extent) for size, extent in zip(updates[::-1], wanted[::-1], strict=False))
    )
    if not one_each or (places == "elements" and len(index) != len(x)):
        raise ShapeError(f"updates of shape {updates} at {places} {index} of {x}", "fit")
    return (x,)


def _permute(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    axis = _axis(attributes, shapes[0])
    length = shapes[1] if len(shapes) > 1 else (shapes[0][axis],)
    return ((*shapes[0][:axis], *length, *shapes[0][axis + 1 :]),)


def _select(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    shape, axis, op = shapes[0], _axis(attributes, shapes[0]), text(attributes, "op")
    if op in ("argmax", "argmin"):
        kept = (1,) if attributes.get("keepdims") else ()
        return ((*shape[:axis], *kept, *shape[axis + 1 :]),)
    length = integer(attributes, "k", shape[axis]) if op == "topk" else shape[axis]
    out = (*shape[:axis], length, *shape[axis + 1 :])
    return (out, out)


def _resize(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    shape = ints(attributes, "shape")
    if len(shape) != len(shapes[0]) or min(shape, default=1) < 1:
        raise ShapeError(f"a resize of {shapes[0]} to {shape}", "keep its axes")
    return (shape,)


def _move(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    return _MOVES[text(attributes, "op")](attributes, shapes)


def _reshape(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    shape = ints(attributes, "shape")
    if prod(shape) != prod(shapes[0]) or min(shape, default=1) < 0:
        raise ShapeError(f"a reshape of {shapes[0]} to {shape}", f"keep {prod(shapes[0]):,} elements")
    return (shape,)


def _transpose(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    perm = ints(attributes, "perm")
    if sorted(perm) != list(range(len(shapes[0]))):
        raise ShapeError(f"the axis order {perm} for shape {shapes[0]}", "name each axis once")
    return (tuple(shapes[0][axis] for axis in perm),)


def _slice(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    shape = list(shapes[0])
    fields = (ints(attributes, name) for name in ("axes", "starts", "ends", "steps"))
    for axis, start, end, step in zip(*fields, strict=True):
        if not 0 <= axis < len(shape) or not 0 <= start <= end <= shapes[0][axis] or step < 1:
            raise ShapeError(f"a slice {start}:{end}:{step} of axis {axis} of {shapes[0]}", "lie inside")
        shape[axis] = len(range(start, end, step))
    return (tuple(shape),)


def _concat(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    axis, first = integer(attributes, "axis"), shapes[0]
    if any((*s[:axis], *s[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]) or len(s) <= axis for s in shapes):
        raise ShapeError(f"a concatenation of {', '.join(map(str, shapes))} on axis {axis}", "agree elsewhere")
    return ((*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :]),)


def _expand(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    shape = ints(attributes, "shape")
    if broadcast(shape, shapes[0]) != shape:
        raise ShapeError(f"an expansion of {shapes[0]} to {shape}", "broadcast")
    return (shape,)


def _pad(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    padding, rank = ints(attributes, "padding"), len(shapes[0])
    if len(padding) != 2 * rank:
        raise ShapeError(f"{len(padding)} paddings for {rank} axes", "be two per axis")
    shape = tuple(size + padding[axis] + padding[rank + axis] for axis, size in enumerate(shapes[0]))
    if min(shape, default=1) < 0:
        raise ShapeError(f"a padding {padding} of {shapes[0]}", "leave no negative size")
    return (shape,)


def _split(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    axis, sizes, shape = _axis(attributes, shapes[0]), ints(attributes, "sizes"), shapes[0]
    if sum(sizes) != shape[axis] or min(sizes, default=1) < 0:
        raise ShapeError(f"a split of {shape[axis]} into {sizes}", "add up")
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes)


def _tile(attributes: Attributes, shapes: Shapes) -> tuple[Shape, ...]:
    repeats = ints(attributes, "repeats")
    if len(repeats) != len(shapes[0]) or min(repeats, default=1) < 0:
        raise ShapeError(f"repeats {repeats} for shape {shapes[0]}", "be one per axis")
    return (tuple(size * times for size, times in zip(shapes[0], repeats, strict=True)),)


Rule = Callable[[Attributes, Shapes], tuple[Shape, ...]]
_MOVES: dict[str, Rule] = {
    "identity": _same,
    "cast": _same,
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "concat": _concat,
    "expand": _expand,
    "pad": _pad,
    "split": _split,
    "tile": _tile,
}
_RULES: dict[str, Rule] = {
    "conv": _conv,
    "matmul": _matmul,
    "pool": _pool,
    "reduce": _reduce,
    "normalise": _normalise,
    "softmax": _along,
    "cumulative": _along,
    "scatter": _scatter,
    "quantize": _quantized,
    "dequantize": _quantized,
    "lookup": _lookup,
    "permute": _permute,
    "select": _select,
    "resize": _resize,
    "move": _move,
}

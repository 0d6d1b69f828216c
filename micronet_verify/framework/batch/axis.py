"""Where the examples of a batch lie in a tensor, and what each node makes of that.

The count is of one example and the evaluation runs batches, so no node may bring examples together. ``follow`` says where
the batch lies in the results of a node, from where it lies in the operands, or raises ``Mixed``. An axis may hold more than
the batch (heads, or time steps, merged with it by a reshape); what is followed then is which part of the axis it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from micronet_verify.facts.graph import Node, Shape
from micronet_verify.facts.shapes import integer, ints, text


@dataclass(frozen=True, slots=True)
class Lies:
    """The batch is in ``axis``, of extent outer · batch · inner: element i of the axis belongs to example i // inner % batch."""

    axis: int
    outer: int = 1
    inner: int = 1


@dataclass(frozen=True, slots=True)
class Spread:
    """No axis holds whole examples: element i of the flattened tensor belongs to example i // stride % batch."""

    stride: int


# ``None``: the tensor is the same for every example.
Place = Lies | Spread | None


class Mixed(Exception):
    """A node brings examples together; the message says by what."""


def find(shape: Shape, stride: int, batch: int) -> Lies | Spread:
    """The axis that holds every example once for each ``stride`` elements, if there is one."""
    below = 1
    for axis in reversed(range(len(shape))):
        extent = shape[axis]
        if below <= stride < below * extent and stride % below == 0 and extent * below % (stride * batch) == 0:
            return Lies(axis, extent * below // (stride * batch), stride // below)
        below *= extent
    return Spread(stride)


def follow(node: Node, places: Sequence[Place], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    """Where the batch lies in the results. Operands that are absent have no place and the shape ``()``. Raises ``Mixed``.

    ``branch`` and ``loop`` are followed through their bodies and do not come here.
    """
    if all(place is None for place in places):
        return (None,) * len(results)
    op = str(node.attributes.get("op", ""))
    if node.kind == "move" and op in ("identity", "cast", "reshape"):
        return (_reshaped(places[0], shapes[0], results[0], batch),)
    if node.kind in ("quantize", "dequantize") and isinstance(places[0], Spread) and not any(places[1:]):
        return (places[0],)
    if node.kind == "elementwise":
        return (_together(places, shapes, results[0]),)
    lies: list[Lies | None] = []
    for place in places:
        if isinstance(place, Spread):
            raise Mixed(f"{named(node)} over axes that hold parts of several examples")
        lies.append(place)
    rule = _MOVES[op] if node.kind == "move" else _RULES[node.kind]
    return rule(node, lies, shapes, results, batch)


def named(node: Node) -> str:
    """What a node does, in a word or two."""
    op = node.attributes.get("op")
    if node.kind == "lookup" and op in ("elements", "nd"):
        return "gather"
    return f"{node.kind} {op}" if op and node.kind in ("pool", "resize", "scatter") else str(op or node.kind)


def _along(node: Node) -> Mixed:
    return Mixed(f"{named(node)} along the batch")


def _reshaped(place: Place, before: Shape, after: Shape, batch: int) -> Place:
    if place is None or before == after:
        return place
    stride = place.stride if isinstance(place, Spread) else place.inner * prod(before[place.axis + 1 :])
    return find(after, stride, batch)


def _together(places: Sequence[Place], shapes: Sequence[Shape], result: Shape) -> Place:
    """Operands that broadcast: their examples must meet themselves."""
    found: set[Lies | Spread] = set()
    for place, shape in zip(places, shapes, strict=True):
        if isinstance(place, Lies):
            found.add(Lies(place.axis + len(result) - len(shape), place.outer, place.inner))
        elif place is not None:
            found.add(place)
            if shape != result:
                raise Mixed("arithmetic on axes that hold parts of several examples")
    if len(found) > 1:
        raise Mixed("arithmetic between different examples of a batch")
    if any(isinstance(place, Spread) for place in found):
        others = zip(places, shapes, strict=True)
        if any(place is None and prod(shape) != 1 for place, shape in others):
            raise Mixed("arithmetic on axes that hold parts of several examples")
    return found.pop()


Rule = Callable[[Node, Sequence[Lies | None], Sequence[Shape], Sequence[Shape], int], tuple[Place, ...]]


def _lone(node: Node, places: Sequence[Lies | None]) -> Lies:
    """The first operand's place, where no other operand has one."""
    if any(places[1:]) or places[0] is None:
        raise Mixed(f"{named(node)} by values of other examples")
    return places[0]


def _channel_axis(node: Node, shape: Shape) -> int:
    return len(shape) - 1 if node.attributes.get("channels_last") else 1


def _conv(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    channels = _channel_axis(node, shapes[0])
    x, weight = places[0], places[1]
    if x is not None and x.axis == 0 and not any(places[1:]):
        return (x,)
    # Kernels made for each example: the batch among the channels, and a group, or several, for each example.
    groups = node.attributes.get("groups", 1)
    bias = places[2] if len(places) > 2 else None
    grouped = x is not None and x.axis == channels and x.outer == 1 and isinstance(groups, int) and groups % batch == 0
    fits = weight is None or (weight.axis == 0 and weight.outer == 1)
    if grouped and fits and (bias is None or bias.outer == 1):
        return (Lies(channels, 1, results[0][channels] // batch),)
    if x is not None and x.axis != 0:
        raise _along(node)
    raise Mixed("conv with kernels of other examples")


def _matmul(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    left, right, out = (text(node.attributes, name) for name in ("left", "right", "out"))
    found: set[Lies] = set()
    for place, labels in zip(places[:2], (left, right), strict=True):
        if place is None:
            continue
        label = labels[place.axis]
        if label not in out:
            raise Mixed("a sum of products along the batch")
        found.add(Lies(out.index(label), place.outer, place.inner))
    if len(places) > 2 and places[2] is not None:
        found.add(Lies(places[2].axis + len(results[0]) - len(shapes[2]), places[2].outer, places[2].inner))
    if len(found) != 1:
        raise Mixed("products between different examples of a batch")
    return (found.pop(),)


def _reduce(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    place = _lone(node, places)
    axes = set(ints(node.attributes, "axes"))
    if place.axis in axes:
        raise _along(node)
    before = 0 if node.attributes["keepdims"] else sum(axis < place.axis for axis in axes)
    return (Lies(place.axis - before, place.outer, place.inner),)


def _pool(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    place = _lone(node, places)
    if place.axis not in (0, _channel_axis(node, shapes[0])):
        raise _along(node)
    return (place,)


def _normalise(
    node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int
) -> tuple[Place, ...]:
    op, place = node.attributes["op"], places[0]
    if op in ("layer_norm", "rms_norm"):
        if place is None or place.axis in ints(node.attributes, "axes"):
            raise _along(node)
        return (_together(places, shapes, results[0]),)
    channelwise = op in ("batch_norm", "instance_norm") and place is not None and place.axis == _channel_axis(node, shapes[0])
    # Channels of all examples side by side: their scales lie in the same order.
    beside = {Lies(0, place.outer, place.inner)} if channelwise and place is not None else set()
    if place is None or not {other for other in places[1:] if other is not None} <= beside:
        raise Mixed(f"{named(node)} by values of other examples")
    if place.axis != 0 and not channelwise:
        raise _along(node)
    return (place,)


def _apart(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    """softmax, cumulative, select, permute: along one axis, which must be another than the batch's."""
    place, axis = _lone(node, places), node.attributes["axis"]
    assert isinstance(axis, int)
    if place.axis == axis:
        raise _along(node)
    more = len(results[0]) - len(shapes[0]) if place.axis > axis else 0
    return (Lies(place.axis + more, place.outer, place.inner),) * len(results)


def _permute(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    if len(places) > 1 and places[1] is not None:
        return _lookup(node, places, shapes, results, batch)
    return _apart(node, places[:1], shapes, results, batch)


def _lookup(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    """Rows of a table that all examples share, or, by places of its own in each example's part, of a flattened tensor."""
    (table, index), axis, op = places, node.attributes["axis"], node.attributes["op"]
    assert isinstance(axis, int)
    if node.kind == "lookup" and op == "elements":
        return (_own_elements(node, (table, index), axis),)
    if node.kind == "lookup" and op == "nd":
        return (_tuples(node, table, index, shapes),)
    beside = integer(node.attributes, "batch")
    if index is None:
        assert table is not None
        return _apart(node, [table], shapes, results, batch)
    if index.axis < beside:
        if table is not None and table != index:
            raise Mixed(f"{named(node)} by places of other examples")
        return (index,)
    if table is not None and table.axis != axis:
        raise Mixed(f"{named(node)} by places of other examples")
    return (Lies(axis + index.axis - beside, index.outer, index.inner),)


def _own_elements(node: Node, places: Sequence[Lies | None], axis: int) -> Lies:
    """Element by element, along one axis: every example must meet its own."""
    found = {place for place in places if place is not None}
    if len(found) > 1:
        raise Mixed(f"{named(node)} by places of other examples")
    if any(place.axis == axis for place in found):
        raise _along(node)
    return found.pop()


def _tuples(node: Node, table: Lies | None, index: Lies | None, shapes: Sequence[Shape]) -> Lies:
    """Tuples of places on the axes behind the first ``batch``; what they name is theirs, what follows is kept."""
    beside = integer(node.attributes, "batch")
    kept, last = beside + shapes[1][-1], len(shapes[1]) - 1
    if index is not None and index.axis == last:
        raise _along(node)
    if table is None or (index is not None and index.axis < beside and table == index):
        assert index is not None
        return index
    if index is None and table.axis < beside:
        return table
    if index is None and table.axis < kept:
        raise _along(node)
    if index is not None and table.axis != node.attributes["axis"]:
        raise Mixed(f"{named(node)} by places of other examples")
    return index or Lies(last + table.axis - kept, table.outer, table.inner)


def _scatter(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    x, index, updates = places
    axis = node.attributes["axis"]
    if node.attributes.get("places") == "elements":
        return (_own_elements(node, places, int(axis)),)  # type: ignore[arg-type]
    found = x or updates
    named_axes = range(shapes[1][-1]) if node.attributes.get("places") == "nd" else (axis,)
    # Zeros that are written to: every example has its own.
    if found is None or (x is not None and x.axis in named_axes) or (x is None and updates is not None and updates.axis == axis):
        raise _along(node)
    if index is not None and "places" in node.attributes:
        raise Mixed(f"{named(node)} at places of other examples")
    return (find(results[0], found.inner * prod(results[0][found.axis + 1 :]), batch),)


def _resize(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    place = _lone(node, places)
    if shapes[0][place.axis] != results[0][place.axis]:
        raise _along(node)
    return (place,)


def _scaled(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    """Quantizers: a scale for each example must stand at the batch's axis."""
    x = next(place for place in places if place is not None)
    if any(place is not None and (place.outer, place.inner) != (x.outer, x.inner) for place in places):
        raise Mixed(f"{named(node)} by scales of other examples")
    return (places[0] or x,)


def _transpose(
    node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int
) -> tuple[Place, ...]:
    place = _lone(node, places)
    return (Lies(ints(node.attributes, "perm").index(place.axis), place.outer, place.inner),)


def _slice(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    """Across the batch only whole batches may be cut out, of those that one axis holds."""
    place, extent = _lone(node, places), shapes[0]
    fields = (ints(node.attributes, name) for name in ("axes", "starts", "ends", "steps"))
    for axis, start, end, step in zip(*fields, strict=True):
        if axis != place.axis or (start, end, step) == (0, extent[axis], 1):
            continue
        if step != 1 or start % (batch * place.inner) or end % (batch * place.inner):
            raise _along(node)
        place = Lies(axis, (end - start) // (batch * place.inner), place.inner)
    return (place,)


def _concat(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    """Along another axis, or whole batches one after the other."""
    axis = node.attributes["axis"]
    found = {place for place in places if place is not None}
    if all(place.axis != axis for place in found):
        if len(found) > 1:
            raise Mixed("a concatenation of different examples of a batch")
        return (found.pop(),)
    if None in places or len({(place.axis, place.inner) for place in found}) > 1:
        raise _along(node)
    return (Lies(found.pop().axis, sum(place.outer for place in places if place is not None), next(p for p in places if p).inner),)


def _expand(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    place = _lone(node, places)
    return (Lies(place.axis + len(results[0]) - len(shapes[0]), place.outer, place.inner),)


def _pad(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    place, padding = _lone(node, places), ints(node.attributes, "padding")
    if padding[place.axis] or padding[len(shapes[0]) + place.axis]:
        raise _along(node)
    return (place,)


def _split(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    place = _lone(node, places)
    if node.attributes["axis"] != place.axis:
        return (place,) * len(results)
    each = batch * place.inner
    if any(shape[place.axis] % each for shape in results):
        raise _along(node)
    return tuple(Lies(place.axis, shape[place.axis] // each, place.inner) for shape in results)


def _tile(node: Node, places: Sequence[Lies | None], shapes: Sequence[Shape], results: Sequence[Shape], batch: int) -> tuple[Place, ...]:
    place = _lone(node, places)
    return (Lies(place.axis, place.outer * ints(node.attributes, "repeats")[place.axis], place.inner),)


_RULES: dict[str, Rule] = {
    "conv": _conv,
    "matmul": _matmul,
    "reduce": _reduce,
    "pool": _pool,
    "normalise": _normalise,
    "softmax": _apart,
    "cumulative": _apart,
    "select": _apart,
    "lookup": _lookup,
    "permute": _permute,
    "scatter": _scatter,
    "resize": _resize,
    "quantize": _scaled,
    "dequantize": _scaled,
}
_MOVES: dict[str, Rule] = {
    "transpose": _transpose,
    "slice": _slice,
    "concat": _concat,
    "expand": _expand,
    "pad": _pad,
    "split": _split,
    "tile": _tile,
}

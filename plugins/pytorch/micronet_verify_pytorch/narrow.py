"""What an expanded tensor was before: the axes on which it really differs."""

from __future__ import annotations

from micronet_verify.plugin import GraphBuilder, Node, Shape, Value, ints


def narrowed(builder: GraphBuilder, value: Value) -> Value:
    """A tensor of as many axes that broadcasts to ``value``, with an extent of 1 wherever copies are known to lie."""
    node, source = builder.maker(value) or (None, None)
    if node is None or source is None or node.kind != "move" or node.attributes["op"] not in ("expand", "tile", "reshape"):
        return value
    before = narrowed(builder, source)
    shape = _reshaped(source.shape, before.shape, value.shape) if node.attributes["op"] == "reshape" else _copied(node, before.shape)
    return value if shape is None else builder.reshape(before, shape)


def _copied(node: Node, narrow: Shape) -> Shape | None:
    """Copies along axes of extent 1; copies of more than one element, one after the other, are not looked through."""
    if node.attributes["op"] == "expand":
        return (1,) * (len(ints(node.attributes, "shape")) - len(narrow)) + narrow
    repeats = ints(node.attributes, "repeats")
    return narrow if all(times == 1 or size == 1 for times, size in zip(repeats, narrow, strict=True)) else None


def _reshaped(before: Shape, narrow: Shape, after: Shape) -> Shape | None:
    """Axes of 1 that come or go."""
    if [size for size in before if size != 1] != [size for size in after if size != 1]:
        return None
    left = iter(small for size, small in zip(before, narrow, strict=True) if size != 1)
    return tuple(1 if size == 1 else next(left) for size in after)

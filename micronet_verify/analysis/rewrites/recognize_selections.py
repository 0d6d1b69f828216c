"""Sees that a product chooses: a weight of one 1 in every row only says which element goes where (rule O9).

Such a matrix is a permutation, or a choice of elements, written as a weight. It becomes a ``permute``, so that it costs
what the same order costs in any other spelling; signs that it flips are a multiply of their own (O8).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.node_writer import NodeWriter
from micronet_verify.analysis.tensors.constants import Array, Constant, derived
from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import integer, ints, text


def recognize_selections(graph: EditableGraph) -> None:
    """Every such product becomes moves; indices and signs are added to the constants."""
    graph.sweep(lambda node: _selected(graph, node) or (node,))


def _selected(graph: EditableGraph, node: Node) -> list[Node] | None:
    if node.kind == "matmul":
        return _product(graph, node)
    if node.kind == "conv" and not node.attributes.get("transposed"):
        return _convolution(graph, node)
    return None


def _product(graph: EditableGraph, node: Node) -> list[Node] | None:
    """x[.., c, ..] times w[o, c], where everything else of x stays."""
    at = 1 if node.inputs[1] in graph.constants else 0
    x, weight = node.inputs[1 - at], graph.constants.get(node.inputs[at])
    left, right, out = (text(node.attributes, name) for name in ("left", "right", "out"))
    labels, others = (right, left) if at else (left, right)
    if weight is None or x in graph.constants or len(weight.shape) != 2:
        return None
    summed, kept = [label for label in labels if label not in out], [label for label in labels if label in out]
    if len(summed) != 1 or len(kept) != 1 or summed[0] not in others or kept[0] in others or len(out) != len(others):
        return None
    axis = others.index(summed[0])
    matrix = _matrix(weight, 0 if labels[0] == kept[0] else 1)
    if matrix is None or graph.values[x].shape[axis] != matrix.shape[1]:
        return None
    perm = [others.replace(summed[0], kept[0]).index(label) for label in out]
    return _written(graph, node, x, axis, np.abs(matrix).argmax(1), matrix.sum(1), perm)


def _convolution(graph: EditableGraph, node: Node) -> list[Node] | None:
    """A convolution of one tap per output channel, at every position."""
    x, weight = node.inputs[0], graph.constants.get(node.inputs[1])
    if weight is None or x in graph.constants or any(size != 1 for size in weight.shape[2:]) or weight.shape[1] < 2:
        return None
    if any(ints(node.attributes, "padding")) or any(step != 1 for step in ints(node.attributes, "stride")):
        return None
    matrix = _matrix(weight, 0)
    if matrix is None:
        return None
    rank, groups = len(weight.shape), integer(node.attributes, "groups", 1)
    axis = rank - 1 if node.attributes.get("channels_last") else 1
    group = np.arange(weight.shape[0]) // (weight.shape[0] // groups)
    return _written(graph, node, x, axis, np.abs(matrix).argmax(1) + group * weight.shape[1], matrix.sum(1), list(range(rank)), axis)


def _matrix(weight: Constant, rows: int) -> Array | None:
    """The weight as [rows, columns], if every row has one value that is not 0, and that is 1 or −1."""
    if weight.row_scale is not None or not weight.numel or weight.shape[1 - rows] < 2:
        return None
    data = weight.load()
    first = data[(slice(None),) * rows + (0,)]  # a view: ``take`` would copy the whole of a transposed weight
    # One row tells most weights apart.
    if np.count_nonzero(first) != 1 or not _is_choice(first.reshape(1, -1)):
        return None
    matrix = (data.T if rows else data).reshape(weight.shape[rows], -1)
    return matrix if _is_choice(matrix) else None


def _is_choice(matrix: Array) -> bool:
    return bool((np.count_nonzero(matrix, 1) == 1).all() and (np.abs(matrix).sum(1) == 1).all())


def _written(
    graph: EditableGraph, node: Node, x: str, axis: int, index: Array, signs: Array, perm: list[int], bias_axis: int | None = None
) -> list[Node]:
    """The moves that a product comes to; they end in the product's own result."""
    writer, result = NodeWriter(graph, node), graph.values[node.outputs[0]]
    label = next(graph.constants[name].label for name in node.inputs[:2] if name in graph.constants)
    order = writer.constant("order", derived(f"{result.id}.order", f"{label}, the order", index.astype(np.int64), INT64))
    shape = list(graph.values[x].shape)
    shape[axis] = len(index)
    y = writer.emit("permute", (x, order), tuple(shape), {"op": "index", "axis": axis})
    if (signs < 0).all():
        y = writer.emit("elementwise", (y,), tuple(shape), {"op": "neg"})
    elif (signs < 0).any():
        lined = signs.reshape([-1 if at == axis else 1 for at in range(len(shape))])
        flips = writer.constant("signs", derived(f"{result.id}.signs", f"{label}, the signs", lined, result.format))
        y = writer.emit("elementwise", (y, flips), tuple(shape), {"op": "mul"})
    if perm != list(range(len(shape))):
        y = writer.emit("move", (y,), tuple(shape[at] for at in perm), {"op": "transpose", "perm": tuple(perm)})
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    if bias:
        writer.emit("elementwise", (y, _lined(writer, bias, bias_axis)), result.shape, {"op": "add"})
    writer.nodes[-1] = replace(writer.nodes[-1], outputs=node.outputs)
    return writer.nodes


def _lined(writer: NodeWriter, bias: str, axis: int | None) -> str:
    """The bias of a convolution in line with the channel axis."""
    if axis is None:
        return bias
    rank, constant = len(writer.shape(writer.result)), writer.graph.constants.get(bias)
    shape = tuple(writer.shape(bias)[0] if at == axis else 1 for at in range(rank))
    if constant is not None:
        return writer.constant("bias", constant.viewed(shape, lambda array: array.reshape(shape)))
    return writer.emit("move", (bias,), shape, {"op": "reshape", "shape": shape})

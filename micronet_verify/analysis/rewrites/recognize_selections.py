"""Sees that a product chooses: a weight of one 1 in every row only says which element goes where (rule O9).

Such a matrix is a permutation, or a choice of elements, written as a weight. It becomes a ``permute``, so that it costs
what the same order costs in any other spelling; signs that it flips are a multiply of their own (O8).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from micronet_verify.analysis.tensors.constants import Array, Constant, derived
from micronet_verify.facts.formats import INT64
from micronet_verify.facts.graph import Graph, Node, Shape, Value
from micronet_verify.facts.shapes import integer, ints, text


def recognize_selections(graph: Graph, pool: dict[str, Constant]) -> Graph:
    """The graph with every such product written as moves; indices and signs are added to ``pool``."""
    values = dict(graph.values)
    nodes = tuple(new for node in graph.nodes for new in _selected(node, values, pool) or (node,))
    return graph if len(values) == len(graph.values) else replace(graph, nodes=nodes, values=values)


def _selected(node: Node, values: dict[str, Value], pool: dict[str, Constant]) -> tuple[Node, ...] | None:
    if node.kind == "matmul":
        return _product(node, values, pool)
    if node.kind == "conv" and not node.attributes.get("transposed"):
        return _convolution(node, values, pool)
    return None


def _product(node: Node, values: dict[str, Value], pool: dict[str, Constant]) -> tuple[Node, ...] | None:
    """x[.., c, ..] times w[o, c], where everything else of x stays."""
    at = 1 if node.inputs[1] in pool else 0
    x, weight = node.inputs[1 - at], pool.get(node.inputs[at])
    left, right, out = (text(node.attributes, name) for name in ("left", "right", "out"))
    labels, others = (right, left) if at else (left, right)
    if weight is None or x in pool or len(weight.shape) != 2:
        return None
    summed, kept = [label for label in labels if label not in out], [label for label in labels if label in out]
    if len(summed) != 1 or len(kept) != 1 or summed[0] not in others or kept[0] in others or len(out) != len(others):
        return None
    axis = others.index(summed[0])
    matrix = _matrix(weight, 0 if labels[0] == kept[0] else 1)
    if matrix is None or values[x].shape[axis] != matrix.shape[1]:
        return None
    perm = [others.replace(summed[0], kept[0]).index(label) for label in out]
    return _Writer(node, values, pool).write(x, axis, np.abs(matrix).argmax(1), matrix.sum(1), perm)


def _convolution(node: Node, values: dict[str, Value], pool: dict[str, Constant]) -> tuple[Node, ...] | None:
    """A convolution of one tap per output channel, at every position."""
    x, weight = node.inputs[0], pool.get(node.inputs[1])
    if weight is None or x in pool or any(size != 1 for size in weight.shape[2:]) or weight.shape[1] < 2:
        return None
    if any(ints(node.attributes, "padding")) or any(step != 1 for step in ints(node.attributes, "stride")):
        return None
    matrix = _matrix(weight, 0)
    if matrix is None:
        return None
    rank, groups = len(weight.shape), integer(node.attributes, "groups", 1)
    axis = rank - 1 if node.attributes.get("channels_last") else 1
    group = np.arange(weight.shape[0]) // (weight.shape[0] // groups)
    return _Writer(node, values, pool).write(
        x, axis, np.abs(matrix).argmax(1) + group * weight.shape[1], matrix.sum(1), list(range(rank)), axis
    )


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


class _Writer:
    """Writes the moves that a product comes to; they end in the product's own result."""

    def __init__(self, node: Node, values: dict[str, Value], pool: dict[str, Constant]) -> None:
        self._node, self._values, self._pool = node, values, pool
        self._nodes: list[Node] = []

    def write(self, x: str, axis: int, index: Array, signs: Array, perm: list[int], bias_axis: int | None = None) -> tuple[Node, ...]:
        label, result = self._label(), self._values[self._node.outputs[0]]
        order = self._constant("order", derived(f"{result.id}.order", f"{label}, the order", index.astype(np.int64), INT64))
        shape = list(self._values[x].shape)
        shape[axis] = len(index)
        y = self._emit("permute", (x, order), tuple(shape), {"op": "index", "axis": axis})
        if (signs < 0).all():
            y = self._emit("elementwise", (y,), tuple(shape), {"op": "neg"})
        elif (signs < 0).any():
            lined = signs.reshape([-1 if at == axis else 1 for at in range(len(shape))])
            flips = self._constant("signs", derived(f"{result.id}.signs", f"{label}, the signs", lined, result.format))
            y = self._emit("elementwise", (y, flips), tuple(shape), {"op": "mul"})
        if perm != list(range(len(shape))):
            y = self._emit("move", (y,), tuple(shape[at] for at in perm), {"op": "transpose", "perm": tuple(perm)})
        bias = self._node.inputs[2] if len(self._node.inputs) > 2 else ""
        if bias:
            y = self._emit("elementwise", (y, self._lined(bias, bias_axis)), result.shape, {"op": "add"})
        self._nodes[-1] = replace(self._nodes[-1], outputs=self._node.outputs)
        return tuple(self._nodes)

    def _lined(self, bias: str, axis: int | None) -> str:
        """The bias of a convolution in line with the channel axis."""
        if axis is None:
            return bias
        rank = len(self._values[self._node.outputs[0]].shape)
        size = (self._pool[bias].shape if bias in self._pool else self._values[bias].shape)[0]
        shape = tuple(size if at == axis else 1 for at in range(rank))
        if bias in self._pool:
            return self._constant("bias", self._pool[bias].viewed(shape, lambda array: array.reshape(shape)))
        return self._emit("move", (bias,), shape, {"op": "reshape", "shape": shape})

    def _emit(self, kind: str, inputs: tuple[str, ...], shape: Shape, attributes: dict[str, str | int | tuple[int, ...]]) -> str:
        name = f"{self._node.outputs[0]}.{len(self._nodes)}"
        self._values[name] = replace(self._values[self._node.outputs[0]], id=name, shape=shape)
        self._nodes.append(Node(kind, inputs, (name,), attributes, self._node.source, self._node.scope))
        return name

    def _constant(self, part: str, constant: Constant) -> str:
        name = f"{self._node.outputs[0]}.{part}"
        self._pool[name] = constant
        self._values[name] = Value(name, constant.shape, constant.format)
        return name

    def _label(self) -> str:
        return next(self._pool[name].label for name in self._node.inputs[:2] if name in self._pool)

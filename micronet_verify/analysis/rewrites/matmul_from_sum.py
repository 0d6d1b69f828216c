"""Sees a matrix product in ``(x · w).sum(axes)``: the same arithmetic has the same price however it is spelled (rule O1)."""

from __future__ import annotations

import string
from dataclasses import replace

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.facts.graph import Node, Value
from micronet_verify.facts.shapes import ints


def matmul_from_sum(graph: EditableGraph) -> None:
    """Every multiply that only feeds a sum becomes one ``matmul`` with it."""
    replaced: dict[int, tuple[Node, ...]] = {}
    for node in graph.nodes:
        if node.kind != "reduce" or node.attributes["op"] != "sum":
            continue
        product = graph.producers.get(node.inputs[0])
        if product is None or product.kind != "elementwise" or product.attributes["op"] != "mul":
            continue
        if graph.is_read_once(node.inputs[0]) and id(product) not in replaced:
            replaced[id(product)], replaced[id(node)] = (), _product(graph.values, product, node)
    graph.replace(replaced)


def _product(values: dict[str, Value], product: Node, total: Node) -> tuple[Node, ...]:
    rank = len(values[product.outputs[0]].shape)
    letters = string.ascii_letters[:rank]
    # An operand of fewer axes lines up with the last ones; an extent of 1 broadcasts.
    left, right = (letters[rank - len(values[name].shape) :] for name in product.inputs)
    axes = set(ints(total.attributes, "axes"))
    out = "".join(letter for axis, letter in enumerate(letters) if axis not in axes)
    attributes = {"left": left, "right": right, "out": out}
    source, scope, result = f"{product.source} + {total.source}", total.scope or product.scope, values[total.outputs[0]]
    if not total.attributes["keepdims"]:
        return (Node("matmul", product.inputs, total.outputs, attributes, source, scope),)
    # Summed axes that stay with an extent of 1 are a reshape behind the product.
    shape = tuple(size for axis, size in enumerate(result.shape) if axis not in axes)
    summed = replace(result, id=f"{result.id}.sum", shape=shape)
    values[summed.id] = summed
    return (
        Node("matmul", product.inputs, (summed.id,), attributes, source, scope),
        Node("move", (summed.id,), total.outputs, {"op": "reshape", "shape": result.shape}, source, scope),
    )

"""Sees a matrix product in ``(x · w).sum(axes)``: the same arithmetic has the same price however it is spelled (rule O1)."""

from __future__ import annotations

import string
from dataclasses import replace

from micronet_verify.analysis.uses import consumers
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.shapes import ints


def matmul_from_sum(graph: Graph) -> Graph:
    """The graph with every multiply that only feeds a sum written as one ``matmul``."""
    readers = consumers(graph)
    producer = {name: node for node in graph.nodes for name in node.outputs}
    replaced: dict[int, tuple[Node, ...]] = {}
    values = dict(graph.values)
    for node in graph.nodes:
        if node.kind != "reduce" or node.attributes["op"] != "sum":
            continue
        product = producer.get(node.inputs[0])
        if product is None or product.kind != "elementwise" or product.attributes["op"] != "mul":
            continue
        if len(readers[node.inputs[0]]) > 1 or node.inputs[0] in graph.outputs or id(product) in replaced:
            continue
        replaced[id(product)], replaced[id(node)] = (), _product(values, product, node)
    nodes = tuple(new for node in graph.nodes for new in replaced.get(id(node), (node,)))
    return replace(graph, nodes=nodes, values=values)


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

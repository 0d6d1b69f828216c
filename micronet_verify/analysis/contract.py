"""Sees a matrix product in ``(x · w).sum(axes)``: the same arithmetic has the same price however it is spelled (rule O1)."""

from __future__ import annotations

import string
from dataclasses import replace

from micronet_verify.analysis.live import consumers
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.shapes import ints


def contract(graph: Graph) -> Graph:
    """The graph with every multiply that only feeds a sum written as one ``matmul``."""
    readers = consumers(graph)
    producer = {name: node for node in graph.nodes for name in node.outputs}
    replaced: dict[int, Node | None] = {}
    for node in graph.nodes:
        if node.kind != "reduce" or node.attributes["op"] != "sum" or node.attributes["keepdims"]:
            continue
        product = producer.get(node.inputs[0])
        if product is None or product.kind != "elementwise" or product.attributes["op"] != "mul":
            continue
        if len(readers[node.inputs[0]]) > 1 or node.inputs[0] in graph.outputs or id(product) in replaced:
            continue
        replaced[id(product)], replaced[id(node)] = None, _product(graph, product, node)
    nodes = [replaced.get(id(node), node) for node in graph.nodes]
    return replace(graph, nodes=tuple(node for node in nodes if node is not None))


def _product(graph: Graph, product: Node, total: Node) -> Node:
    rank = len(graph.values[product.outputs[0]].shape)
    letters = string.ascii_letters[:rank]
    # An operand of fewer axes lines up with the last ones; an extent of 1 broadcasts.
    left, right = (letters[rank - len(graph.values[name].shape) :] for name in product.inputs)
    axes = set(ints(total.attributes, "axes"))
    out = "".join(letter for axis, letter in enumerate(letters) if axis not in axes)
    attributes = {"left": left, "right": right, "out": out}
    return Node("matmul", product.inputs, total.outputs, attributes, f"{product.source} + {total.source}", total.scope or product.scope)

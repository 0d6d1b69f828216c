"""Sees that results of one function, or of several, on parts of one tensor are parts of one tensor again (rule O18).

A split into elements, a ReLU for each, and sums of some of them choose as sums of the elements themselves do. Such siblings are
stacked, and the sums read slices of the stack: then which are added is a matrix like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.sum_parts import Parts
from micronet_verify.facts.graph import Node, Shape

Kin = tuple[str, Shape, str]
"""The tensor of whose parts siblings are functions, their shape and the name of their format."""
# Two siblings make a sum or a difference, which says nothing.
_LEAST = 3


def siblings(graph: EditableGraph, parts: Parts) -> dict[Kin, list[str]]:
    """Terms of additions that are functions of proper parts of one tensor, by that tensor, their shape and their format."""
    found: dict[Kin, set[str]] = {}
    ancestors = _ancestors(graph, parts)
    if not ancestors:
        return {}
    places = {name: at for at, node in enumerate(graph.nodes) for name in node.outputs}
    for node in filter(_adds, graph.nodes):
        shape = graph.values[node.outputs[0]].shape
        for name in node.inputs:
            if name in graph.constants or (name in places and _adds(graph.nodes[places[name]])):
                continue
            ancestor = ancestors.get(parts.source(name))
            if ancestor is not None and graph.values[name].shape == shape:
                found.setdefault((ancestor, shape, graph.values[name].format.name), set()).add(name)
    # In the order in which they are made, which is mostly that of the parts.
    return {key: sorted(names, key=lambda name: places[name]) for key, names in found.items() if len(names) >= _LEAST}


def _adds(node: Node) -> bool:
    """Whether a node adds, or turns a sign for an addition."""
    return node.kind == "elementwise" and node.attributes["op"] in ("add", "sub", "neg")


def _ancestors(graph: EditableGraph, parts: Parts) -> dict[str, str]:
    """By result of a function of one part (and of numbers), the tensor of which that is a part."""
    found: dict[str, str] = {}
    values, constants = graph.values, graph.constants
    for node in graph.nodes:
        varying = [name for name in node.inputs if name and name not in constants]
        functions = node.kind in ("elementwise", "quantize", "dequantize") or (node.kind == "move" and node.attributes["op"] == "cast")
        if not functions or len(set(varying)) != 1 or any(graph.constants[name].numel != 1 for name in node.inputs if name in constants):
            continue
        source, x = parts.source(varying[0]), varying[0]
        if source in found:
            found[node.outputs[0]] = found[source]
        elif source != x and values[x].numel < values[source].numel:
            found[node.outputs[0]] = source
    return found


def stacked(graph: EditableGraph, families: Mapping[Kin, list[str]]) -> tuple[EditableGraph, dict[str, Kin]]:
    """Another graph, whose additions read slices of stacks of siblings, and the stacks by name."""
    values, stacks, part, new = dict(graph.values), dict[str, Kin](), dict[str, str](), list[Node]()
    for number, (key, names) in enumerate(families.items()):
        stack, one = f"{names[0]}.stack{number}", (1, *key[1])
        for at, name in enumerate(names):
            lined, cut, own = (f"{name}.{what}{number}" for what in ("lined", "cut", "own"))
            values.update({each: replace(values[name], id=each, shape=one) for each in (lined, cut)})
            values[own] = replace(values[name], id=own)
            new.append(Node("move", (name,), (lined,), {"op": "reshape", "shape": one}))
            new.append(Node("move", (stack,), (cut,), {"op": "slice", "axes": (0,), "starts": (at,), "ends": (at + 1,), "steps": (1,)}))
            new.append(Node("move", (cut,), (own,), {"op": "reshape", "shape": key[1]}))
            part[name] = own
        values[stack] = replace(values[names[0]], id=stack, shape=(len(names), *key[1]))
        new.append(Node("move", tuple(f"{name}.lined{number}" for name in names), (stack,), {"op": "concat", "axis": 0}))
        stacks[stack] = key
    nodes = [_reading(node, part) for node in graph.nodes]
    return graph.with_nodes(in_order([*nodes, *new]), values), stacks


def _reading(node: Node, part: Mapping[str, str]) -> Node:
    if not _adds(node) or part.keys().isdisjoint(node.inputs):
        return node
    return replace(node, inputs=tuple(part.get(name, name) for name in node.inputs))


def in_order(nodes: list[Node]) -> list[Node]:
    """The nodes so that each comes behind those whose results it reads; otherwise in the order that they have."""
    makers = {name: at for at, node in enumerate(nodes) for name in node.outputs}
    done, order = [False] * len(nodes), list[Node]()
    for first in range(len(nodes)):
        waiting = [first]
        while waiting:
            at = waiting[-1]
            needed = [makers[name] for name in _reads(nodes[at]) if name in makers and not done[makers[name]]] if not done[at] else []
            if needed:
                waiting.extend(reversed(needed))
                continue
            waiting.pop()
            if not done[at]:
                done[at] = True
                order.append(nodes[at])
    return order


def _reads(node: Node) -> list[str]:
    inside = [name for body in node.bodies for inner in body.nodes for name in _reads(inner)]
    return [*node.inputs, *inside, *(name for body in node.bodies for name in body.outputs)]

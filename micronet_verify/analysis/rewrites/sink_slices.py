"""Takes cuts of a tensor into the bodies that read the pieces, so that sums of parts are seen there as well (rule O18).

A body may read the pieces of a tensor that was split around it. Moves are free wherever they stand; inside, it is known again of
which tensor the pieces are parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from micronet_verify.analysis.rewrites.editable import EditableGraph, renamed_body
from micronet_verify.analysis.uses import needed_values
from micronet_verify.facts.graph import Attribute, Graph, Node, Value
from micronet_verify.facts.shapes import integer, ints

_CUTS = frozenset({"split", "slice"})
_SUNK = _CUTS | {"reshape", "transpose", "identity"}
# Two pieces make a sum that says nothing.
_LEAST = 3


def sink_slices(graph: EditableGraph) -> None:
    """Bodies have copies of the moves that cut what they read, where they read several pieces."""
    if not any(node.bodies for node in graph.nodes):
        return
    made = {name: node for node in graph.nodes if _is_sunk(node) for name in node.outputs}

    def read(node: Node) -> Sequence[Node]:
        bodies = tuple(_with_cuts(body, made, graph.values) for body in node.bodies)
        changed = any(new is not old for new, old in zip(bodies, node.bodies, strict=True))
        return (replace(node, bodies=bodies),) if changed else (node,)

    graph.sweep(read)


def _with_cuts(body: Graph, made: Mapping[str, Node], known: Mapping[str, Value]) -> Graph:
    pieces = sorted(name for name in needed_values(body) & made.keys() if _is_cut(name, made))
    if len(pieces) < _LEAST:
        return body
    values, nodes, renamed = dict(body.values), list[Node](), dict[str, str]()

    def sink(name: str) -> None:
        chain = [name]
        while chain[-1] in made and chain[-1] not in renamed:
            chain.append(made[chain[-1]].inputs[0])
        if chain[-1] not in renamed:
            values.setdefault(chain[-1], known[chain[-1]])
        for each in reversed(chain[:-1]):
            node = made[each]
            renamed[each] = f"{each}.{body.outputs[0]}"
            values[renamed[each]] = replace(known[each], id=renamed[each])
            x = renamed.get(node.inputs[0], node.inputs[0])
            nodes.append(replace(node, inputs=(x,), outputs=(renamed[each],), attributes=_alone(node, each)))

    for name in pieces:
        sink(name)
    renaming = {name: renamed[name] for name in pieces}
    inside = renamed_body(replace(body, values=values), renaming)
    return replace(inside, nodes=(*nodes, *inside.nodes))


def _is_sunk(node: Node) -> bool:
    return node.kind == "move" and node.attributes["op"] in _SUNK and len(node.inputs) == 1


def _is_cut(name: str, made: Mapping[str, Node]) -> bool:
    while name in made:
        if made[name].attributes["op"] in _CUTS:
            return True
        name = made[name].inputs[0]
    return False


def _alone(node: Node, result: str) -> dict[str, Attribute]:
    """The attributes of the move that makes one result: a piece of a split is a slice."""
    if node.attributes["op"] != "split":
        return dict(node.attributes)
    sizes, at = ints(node.attributes, "sizes"), node.outputs.index(result)
    start = sum(sizes[:at])
    axis = integer(node.attributes, "axis")
    return {"op": "slice", "axes": (axis,), "starts": (start,), "ends": (start + sizes[at],), "steps": (1,)}

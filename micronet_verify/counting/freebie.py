"""Whether the freebie is forfeited (rule S5): an entry that computes below 16 bits has it no more."""

from __future__ import annotations

from collections import ChainMap

from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.validate import place


def quantization(graph: Graph, around: ChainMap[str, Value] | None = None) -> str:
    """The first node that computes below 16 bits, in words (it forfeits the freebie, S5), or an empty string."""
    values = (around or ChainMap()).new_child(dict(graph.values))
    for node in graph.nodes:
        if node.kind in ("quantize", "dequantize"):
            return f"{place(node)} quantizes"
        if node.kind in ("conv", "matmul"):
            narrow = [values[name].format for name in node.inputs if name in values]
            if any(fmt.is_integer or fmt.bits < 16 for fmt in narrow):
                return f"{place(node)} computes with {min(narrow, key=lambda fmt: fmt.bits)}"
        if node.kind == "move" and node.attributes["op"] == "cast":
            before, fmt = values[node.inputs[0]].format, values[node.outputs[0]].format
            if fmt.bits < 16 and fmt.family != "bool":
                return f"{place(node)} makes {fmt}"
            if before.bits < 16 and before.family == "float":
                return f"{place(node)} reads {before}"
        for body in node.bodies:
            if found := quantization(body, values):
                return found
    return ""

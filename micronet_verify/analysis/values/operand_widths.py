"""How wide each value is as an operand (rule O2), from the quantize and dequantize nodes of the graph.

A dequantized value of one scale is worth the bits of its codes, because the scale factors out; it keeps that width through whatever
only moves it, chooses among its values, or clips it at zero. Everything else is as wide as its format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.values.codes import NO_CODES, CodeFacts, code_range, follow_codes, one_scale, zero_points
from micronet_verify.analysis.values.loop_inputs import entering
from micronet_verify.analysis.values.width import Width, format_width, widest
from micronet_verify.facts.graph import Graph, Node, Value

_MOST_LOOKED_AT = 1 << 20
_KEEPING_FUNCTIONS = frozenset({"relu", "neg", "abs", "max", "min"})


def find_widths(
    graph: Graph, constants: Mapping[str, Constant], codes: CodeFacts = NO_CODES, outer: Mapping[str, Width] | None = None
) -> dict[str, Width]:
    """The width of every value that is not a constant (constants are measured where they are used).

    ``outer``: widths that are known, of values around a body and of inputs that are narrower than their format.
    What a quantizer does not change is as wide as it was. What is looked up in a constant table on one grid is as wide as the table.
    """
    found: dict[str, Width] = dict(outer or {})
    for name in graph.inputs:
        found.setdefault(name, format_width(graph.values[name].format))
    ranges: dict[str, tuple[float | None, float | None]] = {}
    for node in graph.nodes:
        if node.kind == "loop":
            found.update(_of_loop(node, graph.values, constants, found))
            continue
        if node.kind == "quantize":
            low, high = node.attributes.get("low"), node.attributes.get("high")
            ranges[node.outputs[0]] = (None if low is None else float(low), None if high is None else float(high))  # type: ignore[arg-type]
        original = codes.unchanged.get(node.outputs[0], "")
        if original in found:
            width: Width | None = found[original]
        elif node.outputs[0] in codes.rescaled:
            width = None  # a product with another scale, which is a number like any other
        elif node.kind in ("lookup", "permute") and node.inputs[0] in constants:
            width = _of_table(constants[node.inputs[0]])
        else:
            width = _kept(node, graph.values, constants, found, ranges)
        for name in node.outputs:
            found[name] = width if width is not None else format_width(graph.values[name].format)
    return found


def entering_widths(node: Node, constants: Mapping[str, Constant], around: Mapping[str, Width]) -> dict[str, Width]:
    """Widths of the inputs of a loop's body. ``constants`` hold those of the body, too."""
    body = node.bodies[0]
    codes = follow_codes(body, constants)
    return entering(node, body, constants, around, lambda known: find_widths(body, constants, codes, known))


def _of_loop(node: Node, values: Mapping[str, Value], constants: Mapping[str, Constant], found: Mapping[str, Width]) -> dict[str, Width]:
    """What a loop hands on is as wide as what its last turn makes, which is as wide as what every turn makes."""
    body = replace(node.bodies[0], values={**values, **node.bodies[0].values})
    node = replace(node, bodies=(body,))
    inside = find_widths(body, constants, follow_codes(body, constants), {**found, **entering_widths(node, constants, found)})
    own = {name for inner in node.bodies[0].nodes for name in inner.outputs}
    widths = {name: inside.get(made) for name, made in zip(node.outputs, body.outputs, strict=True)}
    # A scale that every turn computes anew is no scale of all that the turns made.
    return {name: format_width(values[name].format) if width is None or width.scale in own else width for name, width in widths.items()}


def _of_table(table: Constant) -> Width | None:
    """The width of a constant table whose values lie on one grid."""
    grid = Measured(table).grid
    if grid is None or grid.groups > 1 or grid.multiply_bits >= table.format.bits:
        return None
    return Width(grid.multiply_bits, grid.sign_only, grid.low, grid.high, f"table {table.key}")


def _kept(
    node: Node,
    values: Mapping[str, Value],
    constants: Mapping[str, Constant],
    found: Mapping[str, Width],
    ranges: Mapping[str, tuple[float | None, float | None]],
) -> Width | None:
    """The width that a node hands on from its operands, or ``None`` where its result is a new number."""
    operands = [found[name] for name in node.inputs if name in found]
    if not operands:
        return None
    if node.kind == "dequantize":
        fmt = values[node.inputs[0]].format if node.inputs[0] in values else None
        if fmt is None or not fmt.is_integer:
            return operands[0]
        scale = one_scale(node, values, constants)
        if scale is None:
            return None
        low, high = code_range(fmt, *ranges.get(node.inputs[0], (None, None)))
        least, most = zero_points(node, constants)
        return Width(min(fmt.bits, max((high - low).bit_length(), 1)), False, low - most, high - least, scale)
    if node.kind == "move":
        if node.attributes["op"] == "cast":
            return None
        if node.attributes["op"] == "pad" and node.attributes.get("value", 0) != 0:
            return None
        others = [constants[name] for name in node.inputs if name not in found and name in constants]
        if any(other.numel > _MOST_LOOKED_AT or np.any(other.load()) for other in others):
            return None  # zeros lie on every grid; other numbers need not
        width = operands[0] if node.attributes["op"] != "concat" else widest(operands)
        zeros = node.attributes["op"] == "pad" or bool(others)
        return replace(width, low=_least(width.low, 0), high=_most(width.high, 0)) if width is not None and zeros else width
    if node.kind == "permute" or (node.kind == "resize" and node.attributes["op"] == "nearest"):
        return operands[0]
    if node.kind == "pool" and node.attributes["op"] == "max":
        return operands[0]
    if node.kind == "reduce" and node.attributes["op"] in ("max", "min"):
        return operands[0]
    if node.kind == "lookup" and node.inputs[0] in found:
        return found[node.inputs[0]]
    if node.kind == "elementwise" and node.attributes["op"] in _KEEPING_FUNCTIONS:
        # max(x, 0) is relu: zero is on every grid, another bound need not be.
        others = [constants[name] for name in node.inputs if name not in found and name in constants]
        kept = len(operands) + len(others) == len(node.inputs) and all(other.numel == 1 and other.number == 0 for other in others)
        width = widest(operands) if kept else None
        return None if width is None else _ranged(width, str(node.attributes["op"]), bool(others))
    return None


def _ranged(width: Width, op: str, zero: bool) -> Width:
    """The range of codes behind a function that keeps their grid. ``zero``: zero is an operand beside them."""
    low, high = width.low, width.high
    if op == "neg":
        return replace(width, low=None if high is None else -high, high=None if low is None else -low)
    if op == "abs":
        return replace(width, low=0, high=None if low is None or high is None else max(abs(low), abs(high)))
    if op == "relu" or (zero and op == "max"):
        return replace(width, low=_most(low, 0), high=_most(high, 0))
    return replace(width, low=_least(low, 0), high=_least(high, 0)) if zero else width


def _least(bound: int | None, other: int) -> int | None:
    return None if bound is None else min(bound, other)


def _most(bound: int | None, other: int) -> int | None:
    return None if bound is None else max(bound, other)

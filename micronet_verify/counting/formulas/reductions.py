"""Reductions, pooling and running totals: many values to one (rules O5, O6, O8, O12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from micronet_verify.analysis.values.masked_elements import count_kept, rows_kept
from micronet_verify.counting.formulas.dot_products import FULL
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.work import Work, adds, multiplies
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import adaptive_windows, integer, ints, text
from micronet_verify.wording.numbers import many


def reduce(node: Node, operands: Operands) -> list[Work]:
    """m values to one: m − 1 adds (sum), compares (max), multiplies (prod); a mean is one multiply more (O5)."""
    op, (taken, outputs) = text(node.attributes, "op"), _taken(node, operands)
    # A sum over no values is a fill with 0, never −1 adds.
    bits, inner, steps = operands.widest(node), operands.inner(node), max(taken - outputs, 0)
    wide = accumulator_width(node, operands)
    text_steps = f"{taken:,} − {many(outputs, 'output')}"
    if op in ("max", "min", "prod", "any", "all"):
        return [multiplies("O5", steps, bits, text_steps)]
    extra: Mapping[str, list[Work]] = {
        "sum": [],
        "mean": [multiplies("O5", outputs, wide, f"{outputs:,} × 1/m")],
        "sum_square": [multiplies("O4", taken, bits, many(taken, "square"))],
        "l1": [multiplies("O4", taken, bits, many(taken, "magnitude"))],
        "l2": [multiplies("O4", taken, bits, many(taken, "square")), multiplies("O4", outputs, inner, many(outputs, "root"))],
        "logsumexp": [multiplies("O4", taken, bits, f"{taken:,} exp"), multiplies("O4", outputs, inner, f"{outputs:,} log")],
        "var": [
            adds("O4", steps + taken, wide, f"mean and {many(taken, 'difference')}"),
            multiplies("O4", taken + 2 * outputs, inner, f"{many(taken, 'square')}, {outputs:,} × 2 means"),
        ],
    }
    return of_integers(node, operands, [*extra[op], adds("O5", steps, wide, text_steps, True)])


def accumulator_width(node: Node, operands: Operands) -> int:
    """Bits of the adds of a sum: 32 (O12), or 64 where what is summed or the result is a 64-bit number (O2)."""
    return max(FULL, operands.inner(node))


def of_integers(node: Node, operands: Operands, work: list[Work]) -> list[Work]:
    """The work, marked where every operand is an integer: of positions and counts, because on data it forfeits the freebie (S5)."""
    formats = (operands.values[name].format for name in node.inputs if name in operands.values)
    return [replace(item, integer=True) for item in work] if all(fmt.is_integer for fmt in formats) else work


def _taken(node: Node, operands: Operands) -> tuple[int, int]:
    """(values that a reduction reads, results it has): without those that are 0 or −∞ because a constant mask hides them (O15)."""
    name, outputs = node.inputs[0], operands.output(node).numel
    shape, kept = operands.shape(name), operands.hidden.computed.get(name)
    if kept is None or node.attributes["op"] not in ("sum", "max"):
        return prod(shape), outputs
    return count_kept(kept, shape), rows_kept(kept, shape, ints(node.attributes, "axes"))


def pool(node: Node, operands: Operands) -> list[Work]:
    """Average over m: m − 1 adds and one multiply; max: m − 1 compares (O5). Padded positions are full work (O6)."""
    out = operands.output(node).shape
    space = out[1:-1] if node.attributes.get("channels_last") else out[2:]
    outputs, bits = prod(out), operands.widest(node)
    if "adaptive" in node.attributes:
        source = operands.shape(node.inputs[0])
        sizes = source[1:-1] if node.attributes.get("channels_last") else source[2:]
        per_map = prod(sum(adaptive_windows(size, count)) for size, count in zip(sizes, space, strict=True))
        taken = outputs // prod(space) * per_map if prod(space) else 0
        formula = f"{many(taken, 'value')} − {many(outputs, 'output')}"
    else:
        window = prod(ints(node.attributes, "kernel"))
        taken = outputs * window
        formula = f"{many(outputs, 'output')} × ({window} − 1)"
    if node.attributes["op"] == "max":
        return [multiplies("O5", max(taken - outputs, 0), bits, formula)]
    wide = accumulator_width(node, operands)
    return [adds("O5", max(taken - outputs, 0), wide, formula, True), multiplies("O5", outputs, wide, f"{outputs:,} × 1/m")]


def cumulative(node: Node, operands: Operands) -> list[Work]:
    """n − 1 operations along the axis; n − 2 where each result leaves its own value out, because the first is 0 and the second a copy."""
    shape, axis = operands.output(node).shape, integer(node.attributes, "axis")
    n = shape[axis] if shape else 1
    rows, free = prod(shape) // max(n, 1), 2 if node.attributes.get("exclusive") else 1
    steps, formula = rows * max(n - free, 0), f"{many(rows, 'row')} × ({n} − {free})"
    if node.attributes["op"] == "cumsum":
        return of_integers(node, operands, [adds("O8", steps, accumulator_width(node, operands), formula, True)])
    return of_integers(node, operands, [multiplies("O8", steps, operands.inner(node), formula)])

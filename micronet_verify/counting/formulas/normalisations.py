"""Norms that could not be folded, and softmaxes (rules O4, S7)."""

from __future__ import annotations

from math import prod

from micronet_verify.analysis.values.masked_elements import count_kept, rows_kept
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.reductions import accumulator_width
from micronet_verify.counting.formulas.work import Work, adds, multiplies
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import integer, ints, text
from micronet_verify.wording.numbers import many


def normalise(node: Node, operands: Operands) -> list[Work]:
    """Normalisation that could not be folded.

    batch: y = a·x + c, one multiply and one add per element (S7). layer, group, instance (over n values): n − 1 adds and a
    multiply for the mean, n differences, n squares, n − 1 adds and a multiply for the variance, an add and a 1/√ for
    eps, n multiplies, then scale and shift where there are any. rms leaves out the mean. local response over a window
    of k, as every exporter writes it out: a square, the average of k of them (k − 1 adds and a multiply), then multiply, add,
    power and divide.
    """
    op, shape = text(node.attributes, "op"), operands.output(node).shape
    count, bits, inner, wide = prod(shape), operands.widest(node), operands.inner(node), accumulator_width(node, operands)
    if op == "batch_norm":
        return [multiplies("S7", count, bits, f"{count:,} × a·x"), adds("S7", count, inner, f"{count:,} × + c")]
    if op == "local_response_norm":
        size = integer(node.attributes, "size")
        return [
            multiplies("O4", count, bits, many(count, "square")),
            multiplies("O4", count * 4, inner, f"{count:,} × (average, multiply, power, divide)"),
            adds("O4", count * size, wide, f"{count:,} × ({size} − 1 + 1)"),
        ]
    if op in ("layer_norm", "rms_norm"):
        groups = count // max(prod(shape[axis] for axis in ints(node.attributes, "axes")), 1)
    else:
        channels = shape[-1] if node.attributes.get("channels_last") else shape[1]
        groups = shape[0] * (channels if op == "instance_norm" else integer(node.attributes, "groups", 1))
    scales, shifts = (sum(1 for name in node.inputs[slot : slot + 1] if name) for slot in (1, 2))
    shift = operands.constant(node.inputs[2]) if shifts else None
    shifts -= shift is not None and shift.all_zero  # as a shift of zeros that is written out behind the norm
    centred = op != "rms_norm"
    means, others = 2 + centred, count * (1 + scales + centred)
    # Squares of differences are as wide as those are; rms squares the operand itself.
    squares = 0 if centred else count
    return [
        multiplies("O4", squares, operands.width(node.inputs[0]).bits, many(count, "square")),
        multiplies("O4", others + groups * means, inner, f"{count:,} × {1 + scales + centred} + {groups:,} × {means}"),
        adds("O4", (1 + centred) * (count - groups), wide, f"({count:,} − {groups:,}) × {1 + centred}", True),
        adds("O4", count * (centred + shifts) + groups, inner, f"{count:,} × {centred + shifts} + {groups:,}"),
    ]


def softmax(node: Node, operands: Operands) -> list[Work]:
    """Over n values: n exp, n − 1 adds, n divides; its logarithm: n exp, n − 1 adds, one log, n differences (O4)."""
    shape, axis = operands.output(node).shape, integer(node.attributes, "axis")
    count, bits, inner = prod(shape), operands.widest(node), operands.inner(node)
    rows, quotients = count // shape[axis] if shape and shape[axis] else count, operands.computed(node)
    kept = operands.hidden.zeros.get(node.outputs[0])
    if kept is not None:  # e^−∞ is 0 and no term of the sum (O15)
        count, rows = count_kept(kept, shape), rows_kept(kept, shape, (axis,))
    exponentials, sums = (
        multiplies("O4", count, bits, f"{count:,} exp"),
        adds("O4", count - rows, accumulator_width(node, operands), f"{count:,} − {many(rows, 'row')}", True),
    )
    if node.attributes["op"] == "softmax":
        return [exponentials, sums, multiplies("O4", quotients, inner, many(quotients, "divide"))]
    return [exponentials, sums, multiplies("O4", rows, inner, f"{rows:,} log"), adds("O4", count, inner, many(count, "difference"))]

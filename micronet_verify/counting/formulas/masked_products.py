"""Products of activations of which a constant mask hides a part: attention over a fixed pattern (rule O15)."""

from __future__ import annotations

from math import prod

import numpy as np

from micronet_verify.counting.formulas.dot_products import full_width, product_width, weight_of
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.work import Work, adds, multiplies
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import index_sizes, text


def product_without_hidden(node: Node, operands: Operands) -> list[Work] | None:
    """A product of an activation with zeros where a constant mask hides, or one with results that it hides (O15).

    Row by row: n products and n − 1 adds for the n values that are not hidden. ``None`` where nothing is, and where weights
    have zeros of their own: those are counted, and the mask is not.
    """
    if not operands.hidden.masks:
        return None
    left, right, out = (text(node.attributes, name) for name in ("left", "right", "out"))
    weight_at, rows_axes = weight_of(node, operands)
    weight = operands.constant(node.inputs[weight_at], rows_axes)
    if len(node.inputs) > 2 or (weight is not None and weight.nonzeros < weight.constant.numel):
        return None
    shapes = [operands.shape(name) for name in node.inputs]
    sizes = index_sizes(left, right, shapes)
    if any(
        sizes[label] != size for side, shape in zip((left, right), shapes, strict=True) for label, size in zip(side, shape, strict=True)
    ):
        return None  # an extent of 1 that broadcasts
    summed = [label for label in sizes if label not in out]
    at = next((at for at in (0, 1) if node.inputs[at] in operands.hidden.zeros), None)
    if at is not None and all(label in (left, right)[at] for label in summed):
        own, shape = (left, right)[at], operands.shape(node.inputs[at])
        kept = operands.hidden.zeros[node.inputs[at]]
        lined = kept.reshape((1,) * (len(shape) - kept.ndim) + kept.shape)
        axes = tuple(own.index(label) for label in summed)
        # An axis of which the mask says nothing is summed over whole.
        lengths = lined.sum(axis=axes) * prod(shape[axis] for axis in axes if lined.shape[axis] == 1)
        rows = prod(sizes[label] for label in own if label in out)
        others = prod(sizes[label] for label in out if label not in own) * (rows // max(lengths.size, 1))
        products, sums = int(lengths.sum()) * others, int(np.maximum(lengths - 1, 0).sum()) * others
        whole = prod(sizes.values())
    elif node.outputs[0] in operands.hidden.computed:
        length, outputs = prod(sizes[label] for label in summed), operands.computed(node)
        products, sums, whole = outputs * length, outputs * max(length - 1, 0), operands.output(node).numel * length
    else:
        return None
    sums = products if operands.rules.dot_adds == "n" else sums
    bits, flips = product_width(operands, node.inputs[1 - weight_at], node.inputs[weight_at], rows_axes)
    note = "a constant mask hides the others (O15)"
    formula = f"{products:,} of {whole:,}, row by row"
    return [
        multiplies("O3" if flips else "O1", products, bits, formula, note),
        adds("O1", sums, full_width(node, operands), f"{formula}, n − 1 of each", True, note),
    ]

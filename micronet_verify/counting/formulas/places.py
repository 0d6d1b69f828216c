"""Orders, look-ups and scatters: which element goes where (rules O4, O9, O20)."""

from __future__ import annotations

from math import prod

import numpy as np

from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.work import Work, adds, multiplies
from micronet_verify.facts.graph import Node, Shape
from micronet_verify.facts.shapes import integer, text
from micronet_verify.wording.numbers import many


def select(node: Node, operands: Operands) -> list[Work]:
    """argmax: n − 1 compares; the k largest: a pass of n − i compares for each; a sort: n·⌈log₂ n⌉ compares (O4)."""
    shape, axis, op = operands.shape(node.inputs[0]), integer(node.attributes, "axis"), text(node.attributes, "op")
    n, rows = shape[axis], prod(shape) // max(shape[axis], 1)
    sort = n * (n - 1).bit_length()
    if op in ("argmax", "argmin"):
        per_row, formula = max(n - 1, 0), f"{n:,} − 1"
    else:
        k = integer(node.attributes, "k", n)
        passes = sum(n - 1 - index for index in range(k)) if k < 64 else sort
        per_row, formula = min(passes, sort), f"top {k:,} of {n:,}" if op == "topk" else f"sort of {n:,}"
    return [multiplies("O4", rows * per_row, operands.widest(node), f"{many(rows, 'row')} × {formula} compares")]


def permute(node: Node, operands: Operands) -> list[Work]:
    """A permutation by an index of several axes: one multiply per element moved (O9); by one that was computed, a look-up (O20).

    Others are followed from move to move, and charged where what they come to is complete (``analysis/permutations/find.py``).
    """
    if len(node.inputs) > 1 and node.inputs[1] not in operands.constants:
        return _selected(node, operands, operands.shape(node.inputs[0])[integer(node.attributes, "axis")], operands.output(node).numel)
    if operands.rules.permutation == "free" or is_followed(node, operands) or keeps_order(node, operands):
        return []
    moved = operands.output(node).numel
    return [multiplies("O9", moved, operands.width(node.inputs[0]).bits, f"{many(moved, 'element')} moved")]


def is_followed(node: Node, operands: Operands) -> bool:
    """Whether it is known which element comes to stand where, along one axis."""
    return len(node.inputs) < 2 or (node.inputs[1] in operands.constants and len(operands.shape(node.inputs[1])) == 1)


def keeps_order(node: Node, operands: Operands) -> bool:
    """Whether a constant index only drops elements (a slice written as an index): strictly increasing, and known to be."""
    if len(node.inputs) < 2 or node.inputs[1] not in operands.constants:
        return False
    index = operands.constants[node.inputs[1]].load().reshape(-1)
    return bool((index[1:] > index[:-1]).all())


def is_slice(node: Node, operands: Operands) -> bool:
    """Whether a constant index is one that a slice, which stores nothing, has as well: in steady steps."""
    index = operands.constants[node.inputs[1]].load().reshape(-1)
    return keeps_order(node, operands) and len(np.unique(np.diff(index))) <= 1


def scatter(node: Node, operands: Operands) -> list[Work]:
    """Replacing moves data (O9), and adding, multiplying or comparing updates is an operation each; computed places select (O20).

    One update may meet many places, so they are counted as they are written.
    """
    x, op = operands.output(node).shape, text(node.attributes, "op")
    updates = prod(_written(node, operands))
    bits = max(operands.width(node.inputs[0]).bits, operands.width(node.inputs[2]).bits)
    work = []
    if op == "add":
        work.append(adds("O8", updates, bits, many(updates, "update")))
    elif op != "replace":
        work.append(multiplies("O8", updates, bits, many(updates, "update")))
    return work + _selected(node, operands, _places(node, x, operands.shape(node.inputs[1])), updates)


def _written(node: Node, operands: Operands) -> Shape:
    """The shape of the updates as they are written, before any of them is written to several places."""
    index, updates, x = (operands.shape(node.inputs[at]) for at in (1, 2, 0))
    places, axis = node.attributes.get("places"), integer(node.attributes, "axis")
    if places == "slices":
        return (*x[:axis], *index, *x[axis + 1 :])
    if places == "nd":
        return (*index[:-1], *x[index[-1] :])
    return index if places == "elements" else updates


def _places(node: Node, table: Shape, index: Shape) -> int:
    """Among how many places an index chooses: those of an axis, or of all axes that a tuple names."""
    if "nd" not in (node.attributes["op"], node.attributes.get("places")):
        return table[integer(node.attributes, "axis")] if table else 1
    batch = integer(node.attributes, "batch")
    return prod(table[batch : batch + index[-1]])


def _selected(node: Node, operands: Operands, places: int, count: int) -> list[Work]:
    """⌈log₂ K⌉ selects for an element at one of K computed places (O20): a tree of choices between two."""
    if node.inputs[1] in operands.given or node.inputs[1] in operands.constants:
        return []
    steps = max(places - 1, 0).bit_length()
    bits = max(operands.width(node.inputs[at]).bits for at in (0, 2) if at < len(node.inputs))
    return [multiplies("O20", count * steps, bits, f"{many(count, 'element')} × ⌈log₂ {places:,}⌉ selects")]


def lookup(node: Node, operands: Operands) -> list[Work]:
    """Rows looked up with the model's own input, or at constant places, move data (O9: embeddings).

    With an index that was computed the look-up is a function of activations, whatever the table holds (O20).
    """
    places = _places(node, operands.shape(node.inputs[0]), operands.shape(node.inputs[1]))
    return _selected(node, operands, places, operands.output(node).numel)

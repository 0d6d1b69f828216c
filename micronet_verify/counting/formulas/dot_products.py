"""Dot products (rules O1, O2, O3, O6, O12): convolutions and matrix products, counted from the weights' non-zeros."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.values.accumulator_widths import Bound, tree_levels
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.work import Work, adds, multiplies
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import index_sizes, integer, ints, text
from micronet_verify.wording.numbers import many

Counts = NDArray[np.int64]
FULL = 32


def convolution(node: Node, operands: Operands) -> list[Work]:
    """A convolution of any rank, grouped, dilated or transposed; padded positions are full work (O6).

    Per output channel c with n_c non-zero weights: n_c multiplies and n_c − 1 adds at each of P positions.
    """
    x, weight = node.inputs[0], node.inputs[1]
    shape, out = operands.shape(weight), operands.output(node).shape
    channels = out[-1] if node.attributes.get("channels_last") else out[1]
    if node.attributes.get("transposed"):
        return _transposed(node, operands, channels)
    axes = weight_of(node, operands)[1]
    measured = operands.constant(weight, axes)
    positions = prod(out) // max(channels, 1)
    counts = measured.nonzeros_per_row if measured else np.full(channels, prod(shape[1:]), np.int64)
    return _products(operands, node, x, weight, axes, counts, positions, prod(shape[1:]))


def _transposed(node: Node, operands: Operands, channels: int) -> list[Work]:
    """A transposed convolution scatters: every input value meets every weight of its channel once.

    Adds are contributions minus the outputs that receive any, counted before cropping (the counterpart of O6).
    """
    x, weight = node.inputs[0], node.inputs[1]
    shape, source = operands.shape(weight), operands.shape(x)
    space = source[1:-1] if node.attributes.get("channels_last") else source[2:]
    groups = integer(node.attributes, "groups", 1)
    measured = operands.constant(weight, (1,))
    mask = np.ones(shape, np.bool_) if measured is None else np.asarray(measured.constant.load() != 0)
    per_channel = mask.reshape(groups, shape[0] // groups, shape[1], prod(shape[2:]))
    contributions = int(per_channel.sum()) * prod(space) * source[0]
    support = per_channel.any(axis=1).reshape(channels, prod(shape[2:]))
    patterns, times = np.unique(support, axis=0, return_counts=True)
    covered = sum(
        _covered(pattern.reshape(shape[2:]), space, ints(node.attributes, "stride"), ints(node.attributes, "dilation")) * int(count)
        for pattern, count in zip(patterns, times, strict=True)
    )
    covered *= source[0]
    bits, flips = product_width(operands, x, weight, (1,))
    sums = contributions - covered if operands.rules.dot_adds == "n_minus_1" else contributions
    formula = f"{many(prod(space), 'position')} × {many(int(per_channel.sum()), 'weight')}"
    work = [
        multiplies("O3" if flips else "O1", contributions, bits, formula),
        adds("O1", sums, full_width(node, operands), f"{contributions:,} − {many(covered, 'output')}", True),
    ]
    return work + _bias(node, operands)


def _covered(pattern: NDArray[np.bool_], space: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> int:
    """Output positions that at least one non-zero tap of ``pattern`` reaches."""
    if not pattern.any():
        return 0
    full = [(size - 1) * s + d * (k - 1) + 1 for size, s, d, k in zip(space, stride, dilation, pattern.shape, strict=True)]
    reached = np.zeros(full, np.bool_)
    for tap in np.argwhere(pattern):
        cut = tuple(
            slice(int(t) * d, int(t) * d + (size - 1) * s + 1, s) for t, d, size, s in zip(tap, dilation, space, stride, strict=True)
        )
        reached[cut] = True
    return int(np.count_nonzero(reached))


def full_width(node: Node, operands: Operands) -> int:
    """Bits of an accumulator that nothing is proved about: 32 (O12), or 64 where the result is a 64-bit number."""
    return max(FULL, operands.output(node).format.bits)


def weight_of(node: Node, operands: Operands) -> tuple[int, tuple[int, ...]]:
    """(position of the weight among the operands, its output-channel axes) of a ``conv`` or ``matmul``."""
    if node.kind == "conv":
        return 1, (1,) if node.attributes.get("transposed") else (0,)
    at = 1 if node.inputs[1] in operands.constants or node.inputs[0] not in operands.constants else 0
    out, labels = text(node.attributes, "out"), text(node.attributes, "right" if at else "left")
    own = _own_indices(node, operands, at)
    return at, tuple(labels.index(label) for label in labels if label in out and label in own)


def _own_indices(node: Node, operands: Operands, at: int) -> list[str]:
    """Indices of an operand; an extent of 1 that broadcasts against a longer one is none of its own."""
    left, right = text(node.attributes, "left"), text(node.attributes, "right")
    shapes = [operands.shape(name) for name in node.inputs[:2]]
    sizes = index_sizes(left, right, shapes)
    return [label for label, size in zip((left, right)[at], shapes[at], strict=True) if size == sizes[label]]


def product(node: Node, operands: Operands) -> list[Work]:
    """A contraction in index notation; the weight is the constant operand, and its kept indices are the rows."""
    left, right, out = (text(node.attributes, name) for name in ("left", "right", "out"))
    sizes = index_sizes(left, right, [operands.shape(name) for name in node.inputs[:2]])
    weight_at, axes = weight_of(node, operands)
    labels, own = (left, right)[weight_at], _own_indices(node, operands, weight_at)
    other, weight = node.inputs[1 - weight_at], node.inputs[weight_at]
    dropped = prod(sizes[label] for label in sizes if label not in out and label not in own)
    positions = prod(sizes[label] for label in out if label not in own)
    length = prod(sizes[label] for label in own if label not in out)
    rows = prod(sizes[labels[axis]] for axis in axes)
    measured = operands.constant(weight, axes)
    counts = measured.nonzeros_per_row if measured else np.full(rows, length, np.int64)
    return _products(operands, node, other, weight, axes, counts * dropped, positions, length * dropped)


def _products(
    operands: Operands, node: Node, x: str, weight: str, axes: tuple[int, ...], counts: Counts, positions: int, length: int
) -> list[Work]:
    """Multiplies and adds of ``positions`` dot products with each row of ``counts`` non-zeros."""
    nonzero, rows = int(counts.sum()), int(counts.size)
    bits, flips = product_width(operands, x, weight, axes)
    taken = f"{nonzero:,}" if nonzero == rows * length else f"{nonzero:,} of {rows * length:,}"
    weights = "weight" if taken == "1" else "weights"
    work = [multiplies("O3" if flips else "O1", positions * nonzero, bits, f"{many(positions, 'position')} × {taken} {weights}")]
    if operands.rules.dot_adds == "n":
        sums, formula = nonzero, f"{positions:,} × {nonzero:,}"
    else:
        used = int(np.count_nonzero(counts))
        sums, formula = nonzero - used, f"{positions:,} × ({nonzero:,} − {many(used, 'row')})"
    if sums:
        work += _sums(operands, x, weight, axes, counts, positions, adds("O1", positions * sums, full_width(node, operands), formula, True))
    return work + _bias(node, operands)


def _sums(operands: Operands, x: str, weight: str, axes: tuple[int, ...], counts: Counts, positions: int, full: Work) -> list[Work]:
    """The adds of dot products at the width the edition grants them: 32 bits, proved, or an adder tree (O12)."""
    if operands.rules.accumulator == "tree" and (bits := _product_bits(operands, x, weight, axes)) is not None:
        return _tree(counts, positions, bits)
    bound = _proved(operands, x, weight, axes) if operands.rules.accumulator == "proved" else None
    if bound is None:
        return [full]
    note = f"partial sums lie in {bound}: {bound.bits} bits cannot overflow"
    return [replace(full, rule="O12", bits=bound.bits, note=note)]


def _product_bits(operands: Operands, x: str, weight: str, axes: tuple[int, ...]) -> int | None:
    """Bits of one product of codes; ``None`` where either side has none."""
    value, measured = operands.width(x), operands.constant(weight, axes)
    if measured is None or measured.grid is None or value.low is None or value.high is None:
        return None
    return measured.grid.multiply_bits + value.bits


def _proved(operands: Operands, x: str, weight: str, axes: tuple[int, ...]) -> Bound | None:
    value, measured = operands.width(x), operands.constant(weight, axes)
    if measured is None or measured.grid is None or value.low is None or value.high is None:
        return None
    bound = Bound.of_sums(measured, value.low, value.high)
    return None if bound is None or bound.bits >= FULL else bound


def narrow_accumulator(node: Node, operands: Operands) -> int | None:
    """Bits that the sums of a ``conv`` or ``matmul`` are granted where these are fewer than 32 (O12), of codes times codes."""
    at, axes = weight_of(node, operands)
    x, weight = node.inputs[1 - at], node.inputs[at]
    if operands.rules.accumulator == "full" or node.attributes.get("transposed"):
        return None
    if operands.rules.accumulator == "tree":
        bits, counted = _product_bits(operands, x, weight, axes), operands.constant(weight, axes)
        if bits is None or counted is None:
            return None
        bits += len(tree_levels(int(counted.nonzeros_per_row.max(initial=0))))
        return bits if bits < FULL else None
    bound = _proved(operands, x, weight, axes)
    return None if bound is None else bound.bits


def _tree(counts: Counts, positions: int, bits: int) -> list[Work]:
    """One line per level: its inputs are one bit wider than the level before."""
    lengths, times = np.unique(counts, return_counts=True)
    levels: dict[int, int] = {}
    for length, rows in zip(lengths, times, strict=True):
        for level, pairs in enumerate(tree_levels(int(length))):
            levels[level] = levels.get(level, 0) + pairs * int(rows)
    return [
        adds(
            "O12", positions * pairs, min(bits + level, FULL), f"{many(positions, 'position')} × {many(pairs, 'add')} on level {level + 1}"
        )
        for level, pairs in sorted(levels.items())
    ]


def _bias(node: Node, operands: Operands) -> list[Work]:
    if len(node.inputs) < 3 or not node.inputs[2]:
        return []
    outputs, bias = operands.output(node).numel, operands.constant(node.inputs[2])
    if bias is not None and bias.nonzeros < bias.constant.numel:  # as O1 has it for weights: what is zero is not added
        outputs = outputs // bias.constant.numel * bias.nonzeros
    return [adds("O1", outputs, full_width(node, operands), f"{many(outputs, 'output')}, bias", True)]


def product_width(operands: Operands, x: str, weight: str, axes: tuple[int, ...]) -> tuple[int, bool]:
    """(bits of a multiply, whether it only flips a stand-alone sign bit).

    Rows of one weight among zeros only say which element goes where: no sum of signs, but elements moved (O9).
    """
    value, factor = operands.width(x), operands.width(weight, axes)
    if weight in operands.constants and factor.sign and factor.bits == 1 and value.sign and not _chooses(operands, weight, axes):
        return 1, True
    return max(value.bits, factor.bits), False


def _chooses(operands: Operands, weight: str, axes: tuple[int, ...]) -> bool:
    measured = operands.constant(weight, axes)
    if measured is None or not axes:
        return False
    counts = measured.nonzeros_per_row
    return bool(counts.size < measured.constant.numel and counts.max(initial=0) <= 1)

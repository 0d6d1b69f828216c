"""One formula per node kind: what it makes the machine do (rules O1 to O11). Prices come later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from types import MappingProxyType

import numpy as np

from micronet_verify.analysis.values.masked_elements import count_kept, rows_kept
from micronet_verify.analysis.values.model_inputs import ROUNDING
from micronet_verify.counting.formulas.dot_products import FULL, convolution, product
from micronet_verify.counting.formulas.functions import FUNCTIONS, multiplies_of
from micronet_verify.counting.formulas.masked_products import product_without_hidden
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.work import Work, adds, multiplies
from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Node, Shape
from micronet_verify.facts.shapes import adaptive_windows, integer, ints, text
from micronet_verify.facts.validate import place
from micronet_verify.wording.numbers import many

HINT = "a quantizer written out is arithmetic; fake_quantize (PyTorch) or QuantizeLinear (ONNX) says that it is one"
"""Note on the work of rounding: nothing else tells a quantizer from other arithmetic."""


def work_of(node: Node, operands: Operands) -> list[Work]:
    """The work of one node per example; an empty list for what moves data. Raises ``SubmissionFault`` (rule O17)."""
    formula = FORMULAS.get(node.kind)
    if formula is None:
        raise SubmissionFault(Problem(f"{node.kind} without a price", "be an operation that COUNTING_RULES prices", place(node)))
    return [work for work in formula(node, operands) if work.count]


def _matmul(node: Node, operands: Operands) -> list[Work]:
    """A product (O1), without what a constant mask hides (O15)."""
    hidden = product_without_hidden(node, operands)
    return product(node, operands) if hidden is None else hidden


def _elementwise(node: Node, operands: Operands) -> list[Work]:
    """One operation per output element and primitive (O4, O8); those that read intermediate results are as wide as they are."""
    if node.outputs[0] in operands.hidden.masks:
        return []  # what a constant mask does to an element is known before any input is (O15)
    op, count, bits = text(node.attributes, "op"), operands.computed(node), operands.widest(node)
    if op in ("add", "sub") and count == operands.output(node).numel:
        count = _added(node, operands)
    cost = FUNCTIONS[op]
    total = (multiplies_of(op, node.attributes), cost.adds)
    spared = operands.saturation.spared.get(node.outputs[0], 0)
    if spared and operands.rules.saturation == "free":  # a quantizer behind it cuts off as much (O19)
        total = (total[0] - spared, total[1])
    rule, inner = ("O8" if len(node.inputs) > 1 else "O4"), operands.inner(node)
    if node.outputs[0] in operands.codes.accumulated:
        return _of_integers(node, operands, [adds("O12", count, max(FULL, bits), f"{count:,} × x + y of parts of one result", True)])
    first = total if cost.first is None or inner == bits else cost.first
    work = []
    for times, width, of in ((first, bits, ""), ((total[0] - first[0], total[1] - first[1]), inner, " of intermediate results")):
        for make, each in ((multiplies, times[0]), (adds, times[1])):
            work.append(make(rule, each * count, width, f"{count:,} × {each}{of}: {cost.formula}", note=HINT if op in ROUNDING else ""))
    return _of_integers(node, operands, work)


def _added(node: Node, operands: Operands) -> int:
    """Outputs of which a constant operand is not zero, as a bias written out: what is zero is not added (O1)."""
    outputs = operands.output(node).numel
    for name in node.inputs:
        measured = operands.constant(name)
        if measured is not None and measured.constant.numel > 1 and measured.nonzeros < measured.constant.numel:
            outputs = min(outputs, operands.output(node).numel // measured.constant.numel * measured.nonzeros)
    return outputs


def _reduce(node: Node, operands: Operands) -> list[Work]:
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
    return _of_integers(node, operands, [*extra[op], adds("O5", steps, wide, text_steps, True)])


def accumulator_width(node: Node, operands: Operands) -> int:
    """Bits of the adds of a sum: 32 (O12), or 64 where what is summed or the result is a 64-bit number (O2)."""
    return max(FULL, operands.inner(node))


def _of_integers(node: Node, operands: Operands, work: list[Work]) -> list[Work]:
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


def _pool(node: Node, operands: Operands) -> list[Work]:
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


def _normalise(node: Node, operands: Operands) -> list[Work]:
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


def _softmax(node: Node, operands: Operands) -> list[Work]:
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


def _cumulative(node: Node, operands: Operands) -> list[Work]:
    """n − 1 operations along the axis; n − 2 where each result leaves its own value out, because the first is 0 and the second a copy."""
    shape, axis = operands.output(node).shape, integer(node.attributes, "axis")
    n = shape[axis] if shape else 1
    rows, free = prod(shape) // max(n, 1), 2 if node.attributes.get("exclusive") else 1
    steps, formula = rows * max(n - free, 0), f"{many(rows, 'row')} × ({n} − {free})"
    if node.attributes["op"] == "cumsum":
        return _of_integers(node, operands, [adds("O8", steps, accumulator_width(node, operands), formula, True)])
    return _of_integers(node, operands, [multiplies("O8", steps, operands.inner(node), formula)])


def _select(node: Node, operands: Operands) -> list[Work]:
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


def _permute(node: Node, operands: Operands) -> list[Work]:
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


def _resize(node: Node, operands: Operands) -> list[Work]:
    """Nearest: one multiply per output element; linear over d axes: 2^d multiplies and 2^d − 1 adds; cubic: 4^d (O10)."""
    out, source = operands.output(node).shape, operands.shape(node.inputs[0])
    count, bits = prod(out), operands.widest(node)
    if node.attributes["op"] == "nearest":
        return [multiplies("O10", count, bits, many(count, "output"))]
    axes = max(sum(a != b for a, b in zip(out, source, strict=True)), 1)
    taps = (2 if node.attributes["op"] == "linear" else 4) ** axes
    return [multiplies("O10", count * taps, bits, f"{count:,} × {taps}"), adds("O10", count * (taps - 1), bits, f"{count:,} × {taps - 1}")]


def _scatter(node: Node, operands: Operands) -> list[Work]:
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


def _lookup(node: Node, operands: Operands) -> list[Work]:
    """Rows looked up with the model's own input, or at constant places, move data (O9: embeddings).

    With an index that was computed the look-up is a function of activations, whatever the table holds (O20).
    """
    places = _places(node, operands.shape(node.inputs[0]), operands.shape(node.inputs[1]))
    return _selected(node, operands, places, operands.output(node).numel)


def _move(node: Node, operands: Operands) -> list[Work]:
    """Moves are free (O9). A cast between formats is free where fp32 holds both exactly, else one operation each (O11).

    A cast that loses what stands behind the point, or all but the truth of a number, is a rounding or a compare (O4).
    """
    if node.attributes["op"] != "cast":
        return []
    before, after = operands.values[node.inputs[0]].format, operands.output(node).format
    count = operands.output(node).numel
    if after.family != "float" and (before.family == "float" or after.family == "bool" != before.family):
        if after.family != "bool" and node.inputs[0] in operands.whole:
            return []
        return [multiplies("O4", count, operands.width(node.inputs[0]).bits, f"{many(count, 'cast')} {before} → {after}", HINT)]
    return _conversion(before, after, count)


def _quantize(node: Node, operands: Operands) -> list[Work]:
    """Conversions (O11). A scale of its own for each slice, or another than the codes were made with, is a multiply by weights,
    and an offset of its own an add (O8)."""
    name, count = node.inputs[0], operands.output(node).numel
    work = _conversion(operands.values[name].format, operands.output(node).format, count)
    scale, zero = node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else ""
    if _varies(scale, operands):
        work.append(multiplies("O8", count, FULL, f"{count:,} × a scale per slice"))
    elif node.outputs[0] in operands.codes.rescaled:
        work.append(multiplies("O8", count, FULL, f"{count:,} × another scale than the codes have"))
    if (ends := operands.saturation.reached.get(node.outputs[0], 0)) and operands.rules.saturation == "charged":
        work.append(multiplies("O19", count * ends, operands.width(name).bits, f"{count:,} × {many(ends, 'end')} of the quantizer's range"))
    if zero and _varies(zero, operands):
        work.append(adds("O8", count, FULL, f"{count:,} × a zero point per slice"))
    return work


def _varies(name: str, operands: Operands) -> bool:
    """Whether a scale or zero point differs from slice to slice, as far as is known."""
    constant = operands.constants.get(name)
    if constant is None:
        return prod(operands.shape(name)) > 1
    found = constant.load().reshape(-1)
    return bool((found != found[:1]).any())


def _conversion(before: NumericFormat, after: NumericFormat, count: int) -> list[Work]:
    if before == after or (_exact_in_fp32(before) and _exact_in_fp32(after)):
        return []
    return [multiplies("O11", count, max(before.bits, after.bits), f"{many(count, 'conversion')} {before} → {after}")]


def _exact_in_fp32(fmt: NumericFormat) -> bool:
    # int32 is the accumulator of narrower products (O12); what it holds of them fp32 holds as well.
    return fmt.bits <= 32


Formula = Callable[[Node, Operands], list[Work]]
FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "conv": convolution,
        "matmul": _matmul,
        "elementwise": _elementwise,
        "reduce": _reduce,
        "pool": _pool,
        "normalise": _normalise,
        "softmax": _softmax,
        "lookup": _lookup,
        "cumulative": _cumulative,
        "select": _select,
        "move": _move,
        "permute": _permute,
        "scatter": _scatter,
        "resize": _resize,
        "quantize": _quantize,
        "dequantize": _quantize,
    }
)
"""Every node kind but ``branch`` and ``loop``, which ``counting/count.py`` opens."""

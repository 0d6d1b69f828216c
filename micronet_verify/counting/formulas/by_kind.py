"""One formula per node kind: what it makes the machine do (rules O1 to O11). Prices come later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType

from micronet_verify.analysis.values.model_inputs import ROUNDING
from micronet_verify.counting.formulas import conversions, normalisations, places, reductions
from micronet_verify.counting.formulas.conversions import HINT
from micronet_verify.counting.formulas.dot_products import FULL, convolution, product
from micronet_verify.counting.formulas.functions import FUNCTIONS, multiplies_of
from micronet_verify.counting.formulas.masked_products import product_without_hidden
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.reductions import of_integers
from micronet_verify.counting.formulas.work import Work, adds, multiplies
from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import text
from micronet_verify.facts.validate import place
from micronet_verify.wording.numbers import many


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
        return of_integers(node, operands, [adds("O12", count, max(FULL, bits), f"{count:,} × x + y of parts of one result", True)])
    first = total if cost.first is None or inner == bits else cost.first
    work = []
    for times, width, of in ((first, bits, ""), ((total[0] - first[0], total[1] - first[1]), inner, " of intermediate results")):
        for make, each in ((multiplies, times[0]), (adds, times[1])):
            work.append(make(rule, each * count, width, f"{count:,} × {each}{of}: {cost.formula}", note=HINT if op in ROUNDING else ""))
    return of_integers(node, operands, work)


def _added(node: Node, operands: Operands) -> int:
    """Outputs of which a constant operand is not zero, as a bias written out: what is zero is not added (O1)."""
    outputs = operands.output(node).numel
    for name in node.inputs:
        measured = operands.constant(name)
        if measured is not None and measured.constant.numel > 1 and measured.nonzeros < measured.constant.numel:
            outputs = min(outputs, operands.output(node).numel // measured.constant.numel * measured.nonzeros)
    return outputs


def _resize(node: Node, operands: Operands) -> list[Work]:
    """Nearest: one multiply per output element; linear over d axes: 2^d multiplies and 2^d − 1 adds; cubic: 4^d (O10)."""
    out, source = operands.output(node).shape, operands.shape(node.inputs[0])
    count, bits = prod(out), operands.widest(node)
    if node.attributes["op"] == "nearest":
        return [multiplies("O10", count, bits, many(count, "output"))]
    axes = max(sum(a != b for a, b in zip(out, source, strict=True)), 1)
    taps = (2 if node.attributes["op"] == "linear" else 4) ** axes
    return [multiplies("O10", count * taps, bits, f"{count:,} × {taps}"), adds("O10", count * (taps - 1), bits, f"{count:,} × {taps - 1}")]


Formula = Callable[[Node, Operands], list[Work]]
FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "conv": convolution,
        "matmul": _matmul,
        "elementwise": _elementwise,
        "reduce": reductions.reduce,
        "pool": reductions.pool,
        "normalise": normalisations.normalise,
        "softmax": normalisations.softmax,
        "lookup": places.lookup,
        "cumulative": reductions.cumulative,
        "select": places.select,
        "move": conversions.move,
        "permute": places.permute,
        "scatter": places.scatter,
        "resize": _resize,
        "quantize": conversions.quantize,
        "dequantize": conversions.quantize,
    }
)
"""Every node kind but ``branch`` and ``loop``, which ``counting/price.py`` opens."""

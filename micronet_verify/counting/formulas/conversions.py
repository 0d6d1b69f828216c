"""Casts and quantizers: the same numbers in another format (rules O4, O8, O11, O19)."""

from __future__ import annotations

from math import prod

from micronet_verify.counting.formulas.dot_products import FULL
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.work import Work, adds, multiplies
from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Node
from micronet_verify.wording.numbers import many

HINT = "a quantizer written out is arithmetic; fake_quantize (PyTorch) or QuantizeLinear (ONNX) says that it is one"
"""Note on the work of rounding: nothing else tells a quantizer from other arithmetic."""


def move(node: Node, operands: Operands) -> list[Work]:
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


def quantize(node: Node, operands: Operands) -> list[Work]:
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

"""Laws of what is computed: O1 dot products, O2 widths, O3 sign flips, O8 element-wise work, O9 permutations, O11 to O13, O16."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import prod

from micronet_verify.checks.numbers import amount, decimal
from micronet_verify.checks.rules.counted import Counted, Finding, absent
from micronet_verify.counting.ledger import LedgerLine
from micronet_verify.errors import Problem
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import index_sizes, text


def dot_products(counted: Counted) -> Finding:
    """O1: never more multiplies than the shapes have, never more adds than multiplies and one bias for each output."""
    lines = counted.lines("O1", "O3")
    multiplies, adds = _sum(lines, "multiply"), _sum(lines, "add")
    linear = [node for node in counted.nodes if node.kind in ("conv", "matmul")]
    if not lines:
        return absent("the model has no dot product")
    if not counted.straight:
        return Finding(f"{amount(multiplies)} multiplies and {amount(adds)} adds on average")
    sums = [node for node in counted.nodes if node.kind == "elementwise" and node.attributes["op"] == "mul"]  # x·w, then a sum
    dense = sum(_dense(counted, node) for node in linear) + sum(counted.values[node.outputs[0]].numel for node in sums)
    outputs = sum(counted.values[node.outputs[0]].numel for node in (*linear, *sums))
    broken: list[Problem] = []
    if multiplies > dense:
        broken.append(Problem(f"{amount(multiplies)} multiplies", f"be at most {dense:,}, which the shapes allow"))
    if adds > multiplies + outputs:
        broken.append(Problem(f"{amount(adds)} adds", f"be at most {amount(multiplies)} and a bias for each of {outputs:,} outputs"))
    share = f"{decimal(100 * multiplies / dense, 1)} % of the dense work" if dense else "of none"
    evidence = {"multiplies": str(multiplies), "adds": str(adds), "dense_multiplies": dense}
    return Finding(f"{amount(multiplies)} multiplies, {share}, and {amount(adds)} adds", tuple(broken), evidence=evidence)


def _dense(counted: Counted, node: Node) -> int:
    """Multiplies of a linear node without a zero in its weights, from shapes alone."""
    shapes = [counted.values[name].shape for name in node.inputs[:2]]
    if node.kind == "matmul":
        return prod(index_sizes(text(node.attributes, "left"), text(node.attributes, "right"), shapes).values())
    last = bool(node.attributes.get("channels_last"))
    if node.attributes.get("transposed"):
        return prod(shapes[1]) * prod(shapes[0][1:-1] if last else shapes[0][2:]) * shapes[0][0]
    return counted.values[node.outputs[0]].numel * prod(shapes[1][1:])


def operand_widths(counted: Counted) -> Finding:
    """O2: an operation is as wide as its widest input, so no product is narrower than the narrowest activation."""
    if counted.ledger.regime == "freebie":
        return absent("the freebie counts every multiply at 16 bits")
    lines = [line for line in counted.lines("O1") if line.operation == "multiply" and line.quantity]
    if not lines:
        return absent("no product is priced by the width of its operands")
    least = _narrowest(counted)
    broken = [
        Problem(f"a multiply of {line.bits} bits", f"be at least {least}, the narrowest activation", line.subject)
        for line in lines
        if line.bits < least
    ]
    widths: Counter[int] = Counter()
    for line in lines:
        widths[line.bits] += int(line.quantity)
    shown = ", ".join(f"{count:,} of {bits} bit" for bits, count in sorted(widths.items()))
    return Finding(f"multiplies by width: {shown}", tuple(broken), evidence={f"multiplies_{bits}": n for bits, n in sorted(widths.items())})


def _narrowest(counted: Counted) -> int:
    """Bits of the narrowest value that an input can change; 1 where a product of constants alone is computed."""
    if isinstance(counted.track.rules.activation_bits, int):
        return counted.track.rules.activation_bits
    if any(node.kind in ("conv", "matmul") and not counted.varying.intersection(node.inputs[:2]) for node in counted.nodes):
        return 1
    found = [counted.values[name].format.bits for name in counted.varying if name in counted.values]
    for node in counted.nodes:
        low, high = node.attributes.get("low"), node.attributes.get("high")
        if node.kind == "quantize" and isinstance(low, int | float) and isinstance(high, int | float):
            found.append(max(int(high - low).bit_length(), 1))
    return min(found, default=1)


def sign_flips(counted: Counted) -> Finding:
    """O3: one bit, and only against a format whose sign stands alone."""
    lines = [line for line in counted.lines("O3") if line.quantity]
    if not lines:
        return absent("no multiply only flips a sign, or the freebie is cheaper")
    floats = any(counted.values[name].format.stand_alone_sign for name in counted.varying if name in counted.values)
    broken = [Problem(f"a sign flip of {line.bits} bits", "be 1 bit", line.subject) for line in lines if line.bits != 1]
    if not floats:
        broken.append(Problem("sign flips of values in two's complement", "be multiplies"))
    return Finding(f"{amount(_sum(lines, 'multiply'))} multiplies flip a sign, at 1 bit each", tuple(broken))


def elementwise(counted: Counted) -> Finding:
    """O8: at most one operation per output element of a function of several operands (two of prelu)."""
    lines = counted.lines("O8")
    if not lines:
        return absent("no element-wise operation of two operands is charged")
    charged = sum((line.quantity for line in lines), Fraction(0))
    if not counted.straight:
        return Finding(f"{amount(charged)} operations on average")
    most = 0
    for node in counted.nodes:
        if node.kind == "elementwise" and len(node.inputs) > 1:
            most += counted.values[node.outputs[0]].numel * (2 if node.attributes["op"] == "prelu" else 1)
        elif node.kind in ("cumulative", "scatter"):
            most += counted.values[node.inputs[0 if node.kind == "cumulative" else 2]].numel
    broken = (Problem(f"{amount(charged)} operations", f"be at most {most:,}, one for each output element"),) if charged > most else ()
    return Finding(f"{amount(charged)} operations, of at most {most:,} by the shapes", broken)


def permutations(counted: Counted) -> Finding:
    """O9: a permutation of n elements stores n one-bit values and a mask of n rows, and moves every element by a multiply."""
    stored = [line for line in counted.lines("O9") if line.axis == "storage"]
    moved = [line for line in counted.lines("O9") if line.axis == "operations"]
    if not stored and not moved:
        return absent("no elements are permuted within an axis")
    broken: list[Problem] = []
    for values, mask in zip(stored[::2], stored[1::2], strict=False):
        if values.bits != 1 or mask.bits != 1 or (values.quantity and mask.quantity % values.quantity):
            broken.append(
                Problem(f"{values.quantity} values and {mask.quantity} mask bits", "be n bits and n rows of bits", values.subject)
            )
    if len(stored) % 2 or (counted.straight and len(moved) < len(stored) // 2):
        broken.append(Problem(f"{len(stored)} storage lines for {len(moved)} permutations", "be two for each at most"))
    return Finding(f"{len(moved)} permutation{'s' if len(moved) != 1 else ''} of {amount(_sum(moved, 'multiply'))} elements", tuple(broken))


def conversions(counted: Counted) -> Finding:
    """O11: only a format that fp32 does not hold exactly makes a conversion cost anything."""
    lines = [line for line in counted.lines("O11") if line.quantity]
    if not lines:
        return absent("every conversion is between formats that fp32 holds exactly")
    wide = {value.format.name for value in counted.values.values() if value.format.bits > 32}
    broken = () if wide else (Problem("charged conversions", "be free: no format is wider than fp32"),)
    return Finding(f"{amount(_sum(lines, 'multiply'))} conversions from or to {', '.join(sorted(wide))}", broken)


def accumulators(counted: Counted) -> Finding:
    """O12: adds of dot products and pools count 32 bits, unless the edition takes proofs of less."""
    lines = [line for line in counted.lines("O1", "O5") if line.operation == "add" and line.quantity]
    if not lines:
        return absent("nothing is accumulated")
    full = counted.track.rules.accumulator == "full"
    broken = [
        Problem(f"an accumulator of {line.bits} bits", "be 32" if full else "be at most 32", line.subject)
        for line in lines
        if line.bits > 32 or (full and line.bits != 32)
    ]
    return Finding(f"{amount(_sum(lines, 'add'))} adds {'at 32 bits' if full else 'at proved widths'}", tuple(broken))


def branches(counted: Counted) -> Finding:
    """O13: work behind a branch is weighted by how often the branch was taken; nothing else is a fraction."""
    nodes = [node for node in counted.nodes if node.kind == "branch"]
    fractions = [line for line in counted.ledger.lines if line.quantity.denominator != 1]
    if not nodes:
        broken = tuple(Problem(f"{line.quantity} operations", "be a whole number: nothing branches", line.subject) for line in fractions)
        return Finding("", broken, applies=False) if broken else absent("the model has no branch")
    shares = {str(node.attributes.get("id", "")): counted.frequencies.get(str(node.attributes.get("id", ""))) for node in nodes}
    problems = [
        Problem(f"a share of {share}", "be from 0 to 1", name)
        for name, share in shares.items()
        if share is not None and not 0 <= share <= 1
    ]
    problems += [
        Problem("predictions that do not say which body was taken", "say it for each example", name)
        for name, share in shares.items()
        if share is None and counted.predicted
    ]
    shown = ", ".join(f"{name or 'branch'} {share if share is not None else 'unknown'}" for name, share in sorted(shares.items()))
    return Finding(f"share of examples that took the first body: {shown}", tuple(problems))


def unused(counted: Counted) -> Finding:
    """O16: the nodes that an own search from the outputs does not reach are the ones listed, and nothing is charged for them."""
    listed = counted.lines("O16")
    broken = [Problem(f"{amount(line.amount)} operations", "be 0: no output depends on it", line.subject) for line in listed if line.amount]
    live = {id(node) for node in counted.nodes}
    dead = sum(id(node) not in live for node in counted.graph.nodes)
    if dead != len(listed):
        broken.append(Problem(f"{len(listed)} unused operators listed", f"be {dead}, as a search from the outputs finds"))
    if not listed and not broken:
        return absent("every operator is needed")
    shown = ", ".join(line.subject for line in listed[:3]) + (" …" if len(listed) > 3 else "")
    found = f"{len(listed)} operator{'s' if len(listed) != 1 else ''}, on which no output depends, not charged: {shown}"
    return Finding(found, tuple(broken), evidence={"operators": len(listed)})


def _sum(lines: list[LedgerLine], operation: str) -> Fraction:
    return sum((line.quantity for line in lines if line.operation == operation), Fraction(0))

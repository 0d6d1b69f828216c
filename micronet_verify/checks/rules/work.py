"""Laws of the other work: O8 element-wise, O9 permutations, O11 conversions, O13 branches, O16 what no output needs."""

from __future__ import annotations

from fractions import Fraction

from micronet_verify.checks.rules.counted import Counted, Finding, absent, quantity
from micronet_verify.errors import Problem
from micronet_verify.wording.numbers import amount, many


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
    return Finding(f"{many(len(moved), 'permutation')} of {amount(quantity(moved, 'multiply'))} elements", tuple(broken))


def conversions(counted: Counted) -> Finding:
    """O11: only a format that fp32 does not hold exactly makes a conversion cost anything."""
    lines = [line for line in counted.lines("O11") if line.quantity]
    if not lines:
        return absent("every conversion is between formats that fp32 holds exactly")
    wide = {value.format.name for value in counted.values.values() if value.format.bits > 32}
    broken = () if wide else (Problem("charged conversions", "be free: no format is wider than fp32"),)
    return Finding(f"{amount(quantity(lines, 'multiply'))} conversions from or to {', '.join(sorted(wide))}", broken)


def branches(counted: Counted) -> Finding:
    """O13: work behind a branch is weighted by how often the branch was taken; nothing else is a fraction."""
    nodes = [node for node in counted.nodes if node.kind == "branch"]
    fractions = [line for line in counted.ledger.lines if line.quantity.denominator != 1]
    if not nodes:
        broken = tuple(Problem(f"{line.quantity} operations", "be a whole number: nothing branches", line.subject) for line in fractions)
        return Finding("", broken, applies=False) if broken else absent("the model has no branch")
    shares = {str(node.attributes.get("id", "")): counted.shares.get(str(node.attributes.get("id", ""))) for node in nodes}
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
    part = f" (partial: {counted.partial.share} examples)" if counted.partial else ""
    return Finding(f"share of examples that took the first body: {shown}{part}", tuple(problems))


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
    found = f"{many(len(listed), 'operator')}, on which no output depends, not charged: {shown}"
    return Finding(found, tuple(broken), evidence={"operators": len(listed)})

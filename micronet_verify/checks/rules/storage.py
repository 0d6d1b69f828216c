"""Laws of what is stored: S1 widths, S2 nothing left out, S4 nothing twice, S6 nothing that no output needs, S8 codebooks."""

from __future__ import annotations

from fractions import Fraction

from micronet_verify.checks.rules.counted import Counted, Finding, absent, base_label
from micronet_verify.errors import Problem
from micronet_verify.facts.validate import place
from micronet_verify.wording.numbers import amount, many

WIDEST = 64


def widths(counted: Counted) -> Finding:
    """S1: storage is the sum of all stored bits / 32, re-added in whole bits; no value is wider than 64 bits."""
    lines = [line for line in counted.ledger.lines if line.axis == "storage" and line.quantity]
    if not lines:
        return absent("the entry stores nothing")
    broken = [
        Problem(f"{line.quantity} values of {line.bits} bits", "be a whole number of values of 1 to 64 bits", line.subject)
        for line in lines
        if line.quantity.denominator != 1 or line.quantity < 0 or not 1 <= line.bits <= WIDEST
    ]
    bits = sum(int(line.quantity) * line.bits for line in lines)
    if not broken and Fraction(bits, 32) != counted.ledger.storage:
        broken.append(Problem(f"a storage of {counted.ledger.storage} words", f"be {bits:,} bits / 32"))
    return Finding(f"{bits:,} bits in {len(lines)} lines are {amount(Fraction(bits, 32))} words", tuple(broken), evidence={"bits": bits})


def complete(counted: Counted) -> Finding:
    """S2: every constant that a convolution, a matrix product or a look-up reads has a line of its own or of what it ties to;
    zeros alone need none."""
    charged = {base_label(line.subject) for line in counted.ledger.lines if line.axis == "storage" and line.rule != "S6"}
    broken: list[Problem] = []
    read = zeros = 0
    for node in counted.nodes:
        if node.kind not in ("conv", "matmul", "lookup") or not any(name in counted.varying for name in node.inputs):
            continue
        for name in node.inputs:
            labels = {leaf.label or leaf.id for leaf in counted.leaves(name) if leaf.numel > 1}
            read += bool(labels)
            if not labels or labels & charged:
                continue
            if labels & counted.count.zeros:
                zeros += 1
            else:
                broken.append(Problem(f"no storage line for {' or '.join(sorted(labels))}", "be charged: the node reads it", place(node)))
    if not read and not counted.lines("S2"):
        return absent("no operator reads a constant")
    scalars = sum(int(line.quantity) for line in counted.lines("S2") if line.subject == "scalars")
    also = f"; {many(scalars, 'different scalar')}" if scalars else ""
    but = f" but for {zeros} of zeros" if zeros else ""
    return Finding(f"{many(read, 'constant operand')} of linear operators, each with its storage line{but}{also}", tuple(broken))


def once(counted: Counted) -> Finding:
    """S4: no two charged tensors are the same bytes in the same shape."""
    by_label = {value.label or value.id: value for value in counted.values.values() if value.constant is not None}
    seen: dict[object, str] = {}
    broken: list[Problem] = []
    for tensor in counted.tensors:
        label = base_label(tensor.values.subject)
        value = by_label.get(label)
        if value is None or value.constant is None or label != tensor.values.subject:
            continue
        ref = value.constant
        first = seen.setdefault((ref.store, ref.path, ref.offset, ref.strides, value.shape, value.format), label)
        if first != label:
            broken.append(Problem(f"{label} charged in addition to {first}, whose bytes it shares", "be stored once", label))
    tied = [line for line in counted.lines("S4") if not line.amount]
    if not tied and not broken:
        return absent("no tensor is used in several places")
    shown = ", ".join(f"{line.subject} {line.note}" for line in tied[:3])
    return Finding(f"{many(len(tied), 'further use')} charged nothing: {shown}", tuple(broken), evidence={"tied": len(tied)})


def unused(counted: Counted) -> Finding:
    """S6: the constants that an own search from the outputs does not reach are the ones listed, and nothing is charged for them."""
    listed = counted.lines("S6")
    broken = [Problem(f"{amount(line.amount)} words", "be 0: no output depends on it", line.subject) for line in listed if line.amount]
    needed = {name for node in counted.nodes for name in node.inputs} | set(counted.graph.outputs)
    dead = [value for value in counted.values.values() if value.constant is not None and value.id not in needed]
    if counted.straight and len(dead) != len(listed):
        broken.append(Problem(f"{len(listed)} unused constants listed", f"be {len(dead)}, as a search from the outputs finds"))
    if not listed and not broken:
        return absent("every stored value is needed")
    values, names = sum(value.numel for value in dead), [line.subject for line in listed]
    shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    return Finding(f"{values:,} values, on which no output depends, are not charged: {shown}", tuple(broken), evidence={"values": values})


def codebooks(counted: Counted) -> Finding:
    """S8: an index into K entries has ceil(log2 K) bits, and the K entries are charged too."""
    broken: list[Problem] = []
    found = [tensor for tensor in counted.tensors if tensor.values.rule == "S8"]
    for tensor in found:
        entries = sum(int(line.quantity) for line in tensor.extras if line.rule == "S8")
        # Blocks that are kept whole hold zeros: one index more than there are stored entries.
        fitting = {max((most - 1).bit_length(), 1) for most in ((entries, entries + 1) if tensor.mask_bits else (entries,))}
        if not entries or tensor.values.bits not in fitting:
            got = f"indices of {tensor.values.bits} bits into {entries:,} entries"
            broken.append(Problem(got, f"be of {max(fitting)} bits", tensor.values.subject))
    if not found:
        return absent("no tensor is cheapest as a codebook")
    shown = ", ".join(f"{tensor.values.subject} with {tensor.values.bits}-bit indices" for tensor in found[:3])
    return Finding(f"{many(len(found), 'codebook')}: {shown}", tuple(broken), evidence={"codebooks": len(found)})

"""Laws of products: O1 how many, O2 how wide, O3 sign flips, O12 accumulators."""

from __future__ import annotations

from collections import Counter
from math import prod

from micronet_verify.checks.rules.counted import Counted, Finding, absent, quantity
from micronet_verify.checks.rules.regimes import has_64_bit_values
from micronet_verify.errors import Problem
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import index_sizes, text
from micronet_verify.wording.numbers import amount, grouped


def dot_products(counted: Counted) -> Finding:
    """O1: never more multiplies than the shapes have, never more adds than multiplies and one bias for each output."""
    lines = counted.lines("O1", "O3")
    multiplies, adds = quantity(lines, "multiply"), quantity(lines, "add")
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
    share = f"{grouped(100 * multiplies / dense, 1)} % of the dense work" if dense else "of none"
    evidence: dict[str, str | int | float] = {"multiplies": str(multiplies), "adds": str(adds), "dense_multiplies": dense}
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
    return Finding(f"{amount(quantity(lines, 'multiply'))} multiplies flip a sign, at 1 bit each", tuple(broken))


def accumulators(counted: Counted) -> Finding:
    """O12: adds of dot products and pools count 32 bits, unless the edition takes proofs of less."""
    lines = [line for line in counted.lines("O1", "O5") if line.operation == "add" and line.quantity]
    if not lines:
        return absent("nothing is accumulated")
    full = counted.track.rules.accumulator == "full"
    broken = [
        Problem(f"an accumulator of {line.bits} bits", "be 32" if full else "be at most 32", line.subject)
        for line in lines
        if (line.bits > 32 or (full and line.bits != 32)) and not (line.bits == 64 and has_64_bit_values(counted))
    ]
    return Finding(f"{amount(quantity(lines, 'add'))} adds {'at 32 bits' if full else 'at proved widths'}", tuple(broken))

"""S5 and O7: the freebie, its forfeiture, and the choice of the cheaper regime; S7: batch normalisation."""

from __future__ import annotations

from fractions import Fraction

from micronet_verify.checks.rules.counted import Counted, Finding, absent
from micronet_verify.counting.ledger import Ledger
from micronet_verify.errors import Problem
from micronet_verify.facts.graph import Node
from micronet_verify.wording.numbers import grouped, many

_PLACES = 6


def freebie(counted: Counted) -> Finding:
    """S5: an entry that quantizes nothing may count at 16 bits; one that does may not; of two regimes the cheaper is charged."""
    ledger, forfeited = counted.ledger, counted.count.forfeited
    scores = {regime: _score(counted, other) for regime, other in counted.count.ledgers.items()}
    own, other = scores[ledger.regime], next((score for regime, score in scores.items() if regime != ledger.regime), None)
    narrow = _narrow(counted)
    broken: list[Problem] = []
    if other is not None and other < own:
        broken.append(
            Problem(
                f"the {ledger.regime} regime at {grouped(own, _PLACES)}",
                f"be the other, at {grouped(other, _PLACES)}",
            )
        )
    whole = sum(_is_whole(counted, node) for node in counted.nodes)
    if (forfeited and not narrow and not whole) or (narrow and not forfeited):
        found = f"{many(narrow, 'operator')} below 16 bits and {many(whole, 'operator')} on integers"
        broken.append(Problem(f"a freebie that is {'forfeited' if forfeited else 'kept'}", f"agree with {found}"))
    elsewhere = f"; the other regime would score {grouped(other, _PLACES)}" if other is not None else ""
    if ledger.regime == "freebie":
        broken += [
            Problem(f"{line.bits} bits", "be 16 under the freebie", line.subject)
            for line in ledger.lines
            if line.axis == "storage" and line.quantity and line.bits != 16 and not (line.bits == 1 and line.rule in ("S3", "O9", "S9"))
            if not (line.bits == 64 and has_64_bit_values(counted))
        ]
        return Finding(f"every value counts 16 bits: {grouped(own, _PLACES)}{elsewhere}", tuple(broken))
    if forfeited:
        return Finding(f"the freebie is forfeited: {forfeited}", tuple(broken))
    return Finding(f"the freebie is not taken: {grouped(own, _PLACES)}{elsewhere}", tuple(broken))


def has_64_bit_values(counted: Counted) -> bool:
    """Whether the graph holds 64-bit numbers, which no freebie halves."""
    return any(value.format.bits == 64 for value in counted.values.values())


def freebie_operations(counted: Counted) -> Finding:
    """O7: under the freebie every multiply counts 16 bits and every add 32."""
    if counted.ledger.regime != "freebie":
        return absent("the entry is priced in the quantized regime")
    wanted = {"multiply": 16, "add": 32}
    lines = [line for line in counted.ledger.lines if line.axis == "operations" and line.quantity]
    broken = [
        Problem(f"{line.bits} bits for {line.operation or 'no class'}", f"be {wanted.get(line.operation, 'of a class')}", line.subject)
        for line in lines
        if line.bits != wanted.get(line.operation) and not (line.bits == 64 and has_64_bit_values(counted))
    ]
    if not lines:
        return absent("the entry computes nothing")
    multiplies, adds = (counted.ledger.quantity("operations", name) for name in ("multiply", "add"))
    at = {"multiplies": str(multiplies), "adds": str(adds)}
    return Finding(
        f"{grouped(multiplies, 0)} multiplies at 16 bits and {grouped(adds, 0)} adds at 32",
        tuple(broken),
        evidence=at,
    )


def batch_norms(counted: Counted) -> Finding:
    """S7: each batch normalisation is folded or charged, none is lost and none is both; one may be spelled as multiply and add."""
    lines = counted.lines("S7")
    norms = [node for node in counted.nodes if node.kind == "normalise" and node.attributes["op"] == "batch_norm"]
    if not norms and not lines:
        return absent("the model has no batch normalisation")
    moving = sum(node.inputs[0] in counted.varying for node in norms)
    folded = sum(1 for line in lines if not line.quantity)
    charged = sum(1 for line in lines if line.quantity and line.operation == "add")
    spelled = sum(
        node.kind == "elementwise" and node.attributes["op"] in ("mul", "div") and not counted.varying.issuperset(node.inputs)
        for node in counted.nodes
    )
    broken: list[Problem] = []
    if not moving <= folded + charged <= len(norms) + spelled:
        most = f"{len(norms)} together" + (f", and at most {spelled} multiplies by constants more" if spelled else "")
        broken.append(Problem(f"{folded} folded and {charged} charged batch normalisations", f"be {most}"))
    if counted.track.rules.batch_norm != "folded" and folded:
        broken.append(Problem(f"{folded} folded batch normalisations", f"be none: the edition says {counted.track.rules.batch_norm}"))
    evidence = {"folded": folded, "charged": charged}
    return Finding(f"{folded} folded into a linear operator next to it, {charged} charged", tuple(broken), evidence=evidence)


def _score(counted: Counted, ledger: Ledger) -> Fraction:
    baseline = counted.track.baseline
    return ledger.storage / baseline.parameters + ledger.operations / baseline.operations


def _narrow(counted: Counted) -> int:
    """Live nodes that quantize, or multiply numbers of less than 16 bits or integers."""
    return sum(_is_narrow(counted, node) for node in counted.nodes)


def _is_whole(counted: Counted, node: Node) -> bool:
    """Whether a node computes with integers or truth values; on data, that forfeits the freebie."""
    values = (counted.values[name] for name in (*node.inputs, *node.outputs) if name in counted.values)
    return node.kind in ("elementwise", "reduce", "cumulative", "scatter") and any(value.format.family != "float" for value in values)


def _is_narrow(counted: Counted, node: Node) -> bool:
    if node.kind in ("conv", "matmul"):
        formats = [counted.values[name].format for name in node.inputs if name in counted.values]
        return any(fmt.is_integer or fmt.bits < 16 for fmt in formats)
    if node.kind == "move" and node.attributes["op"] == "cast":
        fmt = counted.values[node.outputs[0]].format
        return fmt.bits < 16 and fmt.family != "bool"
    return node.kind in ("quantize", "dequantize")

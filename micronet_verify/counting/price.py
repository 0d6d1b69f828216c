"""Prices what was analysed: the work of every node and the storage of every constant, in each regime (*Two regimes* in COUNTING_RULES)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

from micronet_verify.analysis.rewrites.rewritten import Rewritten
from micronet_verify.analysis.structure import structure_bits
from micronet_verify.analysis.values.peak_activations import PeakActivations
from micronet_verify.counting.analysed import Analysed
from micronet_verify.counting.asked import Asked, Known
from micronet_verify.counting.formulas.by_kind import work_of
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.work import Work, multiplies
from micronet_verify.counting.ledger import Ledger, LedgerLine, Regime
from micronet_verify.counting.notes import folded_line, hidden_lines, in_full_line, unused_lines
from micronet_verify.counting.stock import is_batch_norm
from micronet_verify.counting.storage import storage_lines, stored_line
from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import integer
from micronet_verify.facts.validate import place
from micronet_verify.track.rules import KNOBS, CountingRules
from micronet_verify.wording.numbers import many

Shares = Mapping[str, Fraction]
NOTHING, ONCE = PeakActivations(0, 0), Fraction(1)
OF_WORK = frozenset({"regimes", "accumulator", "dot_adds", "activation_bits", "attention_mask", "saturation", "structure"})
"""Knobs that no storage line depends on, beyond the inventory that they choose."""


@dataclass(frozen=True)
class Count:
    """What a graph costs: one ledger per regime it may be priced in, why the freebie is forfeited, the peak of activations.

    ``zeros``: labels of constants of which no line is charged because all their values are zero. ``structure``: bits of the
    priced graph beside its constants, by regime (S9), charged or not.
    """

    ledgers: Mapping[Regime, Ledger]
    forfeited: str = ""
    peak_activations: PeakActivations = NOTHING
    zeros: frozenset[str] = frozenset()
    structure: Mapping[Regime, int] = field(default_factory=dict)

    def cheapest(self, parameters: Fraction, operations: Fraction) -> Ledger:
        """The ledger of the lower score under a baseline; the freebie's where they tie."""
        return min(self.ledgers.values(), key=lambda ledger: ledger.storage / parameters + ledger.operations / operations)


@dataclass
class _Bill:
    """What one pricing of one graph adds up: work that is priced per regime, lines that charge nothing, operators without a price."""

    analysed: Analysed
    rules: CountingRules
    shares: Shares
    work: list[tuple[Node, Work, Fraction]] = field(default_factory=list)
    notes: list[LedgerLine] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def price(analysed: Analysed, rules: CountingRules, shares: Shares | None = None) -> Count:
    """The count under ``rules``. ``shares``: of the examples that reach a branch, the share that takes its first body,
    by the branch's ``id``.

    Raises ``SubmissionFault`` with every operator that has no price (O17).
    """
    regimes: list[Regime] = ["quantized"] if analysed.forfeited else ["freebie", "quantized"]
    if rules.regimes != "both":
        regimes = [rules.regimes]
    shares = shares or {}
    ledgers = {regime: Ledger(rules.edition, regime, tuple(_lines(analysed, rules, regime, shares))) for regime in regimes}
    charged = frozenset(line.subject for line in ledgers[regimes[0]].lines)
    structure = {regime: _structure(analysed, rules, regime) for regime in regimes}
    return Count(
        ledgers=ledgers,
        forfeited=analysed.forfeited,
        peak_activations=analysed.peak_activations(rules),
        zeros=analysed.zeros(charged),
        structure=structure,
    )


def _structure(analysed: Analysed, rules: CountingRules, regime: Regime) -> int:
    rewritten = analysed.rewritten(rules, regime)
    return analysed.remember(("structure", id(rewritten.graph)), lambda: structure_bits(rewritten.graph, rewritten.constants.keys()))


def _lines(analysed: Analysed, rules: CountingRules, regime: Regime, shares: Shares) -> Iterator[LedgerLine]:
    """All lines of one regime. What a knob does not touch is remembered from the last time that it was asked for."""
    rewritten = analysed.rewritten(rules, regime)
    stored = analysed.stock(rules, regime)
    yield from analysed.remember(
        ("storage", id(stored), regime, _knobs(rules, OF_WORK)), lambda: tuple(storage_lines(stored, regime, rules))
    )
    if rules.structure == "charged":
        bits = _structure(analysed, rules, regime)
        formula = f"{many(bits, 'bit')} for {many(len(rewritten.graph.nodes), 'node')}, their operands and whole numbers"
        yield stored_line("S9", "structure", "", bits, 1, formula, "how the graph is wired")
    asked = Asked(rules)
    bills: Known[_Bill] = analysed.remember(("work", id(rewritten), tuple(sorted(shares.items()))), Known)
    bill = bills.under(asked, lambda: _billed(analysed, rewritten, asked.rules, shares))
    yield from analysed.remember(("operations", regime, id(bill)), lambda: tuple(_operations(bill, regime)))
    yield from bill.notes


def _knobs(rules: CountingRules, others: frozenset[str]) -> tuple[object, ...]:
    return tuple(getattr(rules, name) for name in KNOBS if name not in others)


def _billed(analysed: Analysed, rewritten: Rewritten, rules: CountingRules, shares: Shares) -> _Bill:
    bill = _Bill(analysed, rules, shares)
    _work(bill, rewritten, ONCE)
    if bill.problems:
        raise SubmissionFault(bill.problems)
    return bill


def _work(bill: _Bill, rewritten: Rewritten, times: Fraction) -> None:
    """Work and notes of one graph or body, ``times`` per example."""
    asked = Asked(bill.rules)
    operands = bill.analysed.operands(rewritten, asked.rules)
    known: dict[str, Known[list[Work]]] = bill.analysed.remember(("works", id(rewritten)), dict)
    for node in rewritten.graph.nodes:
        if node.bodies:
            _work_of_bodies(bill, node, rewritten.bodies[node.outputs[0]], times)
        else:
            work = known.get(node.outputs[0]) or known.setdefault(node.outputs[0], Known())
            _work_of_node(bill, node, partial(work.under, asked, partial(work_of, node, operands)), times)
        bill.notes.extend(hidden_lines(node, operands))
    bill.work.extend((node, work, times) for node, work in _moved(rewritten, operands))
    bill.notes.extend(unused_lines(rewritten))
    bill.notes.extend(map(folded_line, rewritten.norms))


def _work_of_bodies(bill: _Bill, node: Node, bodies: tuple[Rewritten, ...], times: Fraction) -> None:
    if node.kind == "loop":
        before, turns = len(bill.work), integer(node.attributes, "trips")
        _work(bill, bodies[0], times * turns)
        bill.work[before:] = [(at, replace(work, formula=f"{turns:,} × ({work.formula})"), each) for at, work, each in bill.work[before:]]
        return
    first = bill.shares.get(str(node.attributes.get("id", "")))
    both = (Fraction(1), Fraction(1)) if first is None else (first, 1 - first)
    for body, share in zip(bodies, both, strict=True):
        _work(bill, body, times * share)
    if first is None:
        bill.notes.append(in_full_line(node))


def _work_of_node(bill: _Bill, node: Node, find: Callable[[], list[Work]], times: Fraction) -> None:
    try:
        found = find()
    except SubmissionFault as fault:
        bill.problems.extend(fault.problems)
        return
    if is_batch_norm(node) and bill.rules.batch_norm == "shift_only":
        found = [work for work in found if work.operation == "add"]
    bill.work.extend((node, work, times) for work in found)


def _moved(rewritten: Rewritten, operands: Operands) -> Iterator[tuple[Node, Work]]:
    """Elements in another order are a product with a matrix (O9); copies side by side are nearest-neighbour resizing (O10)."""
    for moved in rewritten.moved:
        node = moved.node
        bits = max(operands.width(name).bits for name in node.inputs if name and name not in operands.constants)
        if moved.selection is None:
            note = "elements copied side by side, as a nearest-neighbour resize does"
            yield node, multiplies("O10", moved.elements, bits, many(moved.elements, "output"), note)
        elif operands.rules.permutation != "free":
            note = "moves that permute elements within an axis"
            yield node, multiplies("O9", moved.elements, bits, f"{many(moved.elements, 'element')} moved", note)


def _operations(bill: _Bill, regime: Regime) -> Iterator[LedgerLine]:
    # Work that several readings have in common (and that is kept with them) is one line.
    lines: dict[int, LedgerLine] = bill.analysed.remember(("lines", regime), dict)
    for node, work, times in bill.work:
        line = lines.get(id(work)) if times is ONCE else None
        if line is None:
            rule, bits = _price(work, regime)
            count = Fraction(work.count) if times is ONCE else work.count * times
            line = LedgerLine(
                axis="operations",
                rule=rule,
                subject=place(node),
                scope=node.scope,
                quantity=count,
                bits=bits,
                formula=work.formula,
                note=work.note,
                operation=work.operation,
            )
            if times is ONCE:
                lines[id(work)] = line
        yield line


def _price(work: Work, regime: Regime) -> tuple[str, int]:
    """(rule, bits): 16 and 32 under the freebie (O7), which 64-bit inputs have no part in; else the widest input (O2)."""
    if regime == "freebie" and (work.bits <= 32 or work.integer):
        return (work.rule if work.rule != "O3" else "O1", 16) if work.operation == "multiply" else (work.rule, 32)
    return work.rule, work.bits

"""One law for each rule of the price list that charges, or spares, something: re-derived, not read back.

A law that the ledger breaks is a defect of the count and never the entrant's fault: its verdict is an error. A rule
under which the entry has nothing is skipped, saying why.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from types import MappingProxyType
from typing import Protocol

from micronet_verify.checks.reach import lost, not_reached
from micronet_verify.checks.rules import masks, products, regimes, storage, work
from micronet_verify.checks.rules.counted import Counted, Finding, Law, absent
from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation
from micronet_verify.wording.numbers import amount, exact, many

REPORT = "a defect of the count, not of the entry: please report it"


class RuleCheck(Protocol):
    def __call__(self, evaluation: Evaluation) -> Verdict: ...


def charged(rule: str, counted: Counted) -> Finding:
    """For a rule without a law of its own: what is charged under it, re-added line by line."""
    lines = [line for line in counted.lines(rule) if line.quantity]
    if not lines:
        return absent("nothing is charged under it")
    total = sum((line.quantity for line in lines), Fraction(0))
    return Finding(f"{many(len(lines), 'line')}, {amount(total)} operations")


LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "S1": storage.widths,
        "S2": storage.complete,
        "S3": masks.masks,
        "S4": storage.once,
        "S5": regimes.freebie,
        "S6": storage.unused,
        "S7": regimes.batch_norms,
        "S8": storage.codebooks,
        "O1": products.dot_products,
        "O2": products.operand_widths,
        "O3": products.sign_flips,
        "O4": partial(charged, "O4"),
        "O5": partial(charged, "O5"),
        "O7": regimes.freebie_operations,
        "O8": work.elementwise,
        "O9": work.permutations,
        "O10": partial(charged, "O10"),
        "O11": work.conversions,
        "O12": products.accumulators,
        "O13": work.branches,
        "O16": work.unused,
    }
)
"""By rule id. Rules without one are laws of other checks (O17: ``operators``), of the run (O14, O15) or of a formula (O6)."""


def check_rule(rule: str, law: Law, evaluation: Evaluation) -> Verdict:
    """The verdict of one rule on one entry."""
    name = f"rule {rule}"
    if (blocked := not_reached(name, evaluation, "count")) is not None:
        return blocked
    graph, count, ledger, track = evaluation.graph, evaluation.count, evaluation.ledger, evaluation.track
    if graph is None or count is None or ledger is None or track is None:
        return lost(name, "ledger")
    counted = Counted(graph, count, ledger, track, evaluation.shares, evaluation.predictions is not None, evaluation.partial)
    finding = law(counted)
    evidence = {**_subtotals(counted, rule), **finding.evidence}
    broken = [*_lines(counted, rule), *finding.broken]
    if broken:
        sentences = [str(Problem(p.got, p.should, f"rule {rule}" + (f", {p.where}" if p.where else ""), REPORT)) for p in broken]
        return Verdict(name, "error", "\n".join(sentences), evidence)
    if not finding.applies:
        return Verdict(name, "skipped", f"{rule} does not apply: {finding.message}", {"applies": 0})
    return Verdict(name, "passed", finding.message, evidence)


def _subtotals(counted: Counted, rule: str) -> dict[str, str | int]:
    lines = counted.lines(rule)
    totals = {axis: sum((line.amount for line in lines if line.axis == axis), Fraction(0)) for axis in ("storage", "operations")}
    return {"lines": len(lines), **{axis: exact(total) for axis, total in totals.items() if total}}


def _lines(counted: Counted, rule: str) -> list[Problem]:
    """Every line under the rule: nothing negative, an amount that is quantity × bits / 32."""
    return [
        Problem(f"{line.quantity} × {line.bits} bits = {line.amount}", "be quantity × bits / 32, and not negative", line.subject)
        for line in counted.lines(rule)
        if line.quantity < 0 or line.bits < 0 or line.amount * 32 != line.quantity * line.bits
    ]


RULE_CHECKS: Mapping[str, RuleCheck] = MappingProxyType({rule: partial(check_rule, rule, law) for rule, law in LAWS.items()})
"""One check per rule id, in the order of the price list."""

"""Lines that charge nothing: what was seen, and why it is free (rules O13, O15, O16, S6, S7)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from micronet_verify.analysis.rewrites.fold_batch_norm_back import Folded
from micronet_verify.analysis.rewrites.rewritten import Rewritten
from micronet_verify.analysis.values.masked_elements import count_kept
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.ledger import Axis, LedgerLine
from micronet_verify.facts.graph import Node
from micronet_verify.facts.validate import place
from micronet_verify.wording.numbers import many


def free_line(axis: Axis, rule: str, subject: str, scope: str, note: str, formula: str = "0") -> LedgerLine:
    """A line of amount 0."""
    return LedgerLine(axis=axis, rule=rule, subject=subject, scope=scope, quantity=Fraction(0), bits=0, formula=formula, note=note)


def hidden_lines(node: Node, operands: Operands) -> Iterator[LedgerLine]:
    """What a constant mask spares at a node (O15)."""
    if node.outputs[0] in operands.hidden.masks:
        result = operands.output(node)
        kept = count_kept(operands.hidden.computed[node.outputs[0]], result.shape)
        note = "hidden by a constant mask: not computed, nor what only they need"
        yield free_line("operations", "O15", place(node), node.scope, note, f"{result.numel - kept:,} of {result.numel:,}")


def in_full_line(node: Node) -> LedgerLine:
    """A branch of which nobody knows how often its bodies are taken (O13)."""
    note = "both bodies charged in full: no predictions say how often each is taken"
    return free_line("operations", "O13", place(node), node.scope, note)


def folded_line(folded: Folded) -> LedgerLine:
    """A batch norm that went into another operator (S7)."""
    return free_line("operations", "S7", place(folded.node), folded.node.scope, f"folded into {place(folded.into)}")


def unused_lines(rewritten: Rewritten) -> Iterator[LedgerLine]:
    """Nodes and stored values on which no output depends (O16, S6)."""
    note = "no output depends on it"
    for node in rewritten.dead:
        yield free_line("operations", "O16", place(node), node.scope, note)
    for value in rewritten.unused:
        yield free_line("storage", "S6", value.label or value.id, "", note, many(value.numel, "value"))

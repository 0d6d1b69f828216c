"""What a law may look at: one counted entry, and its ledger re-read tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from micronet_verify.checks.rules.walk import live_nodes
from micronet_verify.counting.count import Count
from micronet_verify.counting.ledger import Ledger, LedgerLine
from micronet_verify.errors import Problem
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.nested import all_nodes, all_values
from micronet_verify.quality.metrics.accuracy import Partial
from micronet_verify.track.track import Track

# Moves that make another tensor of a constant: part of one, several joined, or one repeated.
_RESHAPING = frozenset({"slice", "split", "concat", "pad", "expand", "tile"})


@dataclass(frozen=True)
class Finding:
    """What a law found. ``broken``: laws that the ledger violates; ``applies`` is false where there is nothing to ask."""

    message: str
    broken: tuple[Problem, ...] = ()
    applies: bool = True
    evidence: Mapping[str, str | int | float] = field(default_factory=dict)


def absent(reason: str) -> Finding:
    return Finding(reason, applies=False)


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """The storage lines of one tensor: its values, and its mask, scales, codebook and zero points."""

    values: LedgerLine
    extras: tuple[LedgerLine, ...]

    @property
    def mask_bits(self) -> int:
        return sum(int(line.quantity) for line in self.extras if line.rule == "S3")

    @property
    def bits(self) -> int:
        return sum(int(line.quantity) * line.bits for line in (self.values, *self.extras))


@dataclass(frozen=True)
class Counted:
    """The facts, the ledger that is charged, and everything that was priced."""

    graph: Graph
    count: Count
    ledger: Ledger
    track: Track
    shares: Mapping[str, Fraction]
    predicted: bool
    partial: Partial | None = None

    def lines(self, *rules: str) -> list[LedgerLine]:
        return [line for line in self.ledger.lines if line.rule in rules]

    @cached_property
    def nodes(self) -> list[Node]:
        """Nodes on which an output depends, bodies included."""
        return live_nodes(self.graph)

    @cached_property
    def values(self) -> dict[str, Value]:
        return all_values(self.graph)

    @cached_property
    def straight(self) -> bool:
        """Without branches and loops: every live node runs exactly once per example."""
        return not any(node.bodies for node in self.nodes)

    @cached_property
    def varying(self) -> frozenset[str]:
        """Ids of values that an input can change."""
        found = set(self.graph.inputs)
        for node in all_nodes(self.graph):
            if node.bodies or found.intersection(node.inputs):
                found.update(node.outputs, *(body.inputs for body in node.bodies))
        return frozenset(found)

    @cached_property
    def _producer(self) -> dict[str, Node]:
        return {name: node for node in all_nodes(self.graph) for name in node.outputs}

    def leaves(self, name: str) -> list[Value]:
        """The stored constants from which the constant value ``name`` is computed; none for a value that varies."""
        if name in self.varying:
            return []
        found: dict[str, Value] = {}
        pending, seen = [name], set[str]()
        while pending:
            current = pending.pop()
            if not current or current in seen or current in self.varying:
                continue
            seen.add(current)
            value = self.values.get(current)
            if value is not None and value.constant is not None:
                found[current] = value
            elif current in self._producer:
                pending += self._producer[current].inputs
        return list(found.values())

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Values per tensor by label, for labels that one stored constant has and whose tensor is used whole."""
        cut = {
            leaf.id
            for node in all_nodes(self.graph)
            if node.kind == "permute" or (node.kind == "move" and node.attributes["op"] in _RESHAPING)
            for name in node.inputs
            for leaf in self.leaves(name)
        }
        found: dict[str, list[Value]] = {}
        for value in self.values.values():
            if value.constant is not None:
                found.setdefault(value.label or value.id, []).append(value)
        return {label: group[0].numel for label, group in found.items() if len(group) == 1 and group[0].id not in cut}

    @cached_property
    def tensors(self) -> list[StoredTensor]:
        """The storage lines tensor by tensor: a line of values, and the extras of the same subject that follow it."""
        found: list[StoredTensor] = []
        for line in self.ledger.lines:
            if line.axis != "storage" or line.rule in ("S4", "S6", "O9"):
                continue
            last = found[-1] if found else None
            entries = line.rule == "S8" and last is not None and last.values.rule == "S8" and all(e.rule != "S8" for e in last.extras)
            extra = line.rule in ("S2", "S3") or entries
            if extra and last is not None and (line.subject, line.scope) == (last.values.subject, last.values.scope):
                found[-1] = StoredTensor(last.values, (*last.extras, line))
            elif not extra or line.rule == "S8":
                found.append(StoredTensor(line, ()))
        return found


Law = Callable[[Counted], Finding]


def base_label(subject: str) -> str:
    """The label of the stored constant behind a ledger's subject."""
    return subject.partition(" (batch norm folded)")[0]


def quantity(lines: Sequence[LedgerLine], operation: str) -> Fraction:
    """Operations of one class on these lines, before any price."""
    return sum((line.quantity for line in lines if line.operation == operation), Fraction(0))

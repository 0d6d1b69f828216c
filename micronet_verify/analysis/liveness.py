"""Maximum transient activation size: the least memory for activations with which one example can be computed.

A value is live from the node that makes it to the last node that reads it. Reshapes share their operand's memory, and
an element-wise function of one operand may overwrite it. Sizes are at measured widths. Not scored in the 2019 edition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from micronet_verify.analysis.live import needed_values
from micronet_verify.analysis.width import Width
from micronet_verify.facts.graph import Graph, Node

_SHARING = frozenset({"identity", "reshape"})


@dataclass(frozen=True, slots=True)
class Transient:
    """Peaks in bits: in the order in which the file lists its nodes, and in the best order found (never larger)."""

    listed: int
    best: int
    at: str = ""


def transient(graph: Graph, widths: Mapping[str, Width]) -> Transient:
    """The peaks of a graph whose constant arithmetic has been folded; ``at`` is the node of the listed order's peak."""
    plan = _Plan(graph, widths)
    listed, at = plan.peak(list(graph.nodes))
    best, _ = plan.peak(plan.greedy())
    return Transient(listed, min(listed, best), at)


class _Plan:
    """Sizes, readers and shared memory of the values of one graph."""

    def __init__(self, graph: Graph, widths: Mapping[str, Width]) -> None:
        self.graph = graph
        self.home: dict[str, str] = {}
        self.size: dict[str, int] = {}
        self.reads: dict[str, int] = {}
        for name in graph.inputs:
            self._place(name, name, widths)
        for node in graph.nodes:
            shared = node.kind == "move" and node.attributes["op"] in _SHARING and node.inputs[0] in self.home
            for name in node.outputs:
                self._place(name, self.home[node.inputs[0]] if shared else name, widths)
        for node in graph.nodes:
            for name in self.operands(node):
                self.reads[name] = self.reads.get(name, 0) + 1
        for name in graph.outputs:
            if name in self.home:
                self.reads[self.home[name]] = self.reads.get(self.home[name], 0) + 1

    def _place(self, name: str, home: str, widths: Mapping[str, Width]) -> None:
        value = self.graph.values[name]
        self.home[name] = home
        bits = widths[name].bits if name in widths else value.format.bits
        self.size[home] = max(self.size.get(home, 0), value.numel * bits)

    def operands(self, node: Node) -> set[str]:
        """Memory that a node reads."""
        names = set(node.inputs)
        for body in node.bodies:
            names |= needed_values(body)
        return {self.home[name] for name in names if name in self.home}

    def results(self, node: Node) -> set[str]:
        return {self.home[name] for name in node.outputs}

    def overwrites(self, node: Node, left: Mapping[str, int]) -> int:
        """Bits that a node need not allocate because it writes over its operand, which nobody else reads."""
        if node.kind != "elementwise" or len(node.inputs) != 1 or node.inputs[0] not in self.home:
            return 0
        operand, result = self.home[node.inputs[0]], self.home[node.outputs[0]]
        return min(self.size[operand], self.size[result]) if left[operand] == 1 and operand != result else 0

    def step(self, node: Node, live: set[str], left: dict[str, int]) -> tuple[int, set[str]]:
        """(bits live while ``node`` runs, memory live after it); ``left`` counts the reads still to come."""
        during = live | self.results(node)
        bits = sum(self.size[name] for name in during) - self.overwrites(node, left)
        for name in self.operands(node):
            left[name] -= 1
        return bits, {name for name in during if left.get(name, 0) > 0}

    def peak(self, order: list[Node]) -> tuple[int, str]:
        live = {self.home[name] for name in self.graph.inputs if self.reads.get(self.home[name])}
        left, most, at = dict(self.reads), 0, ""
        for node in order:
            bits, live = self.step(node, live, left)
            if bits > most:
                most, at = bits, node.scope or node.source or node.kind
        return most, at

    def greedy(self) -> list[Node]:
        """An order that always runs, of the nodes that can run, the one that leaves least alive (ties: listed order)."""
        waiting = {id(node): self._waits(node) for node in self.graph.nodes}
        wanted_by: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            for name in self._waits(node):
                wanted_by.setdefault(name, []).append(node)
        rank = {id(node): index for index, node in enumerate(self.graph.nodes)}
        ready = [node for node in self.graph.nodes if not waiting[id(node)]]
        live, left, order = {self.home[name] for name in self.graph.inputs}, dict(self.reads), list[Node]()
        while ready:
            node = min(ready, key=lambda item: (self._growth(item, live, left), rank[id(item)]))
            ready = [item for item in ready if item is not node]
            order.append(node)
            _, live = self.step(node, live, left)
            for name in node.outputs:
                for reader in wanted_by.get(name, []):
                    waiting[id(reader)].discard(name)
                    if not waiting[id(reader)]:
                        ready.append(reader)
        return order

    def _waits(self, node: Node) -> set[str]:
        names = set(node.inputs)
        for body in node.bodies:
            names |= needed_values(body)
        return {name for name in names if name in self.home and name not in self.graph.inputs}

    def _growth(self, node: Node, live: set[str], left: Mapping[str, int]) -> int:
        made = sum(self.size[name] for name in self.results(node) - live)
        return made - sum(self.size[name] for name in self.operands(node) if left[name] == 1)

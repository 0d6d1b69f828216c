"""Maximum transient activation size: the least memory for activations with which one example can be computed.

A value is live from the node that makes it to the last node that reads it. Reshapes share their operand's memory, and
an element-wise function of one operand may overwrite it. Sizes are at measured widths. Not scored in the 2019 edition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from micronet_verify.analysis.uses import needed_values
from micronet_verify.analysis.values.width import Width
from micronet_verify.facts.graph import Graph, Node

_SHARING = frozenset({"identity", "reshape"})


@dataclass(frozen=True, slots=True)
class PeakActivations:
    """Peaks in bits: in the order in which the file lists its nodes, and in the best order found (never larger)."""

    listed: int
    best: int
    at: str = ""


def peak_activations(graph: Graph, widths: Mapping[str, Width]) -> PeakActivations:
    """The peaks of a graph whose constant arithmetic has been folded; ``at`` is the node of the listed order's peak."""
    plan = _Plan(graph, widths)
    listed, at = plan.peak(list(graph.nodes))
    best, _ = plan.peak(plan.greedy())
    return PeakActivations(listed=listed, best=min(listed, best), at=at)


class _Plan:
    """Sizes, readers and shared memory of the values of one graph."""

    def __init__(self, graph: Graph, widths: Mapping[str, Width]) -> None:
        self.graph = graph
        self.home: dict[str, str] = {}
        self.size: dict[str, int] = {}
        self.reads: dict[str, int] = {}
        self._found: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        self._given = frozenset(graph.inputs)
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

    def operands(self, node: Node) -> frozenset[str]:
        """Memory that a node reads."""
        return self._memory(node)[0]

    def _memory(self, node: Node) -> tuple[frozenset[str], frozenset[str]]:
        found = self._found.get(node.outputs[0])
        if found is None:
            names = set(node.inputs)
            for body in node.bodies:
                names |= needed_values(body)
            found = frozenset(self.home[name] for name in names if name in self.home), frozenset(self.home[name] for name in node.outputs)
            self._found[node.outputs[0]] = found
        return found

    def overwrites(self, node: Node, left: Mapping[str, int]) -> int:
        """Bits that a node need not allocate because it writes over its operand, which nobody else reads."""
        if node.kind != "elementwise" or len(node.inputs) != 1 or node.inputs[0] not in self.home:
            return 0
        operand, result = self.home[node.inputs[0]], self.home[node.outputs[0]]
        return min(self.size[operand], self.size[result]) if left[operand] == 1 and operand != result else 0

    def peak(self, order: list[Node]) -> tuple[int, str]:
        """The most bits that are live while one of the nodes runs, and which."""
        live = {self.home[name] for name in self.graph.inputs if self.reads.get(self.home[name])}
        alive, left, most, at = sum(self.size[name] for name in live), dict(self.reads), 0, ""
        for node in order:
            operands, results = self._memory(node)
            for name in results:
                if name not in live:
                    live.add(name)
                    alive += self.size[name]
            bits = alive - self.overwrites(node, left)
            for name in operands:
                left[name] -= 1
            for name in (*operands, *results):
                if name in live and left.get(name, 0) <= 0:
                    live.remove(name)
                    alive -= self.size[name]
            if bits > most:
                most, at = bits, node.scope or node.source or node.kind
        return most, at

    def greedy(self) -> list[Node]:
        """An order that always runs, of the nodes that can run, the one that leaves least alive (ties: listed order).

        What a node leaves alive changes only when it becomes the last reader of something: then it is queued again.
        """
        nodes, queue = self.graph.nodes, list[tuple[int, int]]()
        waiting = [len(self._waits(node)) for node in nodes]
        wanted_by: dict[str, list[int]] = {}
        readers: dict[str, list[int]] = {}
        for rank, node in enumerate(nodes):
            for name in self._waits(node):
                wanted_by.setdefault(name, []).append(rank)
            for name in self.operands(node):
                readers.setdefault(name, []).append(rank)
        live, left, done = {self.home[name] for name in self.graph.inputs}, dict(self.reads), [False] * len(nodes)

        def ask(rank: int) -> None:
            heappush(queue, (self._growth(nodes[rank], live, left), rank))

        for rank in range(len(nodes)):
            if not waiting[rank]:
                ask(rank)
        order: list[Node] = []
        while queue:
            growth, rank = heappop(queue)
            node = nodes[rank]
            if done[rank]:
                continue
            if growth != self._growth(node, live, left):
                ask(rank)
                continue
            done[rank] = True
            order.append(node)
            operands, results = self._memory(node)
            live |= results
            for name in operands:
                left[name] -= 1
                if left[name] == 1:
                    for reader in readers[name]:
                        if not done[reader] and not waiting[reader]:
                            ask(reader)
            live.difference_update([name for name in (*operands, *results) if left.get(name, 0) <= 0])
            for name in node.outputs:
                for reader in wanted_by.get(name, ()):
                    waiting[reader] -= 1
                    if not waiting[reader]:
                        ask(reader)
        return order

    def _waits(self, node: Node) -> set[str]:
        names = set(node.inputs)
        for body in node.bodies:
            names |= needed_values(body)
        return {name for name in names if name in self.home and name not in self._given}

    def _growth(self, node: Node, live: set[str], left: Mapping[str, int]) -> int:
        operands, results = self._memory(node)
        made = sum([self.size[name] for name in results if name not in live])
        return made - sum([self.size[name] for name in operands if left[name] == 1])

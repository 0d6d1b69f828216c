"""What a run decided: codes of quantizers, comparisons, places; and how far the last bits had a say in it.

``Recorder`` watches one run and keeps its decisions; ``Replay`` has another run of the same example decide alike, as far as it may.
A decision is known by its node's first result, and in loops by how often that came before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.nested import all_nodes
from micronet_verify.interpreter.node_call import Array
from micronet_verify.interpreter.quantizers import spread

# Codes: a value so near to a tie may fall on either side of it.
NEAR = 1e-4
# Of a quantizer's values so many may be taken over, and so many in any case.
SHARE, FEW = 1e-3, 3
_ROUNDS = frozenset({"round", "floor", "ceil", "trunc", "sign"})
Key = tuple[str, int]


def decides(node: Node, results: tuple[Array, ...]) -> bool:
    """Whether a node's results jump where its operands move by a last bit."""
    if node.kind in ("quantize", "select"):
        return True
    if node.kind == "elementwise" and node.attributes["op"] in _ROUNDS:
        return True
    return node.kind in ("elementwise", "move") and all(result.dtype.kind in "biu" for result in results)


def may_decide(node: Node, graph: Graph) -> bool:
    """The same, before it runs."""
    if node.kind in ("quantize", "select", "branch"):
        return True
    if node.kind == "elementwise" and node.attributes["op"] in _ROUNDS:
        return True
    whole = all(graph.values[name].format.family != "float" for name in node.outputs if name in graph.values)
    floats = any(graph.values[name].format.family == "float" for name in node.inputs if name in graph.values)
    return node.kind in ("elementwise", "move") and whole and floats


def near_ties(node: Node, operand: Array, scale: Array, near: float = NEAR) -> NDArray[np.intp]:
    """Places in the flat operand of a quantizer at which the quotient lies within ``near`` of a tie."""
    ratio = np.asarray(operand, np.float64) / spread(node, scale, operand.shape)
    off = np.abs(ratio - np.floor(ratio) - 0.5)
    found: NDArray[np.intp] = np.flatnonzero(off < near)
    return found


@dataclass
class Held:
    """Operands of quantizers, kept until their quantizer runs: a watch sees results only."""

    graph: Graph
    given: Mapping[str, Array]
    _kept: dict[str, Array] = field(default_factory=dict)
    _wanted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        names = (node.inputs[:2] for node in all_nodes(self.graph) if node.kind == "quantize")
        self._wanted = frozenset(name for pair in names for name in pair)

    def see(self, node: Node, results: tuple[Array, ...]) -> None:
        for name, result in zip(node.outputs, results, strict=False):
            if name in self._wanted:
                self._kept[name] = result

    def operand(self, name: str) -> Array | None:
        found = self._kept.get(name)
        return found if found is not None else self.given.get(name)


@dataclass
class Recorder:
    """Watches a run. ``constants``: those of the graph, by id (scales). ``codes`` says whether ties of quantizers are looked for."""

    held: Held
    scales: Mapping[str, Array]
    codes: bool = True
    decisions: dict[Key, tuple[Array, ...]] = field(default_factory=dict)
    ties: dict[Key, NDArray[np.intp]] = field(default_factory=dict)
    _turns: Counter[str] = field(default_factory=Counter)

    def __call__(self, node: Node, results: tuple[Array, ...]) -> tuple[Array, ...]:
        self.held.see(node, results)
        if decides(node, results):
            key = _key(node, self._turns)
            self.decisions[key] = results
            if node.kind == "quantize" and self.codes:
                operand, scale = self.held.operand(node.inputs[0]), self.scale(node)
                if operand is not None and scale is not None:
                    self.ties[key] = near_ties(node, operand, scale)
        return results

    def scale(self, node: Node) -> Array | None:
        found = self.held.operand(node.inputs[1])
        return found if found is not None else self.scales.get(node.inputs[1])


@dataclass
class Replay:
    """Has a run decide as ``recorded`` did, and counts what would have been otherwise (``changed``)."""

    recorded: Mapping[Key, tuple[Array, ...]]
    changed: int = 0
    _turns: Counter[str] = field(default_factory=Counter)

    def __call__(self, node: Node, results: tuple[Array, ...]) -> tuple[Array, ...]:
        if not decides(node, results):
            return results
        before = self.recorded.get(_key(node, self._turns))
        if before is None or any(one.shape != other.shape for one, other in zip(before, results, strict=True)):
            return results
        # Of the values and places of a top-k or sort, the places are what is decided.
        first = 1 if node.kind == "select" and len(results) > 1 else 0
        changed = sum(int(np.count_nonzero(one != other)) for one, other in zip(before[first:], results[first:], strict=True))
        self.changed += changed
        return before if changed else results


@dataclass
class Taken:
    """Has the priced graph take a code from the graph as translated where that is no more than a tie: within ``NEAR`` of one, one code
    apart, in a capped share of a quantizer's values, and never where the value depends on constants alone (``free``).
    """

    recorded: Mapping[Key, tuple[Array, ...]]
    ties: Mapping[Key, NDArray[np.intp]]
    free: frozenset[str]
    near: float = NEAR
    share: float = SHARE
    taken: int = 0
    of: int = 0
    _turns: Counter[str] = field(default_factory=Counter)

    def __call__(self, node: Node, results: tuple[Array, ...]) -> tuple[Array, ...]:
        if not decides(node, results):
            return results
        key = _key(node, self._turns)
        if node.kind != "quantize" or node.outputs[0] not in self.free or key not in self.recorded:
            return results
        ours, theirs = results[0], self.recorded[key][0]
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            return results
        self.of += ours.size
        other = np.flatnonzero(ours.reshape(-1) != theirs.reshape(-1))
        if not other.size or other.size > max(FEW, self.share * ours.size) or key not in self.ties:
            return results
        a, b = ours.reshape(-1)[other], theirs.reshape(-1)[other]
        one_apart = np.abs(a.astype(np.float64) - b.astype(np.float64)) == 1
        allowed = other[one_apart & np.isin(other, self.ties[key])]
        if not allowed.size:
            return results
        self.taken += allowed.size
        mixed = ours.copy()
        mixed.reshape(-1)[allowed] = theirs.reshape(-1)[allowed]
        return (mixed,)


@dataclass
class Flipped:
    """Has a run take, at each place on a tie, one code or the other by chance; ``others``: the other one than by the same chance."""

    held: Held
    scales: Mapping[str, Array]
    random: np.random.Generator
    others: bool = False
    near: float = NEAR

    def __call__(self, node: Node, results: tuple[Array, ...]) -> tuple[Array, ...]:
        self.held.see(node, results)
        if node.kind != "quantize":
            return results
        operand, scale = self.held.operand(node.inputs[0]), self.held.operand(node.inputs[1])
        scale = self.scales.get(node.inputs[1]) if scale is None else scale
        if operand is None or scale is None:
            return results
        places = near_ties(node, operand, scale, self.near)
        places = places[(self.random.random(places.size) < 0.5) != self.others]
        if not places.size:
            return results
        codes, flat = results[0].copy(), np.asarray(operand, np.float64).reshape(-1)[places]
        ratio = flat / np.broadcast_to(spread(node, scale, operand.shape), operand.shape).reshape(-1)[places]
        # The code that was not taken lies on the other side of the tie; at the ends of the range there is none.
        middle = np.floor(ratio) + 0.5
        towards = np.where(np.rint(ratio) < middle, 1, -1)
        low, high = int(codes.min()), int(codes.max())
        codes.reshape(-1)[places] = np.clip(codes.reshape(-1)[places].astype(np.int64) + towards, low, high).astype(codes.dtype)
        return (codes,)


def _key(node: Node, turns: Counter[str]) -> Key:
    name = node.outputs[0] or node.outputs[-1]
    turns[name] += 1
    return name, turns[name]

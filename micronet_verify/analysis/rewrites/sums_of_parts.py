"""Finds the trees of additions whose terms are parts of one tensor, and the matrix that each of them is (rule O18).

Sums that need no matrix are none of them: of all parts alike, or of parts in steady steps, as a reduction or a pooling has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.sum_matrices import Entries, Matrix, are_steady, composed, matrix_of, merged
from micronet_verify.analysis.rewrites.sum_parts import Parts
from micronet_verify.analysis.uses import prune
from micronet_verify.facts.graph import Node

_SUMS = frozenset({"add", "sub", "neg"})
# So many steps are taken through sums that others share; beyond that a shared sum is a tensor of its own.
_MOST_STEPS = 1 << 20
# Elements of sums are counted in the same budget, so large it is.
_MOST_ENTRIES = 1 << 26


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix over ``source`` that makes a part of the sum ``result``."""

    source: str
    matrix: Matrix

    @property
    def key(self) -> tuple[object, ...]:
        """What products have in common whose rows can be written as one matrix."""
        return (self.source, *self.matrix.layout)


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum as products of matrices and, with their factors, what is left."""

    products: tuple[Product, ...]
    others: tuple[tuple[str, float], ...]


class Part(NamedTuple):
    """A product, and the terms that are in it."""

    product: Product
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """A sum whose ``parts`` may be products; ``terms`` with their factors."""

    parts: tuple[Part, ...]
    terms: Mapping[str, float]


class SumFinder:
    """Finds the roots of trees of additions, and the matrices of those whose terms are parts of one tensor."""

    def __init__(self, graph: EditableGraph) -> None:
        self._graph, self._values, self._constants, self._made = graph, graph.values, graph.constants, graph.producers
        self.parts = self._parts = Parts(graph)
        self._order = {name: at for at, node in enumerate(graph.nodes) for name in node.outputs}
        self._steps = 0
        self._summed: dict[str, tuple[str, dict[str, float]]] = {}
        self._inner: dict[str, Entries | None] = {}

    def all(self) -> dict[str, Sum]:
        readers, outputs = self._graph.readers, set(self._graph.outputs)
        tried: dict[str, Tried] = {}
        for node in self._graph.nodes:
            name = node.outputs[0]
            if not self._is_sum(node) or self._values[name].format.family != "float":
                continue
            shape, adding = self._values[name].shape, [self._is_tree(reader) for reader in readers.get(name, ())]
            if name not in outputs and all(adding) and all(self._values[at.outputs[0]].shape == shape for at in readers.get(name, ())):
                continue  # part of a larger sum
            made = self._tried(name)
            if made is not None:
                tried[name] = made
        live = self._needed(_settled(tried)) if tried else frozenset()
        return _settled({name: made for name, made in tried.items() if name in live})

    def _needed(self, found: Mapping[str, Sum]) -> frozenset[str]:
        """What is still computed when these sums are products: sums of which larger ones consist may be not."""
        nodes = [
            replace(node, inputs=(*(product.source for product in made.products), *(name for name, _ in made.others)))
            if made is not None
            else node
            for node in self._graph.nodes
            for made in (found.get(node.outputs[0]),)
        ]
        return frozenset(name for node in prune(replace(self._graph.graph, nodes=tuple(nodes)))[0].nodes for name in node.outputs)

    def _is_tree(self, node: Node) -> bool:
        """Whether a node adds, or multiplies by a number."""
        if node.kind != "elementwise":
            return False
        return node.attributes["op"] in _SUMS or self._factor(node) is not None

    def _is_sum(self, node: Node) -> bool:
        if node.kind == "reduce":
            return node.attributes["op"] in ("sum", "mean") and self._parts.is_chosen(node.inputs[0])
        return self._is_tree(node)

    def _factor(self, node: Node) -> float | None:
        """The number by which a node multiplies its other operand."""
        op = node.attributes["op"]
        if op not in ("mul", "div"):
            return None
        numbers = [name for name in node.inputs if name in self._constants]
        if len(numbers) != 1 or (op == "div" and numbers[0] != node.inputs[1]):
            return None
        constant = self._constants[numbers[0]]
        if constant.numel != 1 or constant.row_scale is not None or not np.isfinite(constant.number) or constant.number == 0:
            return None
        return constant.number if op == "mul" else 1 / constant.number

    def _terms(self, root: str) -> dict[str, float] | None:
        """The leaves of the tree of additions under ``root``, each with its factor."""
        factors, leaves = {root: 1.0}, dict[str, float]()
        waiting = [-self._order[root]]  # the last first: its factor is complete
        seen = set(waiting)
        shape = self._values[root].shape
        while waiting:
            node = self._graph.nodes[-heappop(waiting)]
            factor = factors.pop(node.outputs[0])
            self._steps += 1
            if self._steps > _MOST_STEPS:
                return None
            for operand, sign in self._operands(node):
                if operand in self._constants or self._values[operand].shape != shape:
                    leaves[operand] = leaves.get(operand, 0.0) + factor * sign
                    continue
                made = self._made.get(operand)
                if made is None or not self._is_tree(made):
                    leaves[operand] = leaves.get(operand, 0.0) + factor * sign
                    continue
                factors[operand] = factors.get(operand, 0.0) + factor * sign
                at = -self._order[operand]
                if at not in seen:
                    seen.add(at)
                    heappush(waiting, at)
        return leaves

    def _operands(self, node: Node) -> list[tuple[str, float]]:
        op = node.attributes["op"]
        if (factor := self._factor(node)) is not None:
            return [(name, factor) for name in node.inputs if name not in self._constants]
        if op == "neg":
            return [(node.inputs[0], -1.0)]
        return [(node.inputs[0], 1.0), (node.inputs[1], 1.0 if op == "add" else -1.0)]

    def _tried(self, root: str) -> Tried | None:
        if self._made[root].kind == "reduce":
            terms: dict[str, float] | None = {root: 1.0}
        else:
            terms = self._terms(root)
        if terms is None:
            return None
        groups: dict[str, list[str]] = {}
        shape = self._values[root].shape
        for name in terms:
            if name not in self._constants and self._values[name].shape == shape:
                groups.setdefault(self._first(name), []).append(name)
        if len(groups) == 1 and sum(map(len, groups.values())) == len(terms) and root not in groups:
            self._summed[root] = next(iter(groups)), terms
        parts: list[Part] = []
        for source, names in groups.items():
            if len(names) < 2 and not self._parts.is_reduced(names[0]):
                continue
            entries = self._entries(names, terms)
            matrix = None if entries is None else matrix_of(entries, shape, self._values[source].shape)
            if matrix is not None:
                parts.append(Part(Product(source, matrix), tuple(names)))
        return Tried(tuple(parts), terms) if parts else None

    def _first(self, name: str) -> str:
        """The tensor of whose elements a term consists: of the sum of parts of one, of which it is a part, that one."""
        source = self._parts.source(name)
        return self._summed[source][0] if source != name and source in self._summed else source

    def _entries(self, names: list[str], terms: Mapping[str, float]) -> Entries | None:
        found = []
        for name in names:
            entries, source = self._parts.entries(name), self._parts.source(name)
            if entries is not None and source != name and source in self._summed:
                inner = self._inside(source)
                entries = None if inner is None else composed(entries, inner)
            if entries is None:
                return None
            self._steps += len(entries.rows)
            if self._steps > _MOST_ENTRIES:
                return None
            found.append((entries, terms[name]))
        return merged(found)

    def _inside(self, name: str) -> Entries | None:
        """The elements of which a sum consists; asked for in the order of the graph, so that what it needs is mostly there."""
        if name not in self._inner:
            terms = self._summed[name][1]
            self._inner[name] = None  # should the budget end meanwhile
            self._inner[name] = self._entries(list(terms), terms)
        return self._inner[name]


def _settled(tried: Mapping[str, Tried]) -> dict[str, Sum]:
    """The sums that are products: those of irregular parts, and regular ones where there are several that no rule tells."""
    regular: dict[tuple[object, ...], list[Matrix]] = {}
    for made in tried.values():
        for product, _ in made.parts:
            if product.matrix.is_regular:
                regular.setdefault((product.source, *product.matrix.layout), []).append(product.matrix)
    plain = {key for key, matrices in regular.items() if are_steady(matrices)}
    found: dict[str, Sum] = {}
    for name, made in tried.items():
        kept = [
            part
            for part in made.parts
            if not part.product.matrix.is_regular or (part.product.source, *part.product.matrix.layout) not in plain
        ]
        if kept:
            taken = {each for part in kept for each in part.names}
            others = tuple((each, factor) for each, factor in made.terms.items() if each not in taken)
            found[name] = Sum(tuple(part.product for part in kept), others)
    return found

"""Sees that sums of parts of one tensor are a product: which parts are added, and with which sign, is its matrix (rule O18).

A layer of ternary weights can be written as a split into elements and sums of some of them, in any of many spellings. Each
tree of additions is read as one matrix over the tensor of which its terms are parts; sums by scalars (sixteen levels) are
in it, and so are sums of sums behind moves. The product then costs what it costs elsewhere (O1, O3, S3, S8). Sums that need no
matrix stay as they are: of all parts alike, or of parts in steady steps, as a reduction or a pooling has them.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites.siblings import siblings, stacked
from micronet_verify.analysis.rewrites.sum_matrices import Entries, Matrix, are_steady, composed, matrix_of, merged
from micronet_verify.analysis.rewrites.sum_parts import Parts
from micronet_verify.analysis.tensors.constants import Constant, derived
from micronet_verify.analysis.uses import consumers, prune
from micronet_verify.facts.graph import Attribute, Graph, Node, Shape, Value

_SUMS = frozenset({"add", "sub", "neg"})
# So many steps are taken through sums that others share; beyond that a shared sum is a tensor of its own.
_MOST_STEPS = 1 << 20
# Elements of sums are counted in the same budget, so large it is.
_MOST_ENTRIES = 1 << 26


@dataclass(frozen=True, slots=True)
class _Product:
    """A matrix over ``source`` that makes a part of the sum ``result``."""

    source: str
    matrix: Matrix


def recognize_sums(graph: Graph, pool: dict[str, Constant]) -> Graph:
    """The graph with every such sum written as a product; its matrices are added to ``pool``."""
    graph, found = _found(graph, pool)
    if not found:
        return graph
    writer = _Writer(graph, pool, found)
    nodes = tuple(new for node in graph.nodes for new in writer.read(node))
    return prune(replace(graph, nodes=nodes, values=writer.values))[0]


def _found(graph: Graph, pool: dict[str, Constant]) -> tuple[Graph, dict[str, _Sum]]:
    """The sums, and the graph in which siblings are stacked where a sum chooses among them."""
    finder = _Finder(graph, pool)
    pools = siblings(graph, pool, finder.parts)
    if pools:
        wide, stacks = stacked(graph, pools)
        used = {product.source for made in _Finder(wide, pool).all().values() for product in made.products}
        pools = {key: names for key, names in pools.items() if any(stacks[name] == key for name in used & stacks.keys())}
    if pools:
        graph, _ = stacked(graph, pools)
        finder = _Finder(graph, pool)
    return graph, finder.all()


@dataclass(frozen=True, slots=True)
class _Sum:
    """A sum as products of matrices and, with their factors, what is left."""

    products: tuple[_Product, ...]
    others: tuple[tuple[str, float], ...]


class _Part(NamedTuple):
    """A product, and the terms that are in it."""

    product: _Product
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Tried:
    """A sum whose ``parts`` may be products; ``terms`` with their factors."""

    parts: tuple[_Part, ...]
    terms: Mapping[str, float]


class _Finder:
    """Finds the roots of trees of additions, and the matrices of those whose terms are parts of one tensor."""

    def __init__(self, graph: Graph, pool: Mapping[str, Constant]) -> None:
        self._graph, self._pool = graph, pool
        self._made = {name: node for node in graph.nodes for name in node.outputs}
        self.parts = self._parts = Parts(graph, pool)
        self._place = {name: at for at, node in enumerate(graph.nodes) for name in node.outputs}
        self._steps = 0
        self._summed: dict[str, tuple[str, dict[str, float]]] = {}
        self._inner: dict[str, Entries | None] = {}

    def all(self) -> dict[str, _Sum]:
        readers, outputs = consumers(self._graph), set(self._graph.outputs)
        tried: dict[str, _Tried] = {}
        for node in self._graph.nodes:
            name = node.outputs[0]
            if not self._is_sum(node) or self._graph.values[name].format.family != "float":
                continue
            shape, adding = self._graph.values[name].shape, [self._is_tree(reader) for reader in readers.get(name, ())]
            if (
                name not in outputs
                and all(adding)
                and all(self._graph.values[at.outputs[0]].shape == shape for at in readers.get(name, ()))
            ):
                continue  # part of a larger sum
            made = self._tried(name)
            if made is not None:
                tried[name] = made
        live = self._needed(_settled(tried)) if tried else frozenset()
        return _settled({name: made for name, made in tried.items() if name in live})

    def _needed(self, found: Mapping[str, _Sum]) -> frozenset[str]:
        """What is still computed when these sums are products: sums of which larger ones consist may be not."""
        nodes = [
            replace(node, inputs=(*(product.source for product in made.products), *(name for name, _ in made.others)))
            if made is not None
            else node
            for node in self._graph.nodes
            for made in (found.get(node.outputs[0]),)
        ]
        return frozenset(name for node in prune(replace(self._graph, nodes=tuple(nodes)))[0].nodes for name in node.outputs)

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
        numbers = [name for name in node.inputs if name in self._pool]
        if len(numbers) != 1 or (op == "div" and numbers[0] != node.inputs[1]):
            return None
        constant = self._pool[numbers[0]]
        if constant.numel != 1 or constant.row_scale is not None or not np.isfinite(constant.number) or constant.number == 0:
            return None
        return constant.number if op == "mul" else 1 / constant.number

    def _terms(self, root: str) -> dict[str, float] | None:
        """The leaves of the tree of additions under ``root``, each with its factor."""
        factors, leaves = {root: 1.0}, dict[str, float]()
        waiting = [-self._place[root]]  # the last first: its factor is complete
        seen = set(waiting)
        shape = self._graph.values[root].shape
        while waiting:
            node = self._graph.nodes[-heappop(waiting)]
            factor = factors.pop(node.outputs[0])
            self._steps += 1
            if self._steps > _MOST_STEPS:
                return None
            for operand, sign in self._operands(node):
                if operand in self._pool or self._graph.values[operand].shape != shape:
                    leaves[operand] = leaves.get(operand, 0.0) + factor * sign
                    continue
                made = self._made.get(operand)
                if made is None or not self._is_tree(made):
                    leaves[operand] = leaves.get(operand, 0.0) + factor * sign
                    continue
                factors[operand] = factors.get(operand, 0.0) + factor * sign
                place = -self._place[operand]
                if place not in seen:
                    seen.add(place)
                    heappush(waiting, place)
        return leaves

    def _operands(self, node: Node) -> list[tuple[str, float]]:
        op = node.attributes["op"]
        if (factor := self._factor(node)) is not None:
            return [(name, factor) for name in node.inputs if name not in self._pool]
        if op == "neg":
            return [(node.inputs[0], -1.0)]
        return [(node.inputs[0], 1.0), (node.inputs[1], 1.0 if op == "add" else -1.0)]

    def _tried(self, root: str) -> _Tried | None:
        if self._made[root].kind == "reduce":
            terms: dict[str, float] | None = {root: 1.0}
        else:
            terms = self._terms(root)
        if terms is None:
            return None
        groups: dict[str, list[str]] = {}
        shape = self._graph.values[root].shape
        for name in terms:
            if name not in self._pool and self._graph.values[name].shape == shape:
                groups.setdefault(self._first(name), []).append(name)
        if len(groups) == 1 and sum(map(len, groups.values())) == len(terms) and root not in groups:
            self._summed[root] = next(iter(groups)), terms
        parts: list[_Part] = []
        for source, names in groups.items():
            if len(names) < 2 and not self._parts.is_reduced(names[0]):
                continue
            entries = self._entries(names, terms)
            matrix = None if entries is None else matrix_of(entries, shape, self._graph.values[source].shape)
            if matrix is not None:
                parts.append(_Part(_Product(source, matrix), tuple(names)))
        return _Tried(tuple(parts), terms) if parts else None

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


def _settled(tried: Mapping[str, _Tried]) -> dict[str, _Sum]:
    """The sums that are products: those of irregular parts, and regular ones where there are several that no rule tells."""
    regular: dict[tuple[object, ...], list[Matrix]] = {}
    for made in tried.values():
        for product, _ in made.parts:
            if product.matrix.is_regular:
                regular.setdefault((product.source, *product.matrix.layout), []).append(product.matrix)
    plain = {key for key, matrices in regular.items() if are_steady(matrices)}
    found: dict[str, _Sum] = {}
    for name, made in tried.items():
        kept = [
            part
            for part in made.parts
            if not part.product.matrix.is_regular or (part.product.source, *part.product.matrix.layout) not in plain
        ]
        if kept:
            taken = {each for part in kept for each in part.names}
            others = tuple((each, factor) for each, factor in made.terms.items() if each not in taken)
            found[name] = _Sum(tuple(part.product for part in kept), others)
    return found


class _Writer:
    """Writes products; matrices over one tensor that differ in rows alone are one matrix, written where the first is needed."""

    def __init__(self, graph: Graph, pool: dict[str, Constant], sums: Mapping[str, _Sum]) -> None:
        self.values, self._pool, self._sums = dict(graph.values), pool, sums
        self._rows: dict[tuple[object, ...], list[tuple[str, Matrix]]] = {}
        for result, found in sums.items():
            for product in found.products:
                self._rows.setdefault(self._key(product), []).append((result, product.matrix))
        self._whole: dict[tuple[object, ...], tuple[str, dict[str, int]]] = {}
        self._nodes: list[Node] = []

    def _key(self, product: _Product) -> tuple[object, ...]:
        return (product.source, *product.matrix.layout)

    def read(self, node: Node) -> list[Node]:
        found = self._sums.get(node.outputs[0])
        if found is None:
            return [node]
        self._nodes = []
        result = self.values[node.outputs[0]]
        terms = [(self._product(node, product), 1.0) for product in found.products]
        numbers = [(name, factor) for name, factor in found.others if name in self._pool and self._pool[name].numel == 1]
        terms += [term for term in found.others if term not in numbers]
        if offset := sum(self._pool[name].number * factor for name, factor in numbers):  # numbers that are added are one number
            terms.append((self._constant(f"{node.outputs[0]}.offset", "offset", np.array(offset, np.float32), node), 1.0))
        total = ""
        for name, factor in sorted(terms, key=lambda term: term[1] < 0):
            total = self._added(node, total, name, factor, result.shape)
        self._nodes.append(Node("move", (total,), node.outputs, {"op": "reshape", "shape": result.shape}, node.source, node.scope))
        return self._nodes

    def _added(self, node: Node, total: str, name: str, factor: float, shape: Shape) -> str:
        if abs(factor) != 1:
            number = self._constant(f"{node.outputs[0]}.{abs(factor)!r}", "factor", np.array(abs(factor), np.float32), node)
            name = self._emit(node, "elementwise", (name, number), self._shape(name), {"op": "mul"})
        if not total:
            return name if factor > 0 else self._emit(node, "elementwise", (name,), self._shape(name), {"op": "neg"})
        return self._emit(node, "elementwise", (total, name), shape, {"op": "add" if factor > 0 else "sub"})

    def _product(self, node: Node, product: _Product) -> str:
        """The rows that make this sum, cut out of what all rows over this tensor make."""
        key = self._key(product)
        if key not in self._whole:
            self._whole[key] = self._written(node, product, self._rows[key])
        whole, starts = self._whole[key]
        matrix, name = product.matrix, whole
        shape = self.values[whole].shape
        if shape[0] > matrix.rows:
            start = starts[node.outputs[0]]
            cut: dict[str, Attribute] = {"op": "slice", "axes": (0,), "starts": (start,), "ends": (start + matrix.rows,), "steps": (1,)}
            name = self._emit(node, "move", (whole,), (matrix.rows, *shape[1:]), cut)
        own = (*matrix.row_shape, *shape[1:])
        name = self._emit(node, "move", (name,), own, {"op": "reshape", "shape": own})
        perm = matrix.result_perm
        turned = tuple(own[axis] for axis in perm)
        name = self._emit(node, "move", (name,), turned, {"op": "transpose", "perm": perm})
        result = self.values[node.outputs[0]].shape
        return self._emit(node, "move", (name,), result, {"op": "reshape", "shape": result})

    def _written(self, node: Node, product: _Product, parts: list[tuple[str, Matrix]]) -> tuple[str, dict[str, int]]:
        """[rows, common axes, steady axes] of all rows, and where the rows of each sum begin."""
        matrix, starts, begin = product.matrix, dict[str, int](), 0
        for result, part in parts:
            starts[result] = begin
            begin += part.rows
        array = np.concatenate([part.weights for _, part in parts]).astype(np.float32)
        source = self.values[product.source]
        label = f"which parts of {source.label or 'a tensor'} are added"
        x = self._emit(node, "move", (product.source,), tuple(source.shape[at] for at in matrix.source_perm), {
            "op": "transpose", "perm": matrix.source_perm,
        })  # fmt: skip
        commons, taken = matrix.common_shape, array.shape[1]
        if not matrix.taps:
            flat = (*commons, taken)
            x = self._emit(node, "move", (x,), flat, {"op": "reshape", "shape": flat})
            weight = self._constant(f"{node.outputs[0]}.parts", label, array, node)
            letters = string.ascii_letters[: len(commons)]
            attributes: dict[str, Attribute] = {"left": f"{letters}Z", "right": "YZ", "out": f"Y{letters}"}
            return self._emit(node, "matmul", (x, weight), (begin, *commons), attributes), starts
        batch = int(np.prod(commons, dtype=np.int64))
        whole = (batch, taken, *(source.shape[at] for at in matrix.steady_axes))
        x = self._emit(node, "move", (x,), whole, {"op": "reshape", "shape": whole})
        axes = tuple(range(2, 2 + len(matrix.taps)))
        ends = tuple(tap.start + tap.size + tap.stride * (tap.positions - 1) for tap in matrix.taps)
        cut: dict[str, Attribute] = {
            "op": "slice", "axes": axes, "starts": tuple(tap.start for tap in matrix.taps), "ends": ends, "steps": (1,) * len(axes),
        }  # fmt: skip
        sliced = (batch, taken, *(end - tap.start for end, tap in zip(ends, matrix.taps, strict=True)))
        x = self._emit(node, "move", (x,), sliced, cut)
        weight = self._constant(f"{node.outputs[0]}.parts", label, array, node)
        rank = len(axes)
        attributes = {
            "stride": tuple(tap.stride for tap in matrix.taps), "padding": (0,) * (2 * rank), "dilation": (1,) * rank, "groups": 1,
        }  # fmt: skip
        positions = tuple(tap.positions for tap in matrix.taps)
        y = self._emit(node, "conv", (x, weight), (batch, begin, *positions), attributes)
        perm = (1, 0, *range(2, 2 + rank))
        y = self._emit(node, "move", (y,), (begin, batch, *positions), {"op": "transpose", "perm": perm})
        last = (begin, *commons, *positions)
        return self._emit(node, "move", (y,), last, {"op": "reshape", "shape": last}), starts

    def _shape(self, name: str) -> Shape:
        return self._pool[name].shape if name in self._pool else self.values[name].shape

    def _constant(self, name: str, label: str, array: NDArray[np.float32], node: Node) -> str:
        fmt = self.values[node.outputs[0]].format
        self._pool[name] = replace(
            derived(name, label, array, fmt), unscaled=bool((np.abs(array) <= 1).all() and (array == np.rint(array)).all())
        )
        self.values[name] = Value(name, array.shape, fmt)
        return name

    def _emit(self, node: Node, kind: str, inputs: tuple[str, ...], shape: Shape, attributes: Mapping[str, Attribute]) -> str:
        name = f"{node.outputs[0]}.s{len(self._nodes)}"
        self.values[name] = replace(self.values[node.outputs[0]], id=name, shape=shape)
        self._nodes.append(Node(kind, inputs, (name,), dict(attributes), node.source, node.scope))
        return name

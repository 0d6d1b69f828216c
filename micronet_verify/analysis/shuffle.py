"""Finds permutations written as reshape–transpose–reshape, or as pieces that are joined in another order (rule O9).

Every axis is followed through a chain of moves as a list of *atoms*, the factors into which reshapes cut it. A chain
is a permutation of elements within an axis if atoms of one original axis end side by side in one axis in another
order. Merging attention heads back, flattening in another layout, or a depth-to-space put atoms of different axes
together, and are moves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.live import consumers
from micronet_verify.facts.graph import Graph, Node, Shape
from micronet_verify.facts.shapes import integer, ints

_CHAIN = frozenset({"identity", "reshape", "transpose", "cast"})


@dataclass(frozen=True, slots=True)
class Atom:
    """Part of an original axis: elements step ``stride`` apart along it, ``size`` of them."""

    axis: int
    stride: int
    size: int


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A permutation of the ``extent`` elements of one axis, over ``moved`` elements in all; ``node`` ends the chain.

    ``key`` tells permutations apart: equal ones are one matrix (S4).
    """

    node: Node
    extent: int
    moved: int
    key: str


Axes = list[list[Atom]]


def find_shuffles(graph: Graph, constants: frozenset[str]) -> tuple[Shuffle, ...]:
    """Every activation that reaches a computation with the elements of an axis in another order.

    Values carry their axes as atoms through layout moves; a permuted one is charged where something other than a
    layout reads it, and counts as a new tensor from there on.
    """
    readers = consumers(graph)
    producer = {name: node for node in graph.nodes for name in node.outputs}
    axes_of: dict[str, Axes | None] = {}
    origin: dict[str, Shape] = {}
    found: list[Shuffle] = []
    for node in graph.nodes:
        if node.kind == "move" and node.attributes["op"] == "concat":
            found += _joined_out_of_order(node, graph, producer)
        if not _layout(node) or node.inputs[0] in constants:
            continue
        source, result = node.inputs[0], node.outputs[0]
        if source not in axes_of:
            origin[source], axes_of[source] = graph.values[source].shape, _fresh(graph.values[source].shape)
        axes = _after(node, axes_of[source])
        if axes is not None and not _needed_as_is(result, graph, readers):
            axes_of[result], origin[result] = axes, origin[source]
            continue
        axis = None if axes is None else _permuted_axis(axes)
        if axis is not None:
            assert axes is not None
            extent = origin[source][axis]
            found.append(Shuffle(node, extent, prod(graph.values[result].shape), order_key(extent, _order(axes, axis))))
        elif axes is not None:
            axes_of[result], origin[result] = axes, origin[source]
    return tuple(found)


def order_key(extent: int, order: NDArray[np.int64]) -> str:
    """A name for the choice of elements ``order`` of an axis of ``extent``; equal choices have equal names."""
    return f"{extent}:{hashlib.sha256(np.ascontiguousarray(order, np.int64).tobytes()).hexdigest()}"


def _order(axes: Axes, axis: int) -> NDArray[np.int64]:
    """Which element of the original axis stands where, in the order in which its atoms now lie."""
    order = np.zeros(1, np.int64)
    for atom in (atom for atoms in axes for atom in atoms if atom.axis == axis):
        order = (order[:, None] + np.arange(atom.size) * atom.stride).reshape(-1)
    return order


def _joined_out_of_order(node: Node, graph: Graph, producer: Mapping[str, Node]) -> list[Shuffle]:
    """One shuffle for each tensor of which later pieces come to stand before earlier ones."""
    axis = integer(node.attributes, "axis")
    pieces: dict[str, list[tuple[int, Shape]]] = {}
    for name in node.inputs:
        whole, start = _piece(name, axis, producer)
        pieces.setdefault(whole, []).append((start, graph.values[name].shape))
    found = []
    for whole, parts in pieces.items():
        if any(later < start for (start, _), (later, _) in pairwise(parts)):
            extent, order = graph.values[whole].shape[axis], [np.arange(start, start + shape[axis]) for start, shape in parts]
            found.append(Shuffle(node, extent, sum(prod(shape) for _, shape in parts), order_key(extent, np.concatenate(order))))
    return found


def _piece(name: str, axis: int, producer: Mapping[str, Node]) -> tuple[str, int]:
    """The tensor that ``name`` is a piece of along ``axis``, and where the piece starts."""
    start = 0
    while (node := producer.get(name)) is not None and node.kind == "move":
        op, attributes = node.attributes["op"], node.attributes
        if op == "split" and attributes["axis"] == axis:
            start += sum(ints(attributes, "sizes")[: node.outputs.index(name)])
        elif op == "slice" and ints(attributes, "axes") == (axis,) and ints(attributes, "steps") == (1,):
            start += ints(attributes, "starts")[0]
        elif op != "identity":
            break
        name = node.inputs[0]
    return name, start


def _needed_as_is(name: str, graph: Graph, readers: dict[str, list[Node]]) -> bool:
    return name in graph.outputs or any(not _layout(reader) for reader in readers.get(name, []))


def _fresh(shape: Shape) -> Axes:
    return [[Atom(axis, 1, size)] if size > 1 else [] for axis, size in enumerate(shape)]


def _after(node: Node, axes: Axes | None) -> Axes | None:
    """The axes after one layout move; ``None`` where a reshape cuts across them."""
    if axes is None or node.kind != "move":
        return axes
    op = node.attributes["op"]
    if op == "transpose":
        return [axes[axis] for axis in ints(node.attributes, "perm")]
    if op == "reshape":
        return _regroup([atom for atoms in axes for atom in atoms], ints(node.attributes, "shape"))
    return axes


def _permuted_axis(axes: Axes) -> int | None:
    """The original axis whose elements lie in another order within one axis, or ``None``."""
    for atoms in axes:
        for index, atom in enumerate(atoms):
            # Within an axis, coarse steps come before fine ones; a later, coarser atom of the same axis is out of order.
            if any(later.axis == atom.axis and later.stride > atom.stride for later in atoms[index + 1 :]):
                return atom.axis
    return None


def _regroup(atoms: list[Atom], shape: Shape) -> Axes | None:
    """Atoms dealt out to the axes of ``shape``, cut where an axis ends inside one; ``None`` if they do not factor."""
    rest = list(reversed(atoms))
    axes: Axes = []
    for size in shape:
        taken: list[Atom] = []
        needed = size
        while needed > 1:
            if not rest:
                return None
            atom = rest.pop()
            if needed % atom.size == 0:
                taken.append(atom)
                needed //= atom.size
            elif atom.size % needed == 0:
                inner = atom.size // needed
                taken.append(Atom(atom.axis, atom.stride * inner, needed))
                rest.append(Atom(atom.axis, atom.stride, inner))
                needed = 1
            else:
                return None
        axes.append(taken)
    return axes


def _layout(node: Node) -> bool:
    # A function of one operand between the moves changes no order, so it cannot hide a permutation either.
    return (node.kind == "move" and node.attributes["op"] in _CHAIN) or (node.kind == "elementwise" and len(node.inputs) == 1)

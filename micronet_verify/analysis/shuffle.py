"""Finds permutations written as reshape–transpose–reshape (rule O9).

Every axis is followed through a chain of moves as a list of *atoms*, the factors into which reshapes cut it. A chain
is a permutation of elements within an axis if atoms of one original axis end side by side in one axis in another
order. Merging attention heads back, flattening in another layout, or a depth-to-space put atoms of different axes
together, and are moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from micronet_verify.analysis.live import consumers
from micronet_verify.facts.graph import Graph, Node, Shape
from micronet_verify.facts.shapes import ints, text

_CHAIN = frozenset({"identity", "reshape", "transpose", "cast"})


@dataclass(frozen=True, slots=True)
class Atom:
    """Part of an original axis: elements step ``stride`` apart along it, ``size`` of them."""

    axis: int
    stride: int
    size: int


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A permutation of the ``extent`` elements of one axis, over ``moved`` elements in all; ``node`` ends the chain."""

    node: Node
    extent: int
    moved: int


def find_shuffles(graph: Graph, constants: frozenset[str]) -> tuple[Shuffle, ...]:
    """Every maximal chain of layout moves on activations that permutes elements within an axis."""
    readers = consumers(graph)
    producer = {name: node for node in graph.nodes for name in node.outputs}
    found: list[Shuffle] = []
    for node in graph.nodes:
        if not _layout(node) or node.inputs[0] in constants:
            continue
        onward = [reader for reader in readers.get(node.outputs[0], []) if _layout(reader)]
        if onward and len(readers[node.outputs[0]]) == len(onward) and node.outputs[0] not in graph.outputs:
            continue  # the chain goes on
        chain = [node]
        while (before := producer.get(chain[-1].inputs[0])) is not None and _layout(before):
            chain.append(before)
        shape = graph.values[chain[-1].inputs[0]].shape
        axis = permuted_axis(shape, [(text(n.attributes, "op"), n) for n in reversed(chain)])
        if axis is not None:
            found.append(Shuffle(node, shape[axis], prod(shape)))
    return tuple(found)


def permuted_axis(shape: Shape, chain: list[tuple[str, Node]]) -> int | None:
    """The original axis within which a chain of moves changes the order of elements, or ``None``."""
    axes: list[list[Atom]] = [[Atom(axis, 1, size)] if size > 1 else [] for axis, size in enumerate(shape)]
    for op, node in chain:
        if op == "transpose":
            axes = [axes[axis] for axis in ints(node.attributes, "perm")]
        elif op == "reshape":
            regrouped = _regroup([atom for atoms in axes for atom in atoms], ints(node.attributes, "shape"))
            if regrouped is None:
                return None
            axes = regrouped
    for atoms in axes:
        for index, atom in enumerate(atoms):
            # Within an axis, coarse steps come before fine ones; a later, coarser atom of the same axis is out of order.
            if any(later.axis == atom.axis and later.stride > atom.stride for later in atoms[index + 1 :]):
                return atom.axis
    return None


def _regroup(atoms: list[Atom], shape: Shape) -> list[list[Atom]] | None:
    """Atoms dealt out to the axes of ``shape``, cut where an axis ends inside one; ``None`` if they do not factor."""
    rest = list(reversed(atoms))
    axes: list[list[Atom]] = []
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

"""Finds where elements are permuted within an axis, or copied beside themselves, however it is written (rules O9, O10).

A channel shuffle is a reshape, a transpose and a reshape, a constant index, or halves that are stacked and merged;
nearest-neighbour resizing is also an axis of copies that is merged. Moves are followed from tensor to tensor, and what
they come to is charged where it is complete: where something other than a move reads the result, or several things do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from micronet_verify.analysis.permutations.axis_order import Selection
from micronet_verify.analysis.permutations.order import UNCHANGED, Order, order_of
from micronet_verify.analysis.permutations.views import View, axes_of, copied, fresh, joined, picked, reshaped, transposed
from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.uses import Readers, needed_values
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.shapes import integer, ints, text


@dataclass(frozen=True, slots=True)
class Moved:
    """Elements that moves ending in ``node`` have permuted (``selection``) or, without one, copied side by side."""

    node: Node
    elements: int
    selection: Selection | None = None


def find_moved(graph: Graph, constants: Mapping[str, Constant], readers: Readers) -> tuple[Moved, ...]:
    """Every activation that reaches a computation with elements of an axis in another order, or beside copies of themselves.

    ``readers``: the nodes that read each value.
    """
    return tuple(_Follower(graph, constants, readers).all())


class _Follower:
    """Goes through the nodes in order; ``views`` says of what each moved tensor consists."""

    def __init__(self, graph: Graph, constants: Mapping[str, Constant], readers: Readers) -> None:
        self._graph, self._constants, self._readers = graph, constants, readers
        self._views: dict[str, View] = {}
        self._orders: dict[str, Order] = {}
        self._made: dict[str, Node] = {}

    def all(self) -> Iterator[Moved]:
        for node in self._graph.nodes:
            views = self._followed(node)
            for name in self._read(node) if views is None else ():
                yield from self._charged(name, node)
            if views is None and node.kind == "move" and node.attributes["op"] == "concat":
                yield from self._rejoined(node)
            for name, view in zip(node.outputs, views or (), strict=False):
                yield from self._begun(name, view, node)
        for name in self._graph.outputs:
            yield from self._charged(name)

    def _read(self, node: Node) -> list[str]:
        """The activations that a node reads, in its bodies too."""
        inner = sorted(set[str]().union(*(needed_values(body) for body in node.bodies)))
        return [name for name in dict.fromkeys((*node.inputs, *inner)) if name in self._views]

    def _begun(self, name: str, view: View, node: Node) -> Iterator[Moved]:
        self._views[name] = view
        self._made[name] = (
            node if node.kind in ("move", "permute") else next((self._made[at] for at in node.inputs if at in self._made), node)
        )
        readers = self._readers.get(name, [])
        if len(readers) == 1 and len(readers[0].outputs) == 1 and name not in self._graph.outputs:
            return
        if self._order(name).changed and not all(self._broadcasts(name, reader) for reader in readers):
            yield from self._charged(name)

    def _order(self, name: str) -> Order:
        if name not in self._orders:
            self._orders[name] = order_of(self._views[name]) if name in self._views else UNCHANGED
        return self._orders[name]

    def _charged(self, name: str, reader: Node | None = None) -> Iterator[Moved]:
        """What has become of the elements of ``name`` by the time that ``reader`` needs them; from here on it is a new tensor."""
        order = self._order(name)
        if not order.changed or (reader is not None and self._broadcasts(name, reader)):
            return
        node = self._made[name]
        for selection in order.selections:
            yield Moved(node, order.moved, selection)
        if order.resized:
            yield Moved(node, prod(self._views[name].shape))
        self._views[name] = fresh(name, self._graph.values[name].shape)
        self._orders[name] = UNCHANGED

    def _rejoined(self, node: Node) -> Iterator[Moved]:
        """Pieces of one tensor among others: their own order may change, too."""
        pieces: dict[str, list[View]] = {}
        for name in node.inputs:
            if name not in self._constants:
                view = self._with_axes(name)
                pieces.setdefault(view.source, []).append(view)
        for views in pieces.values():
            whole = joined(views, integer(node.attributes, "axis")) if len(views) > 1 else None
            order = UNCHANGED if whole is None else order_of(whole)
            yield from (Moved(node, order.moved, selection) for selection in order.selections)
            if order.resized and whole is not None:
                yield Moved(node, prod(whole.shape))

    def _broadcasts(self, name: str, reader: Node) -> bool:
        """Whether ``reader`` is a product over axes of copies, side by side: it would broadcast the original as well."""
        order = self._order(name)
        if reader.kind != "matmul" or order.selections or reader.inputs[2:3] == (name,):
            return False
        left, right, out = (text(reader.attributes, part) for part in ("left", "right", "out"))
        labels = [labels for labels, operand in zip((left, right), reader.inputs[:2], strict=True) if operand == name]
        return all(side[axis] in left and side[axis] in right and side[axis] in out for side in labels for axis in order.resized)

    def _view(self, name: str) -> View:
        return self._views.get(name) or fresh(name, self._graph.values[name].shape)

    def _with_axes(self, name: str) -> View:
        """The view, or that of a new tensor where the axes cut across what they were made of: nothing in it is known to be out of order."""
        view = self._view(name)
        return view if axes_of(view) is not None else fresh(name, view.shape)

    def _followed(self, node: Node) -> Sequence[View] | None:
        """The results of a move as views of what was moved; ``None`` for a computation, or where they cannot be followed."""
        varying = [name for name in node.inputs if name and name not in self._constants]
        if not varying or (len(varying) < len(node.inputs) and node.kind == "move"):
            return None
        if node.kind in ("elementwise", "quantize", "dequantize"):
            return self._kept(node, varying)
        if node.kind == "permute":
            return self._permuted(node)
        if node.kind != "move" or node.attributes["op"] == "pad":
            return None
        if node.attributes["op"] == "split":
            return self._split(node)
        found = self._moved(node)
        return None if found is None else (found,)

    def _kept(self, node: Node, varying: list[str]) -> Sequence[View] | None:
        """A function of one activation changes no order, so it cannot hide a permutation."""
        one = len(varying) == 1 and varying[0] == node.inputs[0 if node.kind != "elementwise" else node.inputs.index(varying[0])]
        if not one or varying[0] not in self._views or self._graph.values[varying[0]].shape != self._graph.values[node.outputs[0]].shape:
            return None
        return (self._views[varying[0]],)

    def _permuted(self, node: Node) -> Sequence[View] | None:
        view, axis = self._with_axes(node.inputs[0]), integer(node.attributes, "axis")
        if node.attributes["op"] == "flip":
            found = picked(view, axis, slice(None, None, -1))
        else:
            index = self._constants.get(node.inputs[1])
            if index is None or len(index.shape) != 1:
                return None
            order = np.asarray(index.load(), np.int64)
            found = picked(view, axis, np.where(order < 0, order + view.shape[axis], order))
        return None if found is None else (found,)

    def _split(self, node: Node) -> Sequence[View] | None:
        view, axis, start = self._with_axes(node.inputs[0]), integer(node.attributes, "axis"), 0
        found = []
        for size in ints(node.attributes, "sizes"):
            piece = picked(view, axis, slice(start, start + size))
            if piece is None:
                return None
            found.append(piece)
            start += size
        return found

    def _moved(self, node: Node) -> View | None:
        op, attributes, shape = text(node.attributes, "op"), node.attributes, self._graph.values[node.outputs[0]].shape
        if op in ("reshape", "identity", "cast"):
            return reshaped(self._view(node.inputs[0]), shape)
        view = self._with_axes(node.inputs[0])
        if op == "transpose":
            return transposed(view, ints(attributes, "perm"))
        if op == "concat":
            return joined([self._with_axes(name) for name in node.inputs], integer(attributes, "axis"))
        if op == "slice":
            fields = (ints(attributes, name) for name in ("axes", "starts", "ends", "steps"))
            piece: View | None = view
            for axis, start, end, step in zip(*fields, strict=True):
                piece = None if piece is None else picked(piece, axis, slice(start, end, step))
            return piece
        if op in ("expand", "tile"):
            lined = reshaped(view, (1,) * (len(shape) - len(view.shape)) + view.shape)
            return copied(lined, [size // max(old, 1) for size, old in zip(shape, lined.shape, strict=True)])
        return None
